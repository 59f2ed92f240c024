"""Makes a scenario the back office's answer to a work order: what it will say, and when."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from supplier_api.contract.codes import ResolutionStatus
from supplier_api.problems.lifecycle import Event, settled_by
from supplier_api.problems.model import Base
from supplier_api.problems.work import (
    BackOfficeEvent,
    LaterEvent,
    WorkOrder,
)
from supplier_api.rules.model import Operation
from supplier_api.sandbox.scenarios.catalogue import BY_NAME, DEFAULT, recall
from supplier_api.sandbox.scenarios.model import Play, ScenarioKind, Step
from supplier_api.sandbox.scenarios.plans import OPENING

# Seconds to the first step and between any two, at a pace of 1: nine or so to a resolution.
FIRST = 2.0
BETWEEN = 2.5
# What still holds when the tenant does not take a problem for resolved.
STILL = ("delay", "resolutionCode", "resolutionText")
ACCEPT_LATER = {
    Operation.AMENDMENT: BY_NAME["AMENDMENT_PENDING"],
    Operation.CANCELLATION: BY_NAME["CANCELLATION_PENDING"],
}


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
    problem = recall(chosen.get(ScenarioKind.PROBLEM)) or Play(DEFAULT)
    steps: tuple[Step, ...] = ()
    if order.kind is Operation.PROBLEM:
        if order.standing in OPENING:
            steps = problem.scenario.steps(problem, order.standing)
    elif order.subject is None:
        return
    elif not isinstance(order.kind, Operation):  # the answer to a resolution
        if order.subject["status"] == ResolutionStatus.REJECTED:
            problem = Play(DEFAULT, {k: v for k, v in problem.values.items() if k in STILL})
            steps = DEFAULT.steps(problem, Base.IN_PROGRESS)
    else:
        change = recall(chosen.get(order.kind)) or Play(ACCEPT_LATER[order.kind])
        decision = _decision(order, order.subject, change)
        yield from ((change, step) for step in decision)
        if not any(event is Event.REJECT_CHANGE for event, _ in decision):
            steps = _onward(problem, order.subject)
    yield from ((problem, step) for step in steps)


def _decision(order: WorkOrder, subject: Mapping[str, Any], change: Play) -> tuple[Step, ...]:
    if not order.decide:
        return ()
    about = {"change_reference": subject["supplierReference"]}
    steps = change.scenario.steps(change, order.standing)
    return tuple((event, {**details, **about}) for event, details in steps)


def _onward(problem: Play, amendment: Mapping[str, Any]) -> tuple[Step, ...]:
    """Return how it goes on if the amendment answers what the scenario asked.

    The desk names the problem's scenario with a change only while a question is open.
    """
    onward = problem.scenario.onward
    answered = settled_by([name for name in amendment if name != "status"])
    return onward(problem) if onward and problem.scenario.question in answered else ()
