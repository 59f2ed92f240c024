"""The simulated back office: its answer to each order."""

from datetime import timedelta
from typing import Any, Literal

import pytest

from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Base, Waiting
from supplier_api.problems.work import RESOLUTION_ANSWER, OrderAnswer, OrderKind, WorkOrder
from supplier_api.rules.model import Operation
from supplier_api.sandbox.simulated_backoffice import SimulatedBackOffice
from supplier_api.settings.model import BackOfficeSettings


def desk(pace: float | Literal["manual"] = 1.0) -> SimulatedBackOffice:
    """Return a fault desk of that pace."""
    settings = BackOfficeSettings(adapter="simulated", pace=pace)
    return SimulatedBackOffice(settings, lambda _order: {})


def order(kind: OrderKind, standing: str = Base.ACKNOWLEDGED, **changes: Any) -> WorkOrder:
    """Return a work order."""
    values: dict[str, Any] = {"decide": False, "subject": None, **changes}
    return WorkOrder(
        id="3456cf7d-4471-42e4-a5be-c24ed58a7aa6",
        kind=kind,
        tenant="TENANT1",
        reference="SP_0123456789",
        issued="2026-01-05T12:00:00.000Z",
        standing=standing,
        problem={"id": 7},
        **values,
    )


def planned(answer: OrderAnswer) -> list[tuple[float, Event]]:
    """Return what the desk will say, and after how many seconds."""
    assert answer.events == ()
    return [(each.after / timedelta(seconds=1), each.event.event) for each in answer.later]


@pytest.mark.parametrize(
    ("standing", "events"),
    [
        (Base.UNDECIDED, [Event.ACCEPT, Event.START, Event.NOTE, Event.RESOLVE]),
        (Base.ACKNOWLEDGED, [Event.START, Event.NOTE, Event.RESOLVE]),
        (Base.IN_PROGRESS, [Event.NOTE, Event.RESOLVE]),
        (Waiting.NETWORK_INCIDENT, [Event.RESUME, Event.START, Event.NOTE, Event.RESOLVE]),
        (Base.CANCELLED, []),
    ],
)
def test_a_problem_is_worked_to_its_resolution_from_where_it_stands(
    standing: str, events: list[Event]
) -> None:
    steps = planned(desk().submit(order(Operation.PROBLEM, standing)))

    assert [event for _, event in steps] == events
    times = [after for after, _ in steps]
    assert times == sorted(set(times))
    assert all(0 < after <= 10 for after in times)


def test_a_resolution_says_what_was_done() -> None:
    *_, last = desk().submit(order(Operation.PROBLEM)).later

    assert last.event.resolution
    assert last.event.resolution["resolutionCode"] == "NETWORK_CABLING"


def test_the_pace_stretches_every_step() -> None:
    once = planned(desk(1.0).submit(order(Operation.PROBLEM)))
    twice = planned(desk(2.0).submit(order(Operation.PROBLEM)))

    assert twice == [(2 * after, event) for after, event in once]


def test_a_manual_desk_opens_a_ticket_and_waits() -> None:
    answer = desk("manual").submit(order(Operation.PROBLEM))

    assert answer == OrderAnswer(back_office_id="TICKET-C24ED58A7AA6")


def test_the_same_order_gets_the_same_answer() -> None:
    again = order(Operation.PROBLEM)

    assert desk().submit(again) == desk().submit(again)


@pytest.mark.parametrize("kind", [Operation.AMENDMENT, Operation.CANCELLATION])
def test_a_change_that_waits_for_a_decision_is_accepted(kind: OrderKind) -> None:
    subject = {"supplierReference": "SP_CHANGE0001", "status": "PENDING"}
    (only,) = desk().submit(order(kind, decide=True, subject=subject)).later

    assert only.event.event is Event.ACCEPT_CHANGE
    assert only.event.change_reference == "SP_CHANGE0001"


@pytest.mark.parametrize("kind", [Operation.AMENDMENT, Operation.CANCELLATION])
def test_a_change_that_is_done_needs_nothing(kind: OrderKind) -> None:
    subject = {"supplierReference": "SP_CHANGE0001", "status": "COMPLETED"}

    assert planned(desk().submit(order(kind, subject=subject))) == []


@pytest.mark.parametrize(
    ("status", "events"),
    [("ACCEPTED", []), ("REJECTED", [Event.NOTE, Event.RESOLVE])],
)
def test_a_rejected_resolution_is_worked_on_again(status: str, events: list[Event]) -> None:
    subject = {"supplierReference": "SP_RESOLVED01", "status": status}
    again = desk().submit(order(RESOLUTION_ANSWER, subject=subject))

    assert [event for _, event in planned(again)] == events
