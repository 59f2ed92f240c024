"""The back office's door: what a ticket is now, and what follows of it."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from supplier_api.problems.ticket_repository import count_apart
from tests.supplier import DEFERRED, REPAIRED, Problem, Supplier, refusal

HELD = {"state": "HELD", "problemCode": "ACCESS_ISSUE"}


def put(
    supplier: Supplier, name: str, version: Any = 1, *, tag: str | None = None, **fields: Any
) -> TestResponse:
    """Say what the ticket T-1 of a problem is; `tag` goes as If-Match."""
    token = {"Authorization": f"Bearer {supplier.token('back-office')}"}
    return supplier.client.put(
        f"/back-office/v1/problems/{name}/snapshot",
        json={"ticket": "T-1", "version": version} | fields,
        headers=token | ({"If-Match": tag} if tag else {}),
    )


def known(supplier: Supplier, **opened: Any) -> Problem:
    """Raise a problem of which the back office has been told."""
    problem = supplier.opened(**opened)
    supplier.deliver_orders()
    return problem


def test_a_ticket_is_followed_from_its_start_to_its_end(supplier: Supplier) -> None:
    problem = known(supplier)
    course: list[tuple[dict[str, Any], str]] = [
        ({"state": "IN_PROGRESS"}, "IN_PROGRESS"),
        (HELD, "HELD"),
        ({"state": "RESOLVED", "resolution": REPAIRED}, "RESOLVED"),
        ({"state": "COMPLETED"}, "COMPLETED"),
    ]
    for version, (fields, status) in enumerate(course, 1):
        answer = put(supplier, problem.reference, version, **fields)
        assert answer.status_code == 200, answer.get_json()
        expected = {"reference": problem.reference, "status": status, "result": "applied"}
        assert answer.get_json() == expected
        assert answer.headers["ETag"] == f'"{supplier.stored(23467).version}"'
    assert supplier.told(problem) == [
        "1 COMMITTED/IN_PROGRESS",
        "2 DELAY/HELD",
        "3 RESOLVED/RESOLVED",
        "4 COMPLETED/COMPLETED",
    ]
    assert supplier.stored(23467).back_office_id == "T-1"


def test_a_snapshot_that_comes_again_or_late_does_nothing(supplier: Supplier) -> None:
    problem = known(supplier)
    put(supplier, problem.reference, "2026-01-05T12:00:00.000Z", **HELD)

    again = put(supplier, "T-1", "2026-01-05T12:00:00.000Z", **HELD)
    late = put(supplier, "23467", "2026-01-05T11:59:00.000Z", state="ACKNOWLEDGED")
    same = put(supplier, "T-1", "2026-01-05T12:01:00.000Z", **HELD)

    results = [each.get_json()["result"] for each in (again, late, same)]
    assert results == ["old", "old", "nothing"]
    assert supplier.told(problem) == ["1 DELAY/HELD"]


def test_a_snapshot_for_another_version_does_nothing(supplier: Supplier) -> None:
    problem = known(supplier)
    seen = f'"{supplier.stored(23467).version}"'
    done = put(supplier, problem.reference, 1, tag=seen, state="IN_PROGRESS")
    assert done.get_json()["result"] == "applied"
    now = done.headers["ETag"]
    assert now != seen

    for tag in (seen, f"W/{now}", '"x"'):
        stale = put(supplier, problem.reference, 2, tag=tag, **HELD)
        assert stale.status_code == 412
        body = stale.get_json()
        assert "If-Match: the problem has changed" in body["messages"][0]
        assert (body["state"], stale.headers["ETag"]) == ("IN_PROGRESS", now)
        assert "hold" in body["legalEvents"]
    # Whoever has not heard the answer may ask again, as for an event.
    again = put(supplier, problem.reference, 1, tag=seen, state="IN_PROGRESS")
    assert (again.status_code, again.get_json()["result"]) == (200, "old")
    # What was refused for its version may come again: nothing of it was kept.
    held = put(supplier, problem.reference, 2, tag=f"{seen}, {now}", **HELD)
    assert held.get_json()["result"] == "applied"
    ended = put(supplier, problem.reference, 3, tag="*", state="IN_PROGRESS")
    assert ended.get_json()["result"] == "applied"
    assert supplier.services.store.read(count_apart) == 0


def test_what_cannot_be_followed_is_refused_and_apart_until_it_fits(supplier: Supplier) -> None:
    problem = known(supplier)

    refused = put(supplier, problem.reference, 1, state="HELD")

    status, code, messages = refusal(refused)
    assert (status, code) == (409, "INVALID_REQUEST")
    told = "problemCode: missing; hold must carry it"
    assert messages == [f"state: cannot be followed, and the ticket is apart: {told}"]
    assert supplier.services.store.read(count_apart) == 1
    assert supplier.told(problem) == []
    assert put(supplier, problem.reference, 1, **HELD).status_code == 200
    assert supplier.services.store.read(count_apart) == 0


def test_a_snapshot_waits_for_our_own_orders(supplier: Supplier) -> None:
    problem = supplier.opened()

    waits = put(supplier, problem.reference, **HELD)

    assert refusal(waits)[0] == 409
    assert "under way" in waits.get_json()["messages"][0]
    supplier.deliver_orders()
    assert put(supplier, problem.reference, **HELD).status_code == 200


def test_a_change_is_decided_by_its_ticket(supplier: Supplier) -> None:
    problem = known(supplier, tenant=DEFERRED)
    body = {"id": 9, "serviceProblemId": problem.id, "notes": "Ring twice."}
    change = supplier.amend(body, tenant=DEFERRED).get_json()["supplierReference"]
    supplier.deliver_orders()

    answer = put(supplier, change, decision="accept-change")

    assert answer.get_json()["result"] == "applied"
    assert supplier.told(problem)[-1].endswith("AMENDED/ACKNOWLEDGED")


def test_a_ticket_of_another_problem_is_refused(supplier: Supplier) -> None:
    one = known(supplier, id=1, serviceId="SI0000000000101")
    two = known(supplier, id=2, serviceId="SI0000000000102")
    put(supplier, one.reference, **HELD)

    status, _, messages = refusal(put(supplier, two.reference, 2, **HELD))

    assert (status, messages[0].partition(":")[0]) == (422, "ticket")
    assert supplier.told(two) == []


def test_a_ticket_that_is_named_by_mistake_stays_that_of_its_own_problem(
    supplier: Supplier,
) -> None:
    """A wrong number takes no ticket, and its version is none of that ticket's."""
    one = known(supplier, id=1, serviceId="SI0000000000101")
    two = known(supplier, id=2, serviceId="SI0000000000102")
    assert put(supplier, one.reference, 7, ticket="T-1", **HELD).status_code == 200

    mistaken = put(supplier, one.reference, 99, ticket="T-2", **HELD)
    assert refusal(mistaken)[0] == 409
    assert "has the ticket T-1 already" in mistaken.get_json()["messages"][0]
    answer = put(supplier, two.reference, 5, ticket="T-2", **HELD)

    assert (answer.status_code, answer.get_json()["result"]) == (200, "applied")
    assert supplier.services.store.read(count_apart) == 0
    again = put(supplier, one.reference, 100, ticket="T-3", **HELD)
    assert put(supplier, one.reference, 100, ticket="T-3", **HELD).status_code == 409
    assert refusal(again)[0] == 409


@pytest.mark.parametrize(
    ("fields", "status", "path"),
    [
        ({}, 422, "state"),
        ({"state": "SLEEPING"}, 422, "state"),
        ({"decision": "start"}, 422, "decision"),
        ({"state": "HELD", "version": "soon"}, 422, "version"),
        ({"state": "HELD", "version": -1}, 422, "version"),
        ({"state": "HELD", "version": "inf"}, 422, "version"),
        ({"state": "HELD", "version": None}, 400, "version"),
        ({"state": "HELD", "version": True}, 400, "version"),
        ({"state": "HELD", "version": 1.5}, 400, "version"),
        ({"state": "HELD", "text": ""}, 422, "text"),
    ],
)
def test_what_is_wrong_is_named(
    supplier: Supplier, fields: dict[str, Any], status: int, path: str
) -> None:
    problem = known(supplier)
    answered, _, messages = refusal(put(supplier, problem.reference, **fields))
    assert answered == status
    assert {message.split(": ")[0] for message in messages} == {path}
    if path == "version":
        assert "a whole number, or a date-time" in messages[0]


def test_the_door_knows_its_callers_and_its_problems(supplier: Supplier) -> None:
    assert refusal(put(supplier, "SP_UNKNOWN01", **HELD))[:2] == (404, "NOT_FOUND")
    answer = supplier.client.put("/back-office/v1/problems/SP_UNKNOWN01/snapshot", json={})
    assert refusal(answer)[:2] == (401, "NOT_AUTHORISED")
