"""Scenarios as rows: those played where a request chooses none, and those that were chosen."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.sql import ColumnElement

from supplier_api.db.tables import scenario_choice, scenario_default
from supplier_api.db.unit_of_work import UnitOfWork

_t = scenario_default.c


class ScenarioRepository:
    """The defaults within one transaction.

    A scenario is a name with its parameters, as it was set. An empty conversation stands for all of
    the tenant's.
    """

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def defaults(self, tenant: str, conversation_id: str) -> list[str]:
        """Return what was set for the conversation, and behind it what was for its tenant."""
        query = (
            select(_t.scenarios)
            .where(_t.tenant == tenant, _t.conversation_id.in_((conversation_id, "")))
            .order_by(_t.conversation_id.desc())
        )
        return [name for names in self._connection.execute(query).scalars() for name in names]

    def get(self, tenant: str, conversation_id: str) -> list[str]:
        """Return what was set for exactly this; nothing if nothing was."""
        query = select(_t.scenarios).where(_which(tenant, conversation_id))
        return self._connection.execute(query).scalar() or []

    def put(self, tenant: str, conversation_id: str, names: Sequence[str]) -> None:
        """Set it, whatever was set before."""
        self.delete(tenant, conversation_id)
        values = {"tenant": tenant, "conversation_id": conversation_id, "scenarios": list(names)}
        self._connection.execute(insert(scenario_default), values)

    def delete(self, tenant: str, conversation_id: str) -> None:
        """Forget what was set for exactly this."""
        self._connection.execute(delete(scenario_default).where(_which(tenant, conversation_id)))

    def keep(self, tenant: str, operation: str, gateway_id: int, plays: Mapping[str, Any]) -> None:
        """Keep what was chosen with a request; `plays` are Play.plain by kind."""
        key = {"tenant": tenant, "operation": operation, "gateway_id": gateway_id}
        self._connection.execute(insert(scenario_choice), {**key, "plays": dict(plays)})

    def kept(self, tenant: str, operation: str, gateway_id: int) -> Mapping[str, Any]:
        """Return what was chosen with a request; nothing if nothing was."""
        of = scenario_choice.c
        query = select(of.plays).where(
            of.tenant == tenant, of.operation == operation, of.gateway_id == gateway_id
        )
        found: Mapping[str, Any] | None = self._connection.execute(query).scalar()
        return found or {}

    def forget(self, tenant: str) -> None:
        """Forget all that was set for a tenant and its conversations."""
        self._connection.execute(delete(scenario_default).where(_t.tenant == tenant))


def _which(tenant: str, conversation_id: str) -> ColumnElement[bool]:
    return (_t.tenant == tenant) & (_t.conversation_id == conversation_id)
