"""What the testers' pages work with, and what they note of what people do there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask import current_app

from supplier_api.console.access import person
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.sandbox.admin.parts import AdminParts
from supplier_api.sandbox.console.tenant_side import TenantSide

EXTENSION = "sandbox"
FLUSH = 1.0  # seconds for what was recorded to be stored
# Nobody is asked why something is tried out.
REASON = "tried out on the sandbox page"


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts of the testers' door, and the sandbox's tenants at their gateway."""

    parts: AdminParts
    tenants: TenantSide


def install(extensions: dict[str, object], parts: AdminParts) -> None:
    """Keep what an application's pages work with."""
    extensions[EXTENSION] = Bench(parts, TenantSide(parts.settings, parts.services))


def bench() -> Bench:
    """Return what the page that is being made works with."""
    extensions: dict[str, Any] = current_app.extensions
    return cast(Bench, extensions[EXTENSION])


def note(uow: UnitOfWork, action: str, tenant: str | None, detail: Mapping[str, Any]) -> None:
    """Record what somebody does, in the transaction that does it.

    `tenant` is whom it is about, None for all; `detail` holds JSON values.
    """
    parts = bench().parts
    done = Action(
        at=parts.services.machine.now(),
        who=person().name,
        action=f"sandbox-{action}",
        reason=REASON,
        tenant=tenant,
        detail=detail,
    )
    OperatorActionRepository(uow).add(done)


def note_done(action: str, tenant: str | None, detail: Mapping[str, Any]) -> None:
    """Record what somebody has done elsewhere than in our database."""
    bench().parts.services.store.write(lambda uow: note(uow, action, tenant, detail))
