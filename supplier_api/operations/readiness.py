"""Whether a process is at work, and whether it can work on its database: for load balancers."""

from dataclasses import dataclass
from typing import Any

from supplier_api.contract import CONTRACT
from supplier_api.db import StoreUnavailable, UnitOfWork
from supplier_api.delivery.pause_admin import stands_still
from supplier_api.outbox.pauses import Pause, PauseRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Services

READY_SECONDS = 1.0  # that the database has to show that it can be read
RETRY_AFTER = 2  # seconds
OK, UNAVAILABLE = 200, 503


@dataclass(frozen=True, slots=True)
class HealthAnswer:
    """What a process says of itself: the status of HTTP, and the body as plain JSON."""

    status: int
    body: dict[str, Any]


def live() -> HealthAnswer:
    """Return the answer of a process that can answer at all."""
    return HealthAnswer(OK, {"status": "live", "contract": _contract()})


def unavailable(**why: str) -> HealthAnswer:
    """Return the answer of a process that is not to be sent anything, and which part is why."""
    return HealthAnswer(UNAVAILABLE, {"status": "unavailable", **why})


def ready(services: Services) -> HealthAnswer:
    """Return 200 when the database can be read and written, else 503 with the cause.

    Whether it can be written is known from what was written in the last seconds, by work and by
    the sign of life; reading is tried, for a second. What holds delivery up is told, and is no
    reason to be sent nothing more.
    """
    now, until = services.machine.now(), services.machine.monotonic() + READY_SECONDS

    def work(uow: UnitOfWork) -> list[Pause]:
        ProblemRepository(uow).any()
        return PauseRepository(uow).active(now)

    if why := services.store.recent_failure():
        return unavailable(database=why)
    try:
        held_up = stands_still(services.store.read(work, deadline=until), now)
    except StoreUnavailable as error:
        return unavailable(database=str(error))
    return HealthAnswer(OK, {"status": "ready", "contract": _contract(), "delivery": held_up})


def _contract() -> dict[str, str]:
    return {
        "supplierApi": CONTRACT.supplier_api,
        "supplierUpdatesApi": CONTRACT.supplier_updates,
    }
