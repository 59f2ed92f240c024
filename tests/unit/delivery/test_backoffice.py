"""Work orders passed to an adapter."""

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from supplier_api.backoffice.port import OrderRefused, TryLater
from supplier_api.clock import ManualMachineClock
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.delivery.transports import BackOfficeTransport
from supplier_api.outbox.model import Message
from supplier_api.problems.work import OrderAnswer, WorkOrder
from supplier_api.rules.model import Operation

ORDER = WorkOrder(
    id="7b0ea0ef-0000-4000-8000-000000000001",
    kind=Operation.PROBLEM,
    tenant="TENANT1",
    reference="SP_0000000001",
    issued="2026-01-05T12:00:00.000Z",
    standing="UNDECIDED",
    decide=True,
    problem={"id": 1, "problemText": "MARKER"},
)
MESSAGE = Message(
    id=1,
    lane_id=1,
    problem_id=1,
    tenant="TENANT1",
    destination="back-office",
    number=1,
    uuid=ORDER.id,
    kind=ORDER.kind,
    subject=None,
    conversation_id="conversation-1",
    gateway_id=1,
    reference="SP_7K2M9QX4TD",
    body=ORDER.to_body(),
    body_version=1,
    not_before=None,
    attempts=0,
    first_attempt=None,
    unknown=False,
    log=[],
)


class Adapter:
    """Answers, or raises what it was given."""

    def __init__(self, ending: OrderAnswer | Exception) -> None:
        self.ending = ending
        self.orders: list[WorkOrder] = []

    def submit(self, order: WorkOrder) -> OrderAnswer:
        self.orders.append(order)
        if isinstance(self.ending, Exception):
            raise self.ending
        return self.ending


def test_the_adapter_gets_the_order_and_the_reply_carries_its_answer() -> None:
    adapter = Adapter(OrderAnswer(back_office_id="T-1"))
    reply = BackOfficeTransport(adapter).send(MESSAGE, 30)

    assert adapter.orders == [ORDER]
    assert reply == Reply(Meaning.ACCEPTED, "taken", answer=adapter.ending)


@pytest.mark.parametrize(
    ("kind", "tickets"),
    [(Operation.PROBLEM, (None, None)), (Operation.AMENDMENT, ("T-1", "C-1"))],
)
def test_an_order_names_the_tickets_that_there_are(
    kind: Operation, tickets: tuple[str | None, str | None]
) -> None:
    adapter = Adapter(OrderAnswer())
    order = replace(ORDER, kind=kind)
    message = replace(MESSAGE, kind=kind, body=order.to_body())
    BackOfficeTransport(adapter, lambda _message: ("T-1", "C-1")).send(message, 30)

    assert (adapter.orders[0].ticket, adapter.orders[0].change_ticket) == tickets


@pytest.mark.parametrize(("for_people", "said"), [(True, "left to people"), (False, "taken")])
def test_what_is_left_to_people_is_not_called_taken(*, for_people: bool, said: str) -> None:
    answer = OrderAnswer(for_people=for_people)
    reply = BackOfficeTransport(Adapter(answer)).send(MESSAGE, 30)

    assert reply == Reply(Meaning.ACCEPTED, said, answer=answer)


def test_a_refusal_is_for_good() -> None:
    reply = BackOfficeTransport(Adapter(OrderRefused("no such region"))).send(MESSAGE, 30)

    said = {"messages": ["no such region"]}
    assert reply == Reply(Meaning.REFUSED, "refused by the back office", refusal=said)


@pytest.mark.parametrize(
    ("error", "told"),
    [(ConnectionError("MARKER"), "connection error"), (ValueError("MARKER"), "value error")],
)
def test_anything_else_is_tried_again_and_may_have_arrived(error: Exception, told: str) -> None:
    with capture_logs() as logs:
        reply = BackOfficeTransport(Adapter(error)).send(MESSAGE, 30)

    assert reply == Reply(Meaning.FAILED, f"the adapter failed: {told}", unknown=True)
    assert [line["event"] for line in logs] == ["work-order.failed"]


@pytest.mark.parametrize(("returned", "named"), [(None, "NoneType"), ({"ticket": "T-1"}, "dict")])
def test_what_is_no_answer_is_tried_again(returned: Any, named: str) -> None:
    with capture_logs() as logs:
        reply = BackOfficeTransport(Adapter(returned)).send(MESSAGE, 30)

    cause = f"the adapter failed: submit returned {named}, not an OrderAnswer"
    assert reply == Reply(Meaning.FAILED, cause, unknown=True)
    assert [(line["event"], line["cause"]) for line in logs] == [("work-order.failed", cause)]


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("120", 120), ("Mon, 05 Jan 2026 12:01:00 GMT", 60), ("soon", None), (None, None)],
)
def test_the_back_office_may_ask_for_time(retry_after: str | None, seconds: float | None) -> None:
    adapter = Adapter(TryLater("answered 429", retry_after, 429))
    transport = BackOfficeTransport(adapter, clock=ManualMachineClock())

    reply = transport.send(MESSAGE, 30)

    assert reply == Reply(Meaning.FAILED, "answered 429", 429, retry_after=seconds)


@pytest.mark.parametrize(("status", "unknown"), [(None, True), (429, False), (503, True)])
def test_an_order_may_have_arrived_but_where_it_was_turned_away(
    status: int | None, *, unknown: bool
) -> None:
    reply = BackOfficeTransport(Adapter(TryLater("later", None, status))).send(MESSAGE, 30)

    assert reply == Reply(Meaning.FAILED, "later", status, unknown=unknown)
