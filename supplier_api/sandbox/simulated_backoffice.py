"""A back office that is played: it works every problem to its resolution on a timetable.

It holds no state and never waits: its answer to an order says what it will do when, and that is
kept as timers. It plays the scenario that a tester chose with the request. With the pace `manual`
it only opens tickets, and waits for events from outside.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from supplier_api.contract.codes import ResolutionStatus
from supplier_api.problems.lifecycle import Event, settled_by
from supplier_api.problems.model import Base
from supplier_api.problems.work import (
    BackOfficeEvent,
    LaterEvent,
    OrderAnswer,
    WorkOrder,
)
from supplier_api.rules.model import Operation
from supplier_api.sandbox.scenarios.catalogue import BY_NAME, DEFAULT, recall
from supplier_api.sandbox.scenarios.model import OPENING, Play, Step, steps_of
from supplier_api.settings.model import BackOfficeSettings

# Seconds to the first step and between any two, at a pace of 1: nine or so to a resolution.
FIRST = 2.0
BETWEEN = 2.5
# What still holds when the tenant does not take a problem for resolved.
STILL = ("delay", "resolutionCode", "resolutionText")
ACCEPT_LATER = {
    Operation.AMENDMENT: BY_NAME["AMENDMENT_PENDING"],
    Operation.CANCELLATION: BY_NAME["CANCELLATION_PENDING"],
}
Chosen = Callable[[WorkOrder], Mapping[str, Any]]


class SimulatedBackOffice:
    """Plays the supplier's back office."""

    def __init__(self, settings: BackOfficeSettings, chosen: Chosen) -> None:
        """Work at the pace of the settings: a factor on every step's time, or `manual`.

        `chosen` returns what a tester chose with the request that an order comes from, Play.plain
        by kind.
        """
        self._pace = None if settings.pace == "manual" else settings.pace
        self._chosen = chosen

    def submit(self, order: WorkOrder) -> OrderAnswer:
        """Open a ticket and say what will be done about it, and when."""
        later = () if self._pace is None else timetable(order, self._chosen(order), self._pace)
        # The end of the order's id: its beginning is shared by many.
        return OrderAnswer(back_office_id=f"TICKET-{order.id[-12:].upper()}", later=later)


def timetable(order: WorkOrder, chosen: Mapping[str, Any], pace: float) -> tuple[LaterEvent, ...]:
    """Return what the back office will do about an order; `pace` stretches its own times.

    `chosen` is what a tester chose, Play.plain by kind.

    Without a scenario a problem goes the way of the default one, and an open change is accepted.
    """
    later = []
    after = 0.0
    for number, (play, (event, details)) in enumerate(_plan(order, chosen)):
        own_time = BETWEEN if number else FIRST
        after += own_time * pace if play.delay is None else play.delay
        said = BackOfficeEvent(id=f"{order.id}/{number}", event=event, **details)
        later.append(LaterEvent(timedelta(seconds=after), said))
    return tuple(later)


def _plan(order: WorkOrder, chosen: Mapping[str, Any]) -> Iterator[tuple[Play, Step]]:
    """Yield each step with the play that it belongs to, and whose times it keeps."""
    problem = recall(chosen.get(Operation.PROBLEM)) or Play(DEFAULT)
    steps: tuple[Step, ...] = ()
    if order.kind is Operation.PROBLEM:
        if order.standing in OPENING:
            steps = steps_of(problem, problem.scenario.plan, order.standing)
    elif order.subject is None:
        return
    elif not isinstance(order.kind, Operation):  # the answer to a resolution
        if order.subject["status"] == ResolutionStatus.REJECTED:
            problem = Play(DEFAULT, {k: v for k, v in problem.values.items() if k in STILL})
            steps = steps_of(problem, DEFAULT.plan, Base.IN_PROGRESS)
    else:
        change = recall(chosen.get(order.kind)) or Play(ACCEPT_LATER[order.kind])
        decision = _decision(order, order.subject, change)
        yield from ((change, step) for step in decision)
        if not any(event is Event.REJECT_CHANGE for event, _ in decision):
            steps = _onward(problem, order, order.subject)
    yield from ((problem, step) for step in steps)


def _decision(order: WorkOrder, subject: Mapping[str, Any], change: Play) -> tuple[Step, ...]:
    if not order.decide:
        return ()
    about = {"change_reference": subject["supplierReference"]}
    steps = steps_of(change, change.scenario.plan, order.standing)
    return tuple((event, {**details, **about}) for event, details in steps)


def _onward(problem: Play, order: WorkOrder, amendment: Mapping[str, Any]) -> tuple[Step, ...]:
    """Return how it goes on if the amendment answers what the scenario asked.

    A work order names the problem's scenario with a change only while a question is open.
    """
    scenario = problem.scenario
    answered = settled_by([name for name in amendment if name != "status"])
    if scenario.question not in answered:
        return ()
    return steps_of(problem, scenario.onward, order.standing)
