"""A fault desk that is played: it works every problem to its resolution on a timetable.

It holds no state and never waits: its answer to an order says what it will do when, and the desk
keeps that as timers. With the pace `manual` it only opens tickets, and waits for events from
outside.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from supplier_api.problems.codes import ResolutionCode, ResolutionStatus
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Base, Waiting
from supplier_api.problems.work import (
    BackOfficeEvent,
    LaterEvent,
    OrderAnswer,
    OrderKind,
    WorkOrder,
)
from supplier_api.settings.model import BackOffice as BackOfficeSettings

MANUAL = "manual"
TESTED = {"note": "The line was tested remotely; an engineer is on the way."}
REPAIRED: Mapping[str, Any] = {
    "resolutionCode": ResolutionCode.NETWORK_CABLING,
    "resolutionText": "A corroded joint in the street cabinet was replaced; the line is stable.",
    "supplierCodes": ["R9"],
    "faultCode": ["CORRODED_JOINT"],
}

Step = tuple[float, Event, Mapping[str, Any]]
# Seconds after the order, at a pace of 1.
WORK: tuple[Step, ...] = (
    (2, Event.START, {}),
    (5, Event.NOTE, {"note": TESTED}),
    (8, Event.RESOLVE, {"resolution": REPAIRED}),
)
TIMETABLE: Mapping[str, tuple[Step, ...]] = {
    Base.UNDECIDED: ((1, Event.ACCEPT, {}), *WORK),
    Base.ACKNOWLEDGED: WORK,
    Base.IN_PROGRESS: WORK[1:],
    Waiting.NETWORK_INCIDENT: ((1, Event.RESUME, {}), *WORK),
}
REPAIR_AGAIN: tuple[Step, ...] = ((3, Event.NOTE, {"note": TESTED}), *WORK[2:])
DECISION = 2.0


class SimulatedBackOffice:
    """Plays the supplier's fault desk."""

    def __init__(self, settings: BackOfficeSettings) -> None:
        """Work at the pace of the settings: a factor on every step's time, or `manual`."""
        self._pace = settings.pace

    def submit(self, order: WorkOrder) -> OrderAnswer:
        """Open a ticket and say what will be done about it, and when."""
        steps = () if self._pace == MANUAL else _steps(order)
        return OrderAnswer(
            back_office_id=f"TICKET-{order.id[:8].upper()}",
            later=tuple(self._later(order, number, step) for number, step in enumerate(steps)),
        )

    def _later(self, order: WorkOrder, number: int, step: Step) -> LaterEvent:
        after, event, details = step
        assert not isinstance(self._pace, str)  # a manual desk has no steps
        return LaterEvent(
            timedelta(seconds=after * self._pace),
            BackOfficeEvent(id=f"{order.id}/{number}", event=event, **details),
        )


def _steps(order: WorkOrder) -> tuple[Step, ...]:
    if order.kind is OrderKind.PROBLEM:
        return TIMETABLE.get(order.standing, ())
    if order.subject is None:
        return ()
    if order.kind is OrderKind.RESOLUTION_ANSWER:
        rejected = order.subject["status"] == ResolutionStatus.REJECTED
        return REPAIR_AGAIN if rejected else ()
    if order.decide:
        decided = {"change_reference": order.subject["supplierReference"]}
        return ((DECISION, Event.ACCEPT_CHANGE, decided),)
    return ()
