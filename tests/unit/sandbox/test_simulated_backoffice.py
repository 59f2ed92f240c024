"""What the back office does about an order that comes with a scenario, and when."""

from typing import Any

import pytest

from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Base, Waiting
from supplier_api.problems.work import RESOLUTION_ANSWER, LaterEvent, OrderKind, WorkOrder
from supplier_api.rules.model import Operation
from supplier_api.sandbox.scenarios.choice import read_scenario
from supplier_api.sandbox.simulated_backoffice import timetable

AMENDMENT = {"id": 7, "supplierReference": "SP_CHANGE0001", "status": "PENDING"}


def planned(
    kind: OrderKind, *names: str, pace: float = 1.0, **changes: Any
) -> tuple[LaterEvent, ...]:
    """Return what is done about an order of a request that chose the scenarios of these names."""
    plays = [play for name in names if (play := read_scenario(name))]
    chosen = {str(play.scenario.kind): play.plain() for play in plays}
    order = WorkOrder(
        **{
            "id": "3456cf7d",
            "kind": kind,
            "tenant": "TENANT1",
            "reference": "SP_0123456789",
            "issued": "2026-01-05T12:00:00.000Z",
            "standing": Base.ACKNOWLEDGED,
            "decide": False,
            "problem": {"id": 7},
            **changes,
        }
    )
    return timetable(order, chosen, pace)


def problem(name: str, standing: str = Base.ACKNOWLEDGED) -> tuple[LaterEvent, ...]:
    """Return what is done about a problem at the pace of 1."""
    return planned(Operation.PROBLEM, name, standing=standing)


def events(later: tuple[LaterEvent, ...]) -> list[str]:
    """Return the names of the events."""
    return [str(each.event.event) for each in later]


def seconds(later: tuple[LaterEvent, ...]) -> list[float]:
    """Return when they are said."""
    return [each.after.total_seconds() for each in later]


def test_a_delay_is_the_time_to_the_first_step_and_between_any_two() -> None:
    name = "SERVICE_PROBLEM_DELAYED?delay=30"

    assert seconds(problem(name)) == [30.0, 60.0, 90.0, 120.0]
    assert planned(Operation.PROBLEM, name, pace=0.1) == problem(name)


def test_without_a_delay_the_back_offices_own_pace_holds() -> None:
    own = problem("SERVICE_PROBLEM_DELAYED")
    fast = planned(Operation.PROBLEM, "SERVICE_PROBLEM_DELAYED", pace=0.5)

    assert seconds(fast) == [each / 2 for each in seconds(own)]


def test_steps_are_repeated_as_often_as_is_asked() -> None:
    held = ["hold", "resume"]

    assert events(problem("SERVICE_PROBLEM_DELAYED?steps=2")) == ["start", *held, *held, "resolve"]
    several = problem("SERVICE_PROBLEM_SUCCESSFUL?also=WARNING,ADDITIONAL,REAPPOINTED&steps=2")
    told = ["warn", "note", "reappointed"]
    assert events(several) == ["start", *told, *told, "resolve"]
    assert len({each.event.id for each in several}) == len(several)


def test_codes_and_texts_are_those_that_were_asked_for() -> None:
    _, cancel = problem("SERVICE_PROBLEM_CANCELLED?problemCode=COST_ISSUE&text=Too+dear")
    *_, resolve = problem("SERVICE_PROBLEM_DELAYED?resolutionCode=OTHER&resolutionText=Done")

    assert (cancel.event.problem_code, cancel.event.text) == ("COST_ISSUE", "Too dear")
    assert resolve.event.resolution
    assert resolve.event.resolution["resolutionCode"] == "OTHER"
    assert resolve.event.resolution["resolutionText"] == "Done"


@pytest.mark.parametrize(
    ("standing", "opening"),
    [
        (Base.UNDECIDED, ["accept", "start"]),
        (Base.ACKNOWLEDGED, ["start"]),
        (Base.IN_PROGRESS, []),
        (Waiting.NETWORK_INCIDENT, ["resume", "start"]),
    ],
)
def test_work_begins_from_where_the_problem_stands(standing: str, opening: list[str]) -> None:
    assert events(problem("SERVICE_PROBLEM_CANCELLED", standing)) == [*opening, "cancel"]


@pytest.mark.parametrize(
    "name",
    ["SERVICE_PROBLEM_ACKNOWLEDGED", "SERVICE_PROBLEM_IN_PROGRESS", "SERVICE_PROBLEM_REJECTED"],
)
def test_what_ends_with_its_answer_needs_no_step(name: str) -> None:
    assert problem(name) == ()


def test_a_problem_that_is_over_is_left_alone() -> None:
    assert problem("SERVICE_PROBLEM_DELAYED", Base.CANCELLED) == ()


@pytest.mark.parametrize(
    ("kind", "name", "event"),
    [
        (Operation.AMENDMENT, "AMENDMENT_PENDING", Event.ACCEPT_CHANGE),
        (Operation.AMENDMENT, "AMENDMENT_PENDING_REJECTED", Event.REJECT_CHANGE),
        (Operation.CANCELLATION, "CANCELLATION_PENDING", Event.ACCEPT_CHANGE),
        (Operation.CANCELLATION, "CANCELLATION_PENDING_REJECTED", Event.REJECT_CHANGE),
    ],
)
def test_an_open_change_is_decided_as_was_asked(kind: OrderKind, name: str, event: Event) -> None:
    (only,) = planned(kind, f"{name}?delay=6", decide=True, subject=AMENDMENT)

    assert only.event.event is event
    assert only.event.change_reference == "SP_CHANGE0001"
    assert only.after.total_seconds() == 6


ASKED = "SERVICE_PROBLEM_PENDING?delay=10"
REAPPOINTED = "SERVICE_PROBLEM_REAPPOINT?delay=10"


@pytest.mark.parametrize(
    ("asked", "amendment", "onward"),
    [
        (ASKED, {"notes": "All of them."}, ["start", "resolve"]),
        (ASKED, {"escalationRequest": True}, []),
        (REAPPOINTED, {"appointmentReservationId": 345}, ["resolve"]),
        (REAPPOINTED, {"notes": "All of them."}, []),
        ("SERVICE_PROBLEM_SUCCESSFUL", {"notes": "All of them."}, []),
    ],
)
def test_work_goes_on_when_the_amendment_answers_the_question(
    asked: str, amendment: dict[str, Any], onward: list[str]
) -> None:
    subject = {**AMENDMENT, "status": "COMPLETED", **amendment}

    assert events(planned(Operation.AMENDMENT, asked, subject=subject)) == onward


def test_an_open_amendment_that_answers_the_question_is_decided_before_work_goes_on() -> None:
    subject = {**AMENDMENT, "notes": "All of them."}

    def said(change: str) -> tuple[LaterEvent, ...]:
        return planned(Operation.AMENDMENT, ASKED, change, decide=True, subject=subject)

    accepted = said("AMENDMENT_PENDING?delay=3")
    assert events(accepted) == ["accept-change", "start", "resolve"]
    assert seconds(accepted) == [3.0, 13.0, 23.0]
    assert events(said("AMENDMENT_PENDING_REJECTED")) == ["reject-change"]


def test_a_rejected_resolution_is_repaired_at_the_scenarios_pace_and_with_its_code() -> None:
    name = "SERVICE_PROBLEM_DELAYED?delay=30&resolutionCode=OTHER&text=No+part"
    subject = {"supplierReference": "SP_RESOLVED01", "status": "REJECTED"}
    later = planned(RESOLUTION_ANSWER, name, subject=subject)

    assert events(later) == ["note", "resolve"]
    assert seconds(later) == [30.0, 60.0]
    assert later[1].event.resolution
    assert later[1].event.resolution["resolutionCode"] == "OTHER"
