"""Work orders that the back office fetches: leased, answered once, and never lost."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.db import UnitOfWork
from supplier_api.http.server import HttpServer
from supplier_api.outbox.pauses import PauseCause, PauseRepository, Scope
from supplier_api.problems.services import BACK_OFFICE
from tests.samples import problem_request
from tests.serving import Caller, served
from tests.supplier import DEFERRED, Supplier, on_sqlite, refusal

PATH = "/back-office/v1/work-orders"
LEASE = 60  # seconds, by default
Order = dict[str, Any]


@pytest.fixture
def more_settings() -> dict[str, str]:
    """Have orders fetched."""
    return {"SUPPLIER_API__BACKOFFICE__ADAPTER": "pull"}


class Office:
    """The back office of a supplier, which fetches its orders."""

    def __init__(self, supplier: Supplier) -> None:
        self.supplier = supplier

    def get(self, query: str = "") -> TestResponse:
        """Ask for orders."""
        return self.supplier.client.get(f"{PATH}{query}", headers=self._headers())

    def fetch(self, query: str = "") -> list[Order]:
        """Fetch the orders that are due."""
        answer = self.get(query)
        assert answer.status_code == 200, answer.get_json()
        return list(answer.get_json()["orders"])

    def send(self, order: Order, **fields: Any) -> TestResponse:
        """Answer an order."""
        body = {"claim": order["claim"], **fields}
        path = f"{PATH}/{order['id']}/answer"
        return self.supplier.client.post(path, json=body, headers=self._headers())

    def take(self, order: Order, **fields: Any) -> None:
        """Answer an order, which must be settled by it."""
        answer = self.send(order, **fields)
        assert (answer.status_code, answer.get_json()["state"]) == (200, "delivered")

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.supplier.token('back-office')}"}


@pytest.fixture
def office(supplier: Supplier) -> Office:
    return Office(supplier)


def test_an_order_is_fetched_once_and_answered_with_a_decision(
    supplier: Supplier, office: Office
) -> None:
    body = problem_request()
    assert supplier.create(body, tenant=DEFERRED).status_code == 202
    (order,) = office.fetch()
    assert (order["kind"], order["decide"]) == ("problem", True)
    assert order["problem"]["id"] == body["id"]
    assert office.fetch() == []

    accept = {"accept": True, "commit": True}
    office.take(order, ticket="INC1", version=7, decision=accept)

    stored = supplier.stored(body["id"], DEFERRED)
    assert (stored.back_office_id, str(stored.state)) == ("INC1", "IN_PROGRESS")
    supplier.machine.advance(2 * LEASE)
    assert office.fetch() == []
    # The answer to it was lost on the way: the same again does nothing more.
    office.take(order, ticket="INC1", version=7, decision=accept)


def test_an_order_that_is_not_answered_comes_again(supplier: Supplier, office: Office) -> None:
    supplier.opened()
    (first,) = office.fetch()
    supplier.machine.advance(LEASE)
    (second,) = office.fetch()
    assert second == {**first, "claim": first["claim"] + 1}

    late = office.send(first, ticket="INC1")
    said = f"claim: {first['claim']} is over, the order was given out again;"
    assert refusal(late)[0] == 409
    assert refusal(late)[2][0].startswith(said)
    office.take(second, ticket="INC2")
    # What is settled is told to whoever asks, with the ticket that counts.
    assert office.send(first, ticket="INC1").get_json()["ticket"] == "INC2"


def test_whoever_fetches_says_how_long_an_order_is_theirs(
    supplier: Supplier, office: Office
) -> None:
    supplier.opened()
    (first,) = office.fetch("?lease=600")
    supplier.machine.advance(599)
    assert office.fetch() == []
    supplier.machine.advance(1)
    (second,) = office.fetch("?lease=5")
    supplier.machine.advance(5)
    (third,) = office.fetch()
    assert [second["claim"], third["claim"]] == [first["claim"] + 1, first["claim"] + 2]


def test_the_answer_counts_after_the_lease_while_nobody_else_has_the_order(
    supplier: Supplier, office: Office
) -> None:
    supplier.opened()
    (order,) = office.fetch()
    supplier.machine.advance(10 * LEASE)
    office.take(order, ticket="INC1")


def test_the_orders_of_a_problem_come_one_after_the_other(
    supplier: Supplier, office: Office
) -> None:
    problem = supplier.opened(id=1)
    other = supplier.opened(id=2, serviceId="SI0000000000102")
    amend = {"id": 101, "notes": "The gate is open."}
    assert supplier.amend(problem.named(amend)).status_code == 201
    first = {order["reference"]: order for order in office.fetch()}
    assert set(first) == {problem.reference, other.reference}
    office.take(first[problem.reference], ticket="INC1")
    (amendment,) = office.fetch()
    assert (amendment["kind"], amendment["ticket"]) == ("amendment", "INC1")
    assert office.fetch("?limit=1") == []


def test_limit_is_a_limit(supplier: Supplier, office: Office) -> None:
    for number in (1, 2, 3):
        supplier.opened(id=number, serviceId=f"SI{number + 100:013}")
    assert [len(office.fetch("?limit=2")) for _ in range(3)] == [2, 1, 0]


def test_a_refused_order_waits_for_an_operator(supplier: Supplier, office: Office) -> None:
    supplier.opened()
    (order,) = office.fetch()
    for _ in range(2):
        assert office.send(order, refused="no such line").get_json()["state"] == "refused"
    assert refusal(office.send(order))[2] == ["orderId: this order is refused already"]
    supplier.machine.advance(2 * LEASE)
    assert office.fetch() == []


def test_an_answer_that_cannot_be_applied_settles_nothing(
    supplier: Supplier, office: Office
) -> None:
    assert supplier.create(problem_request(), tenant=DEFERRED).status_code == 202
    (order,) = office.fetch()
    refused = {"accept": False, "text": "Not ours."}
    wrong = office.send(order, decision=refused)
    assert refusal(wrong)[::2] == (422, ["problemCode: missing; reject must carry it"])
    soon = office.send(order, version="soon")
    assert refusal(soon)[::2] == (422, ["version: expected a whole number, or a date-time"])
    office.take(order, decision={**refused, "problemCode": "OTHER"}, version="2026-01-05T12:00:00Z")
    assert str(supplier.stored(order["problem"]["id"], DEFERRED).state) == "REJECTED"


def test_what_an_operator_holds_up_is_not_given_out(supplier: Supplier, office: Office) -> None:
    supplier.opened()
    now = supplier.machine.now()

    def pause(uow: UnitOfWork) -> None:
        PauseRepository(uow).begin(
            PauseCause.OPERATOR, Scope(BACK_OFFICE), reason="moving", who="me", since=now
        )

    supplier.services.store.write(pause)
    assert office.fetch() == []


def test_what_is_wrong_is_said(supplier: Supplier, office: Office) -> None:
    supplier.opened()
    (order,) = office.fetch()
    assert supplier.client.get(PATH).status_code == 401
    for query, text in (
        ("?limit=0", "limit: expected a whole number from 1 to 100"),
        ("?wait=61", "wait: expected a whole number from 0 to 60"),
        ("?lease=3601", "lease: expected a whole number from 1 to 3600"),
        ("?cursor=1", "cursor: unknown; expected one of limit, wait, lease"),
    ):
        assert refusal(office.get(query))[::2] == (422, [text])
    unknown = office.send({**order, "id": "x"})
    assert refusal(unknown)[::2] == (404, ["orderId: no such work order"])
    missing = supplier.client.post(
        f"{PATH}/{order['id']}/answer",
        json={},
        headers={"Authorization": f"Bearer {supplier.token('back-office')}"},
    )
    assert refusal(missing)[::2] == (400, ["claim: missing"])


def test_a_misspelt_key_settles_nothing(supplier: Supplier, office: Office) -> None:
    assert supplier.create(problem_request(), tenant=DEFERRED).status_code == 202
    (order,) = office.fetch()
    known = "claim, ticket, url, version, decision, refused"
    misspelt = office.send(order, tickett="FD-1")
    assert refusal(misspelt)[::2] == (422, [f"tickett: unknown; expected one of {known}"])
    decided = office.send(order, ticket="FD-1", decision={"accept": True, "comit": True})
    known = "accept, commit, problemCode, text, supplierCodes"
    assert refusal(decided)[::2] == (422, [f"decision.comit: unknown; expected one of {known}"])
    office.take(order, ticket="FD-1", decision={"accept": True})
    assert supplier.stored(23467, DEFERRED).back_office_id == "FD-1"


@pytest.mark.parametrize("more_settings", [{}], ids=["simulated"])
@on_sqlite
def test_where_orders_are_sent_none_can_be_fetched(supplier: Supplier, office: Office) -> None:
    supplier.opened()
    assert refusal(office.get())[0] == 409
    assert refusal(office.send({"id": "x", "claim": 1}))[0] == 409


# -- waiting


@pytest.fixture
def listening(
    app: Flask, clocks: tuple[ManualMachineClock, ManualBusinessClock, Any]
) -> Iterator[HttpServer]:
    """Serve the supplier with one thread, on the tests' clock.

    It leaps while requests are in the queue, where they may be as long.
    """
    with served(app, clocks[0], threads=1, room=8, patience=60.0) as server:
        yield server


def test_a_fetch_waits_and_holds_no_thread(
    supplier: Supplier, office: Office, listening: HttpServer
) -> None:
    token = f"Authorization: Bearer {supplier.token('back-office')}"
    callers = [Caller(listening.address[1]) for _ in range(3)]
    waiting, other, third = callers
    with closing(waiting), closing(other), closing(third):
        waiting.send(f"GET {PATH}?wait=30 HTTP/1.1", "Host: supplier", token, "")
        third.send(f"GET {PATH}?wait=30 HTTP/1.1", "Host: supplier", token, "")
        # The only thread is free for others meanwhile.
        other.send("GET /back-office/v1/incidents HTTP/1.1", "Host: supplier", token, "")
        assert other.answer()[0] == 200
        assert not waiting.is_answered(0)
        supplier.opened()
        first, last = _in_order(waiting, third)
        assert len(json.loads(first.answer()[2])["orders"]) == 1
        supplier.machine.advance(31)
        assert json.loads(last.answer()[2]) == {"orders": []}
    assert office.fetch() == []


def _in_order(one: Caller, other: Caller) -> tuple[Caller, Caller]:
    """Return the caller that is answered first, and the other."""
    while True:
        if one.is_answered(0.05):
            return one, other
        if other.is_answered(0.05):
            return other, one


def test_who_hangs_up_while_waiting_is_given_nothing(
    supplier: Supplier, office: Office, listening: HttpServer
) -> None:
    token = f"Authorization: Bearer {supplier.token('back-office')}"
    with closing(Caller(listening.address[1])) as waiting:
        waiting.send(f"GET {PATH}?wait=30 HTTP/1.1", "Host: supplier", token, "")
        waiting.stop_sending()
        assert json.loads(waiting.answer()[2]) == {"orders": []}
    supplier.opened()
    assert len(office.fetch()) == 1


def test_who_waits_is_answered_when_the_server_stops(
    supplier: Supplier, listening: HttpServer
) -> None:
    token = f"Authorization: Bearer {supplier.token('back-office')}"
    with closing(Caller(listening.address[1])) as waiting:
        waiting.send(f"GET {PATH}?wait=30 HTTP/1.1", "Host: supplier", token, "")
        assert not waiting.is_answered(0.2)
        listening.stop()
        status, headers, body = waiting.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert json.loads(body) == {"orders": []}
