"""The back office's door: every event over HTTP, and every answer that it gives."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from werkzeug.test import TestResponse

from supplier_api.problems.lifecycle import BACK_OFFICE_EVENTS
from supplier_api.problems.parts_repository import BackOfficeEventRepository
from tests.samples import cancellation_request, problem_request
from tests.supplier import DEFERRED, REPAIRED, Problem, Supplier, on_sqlite, refusal

CODE = {"problemCode": "ACCESS_ISSUE"}
TEXT = {"text": "The cabinet cannot be reached before noon."}
RESOLVE = ("resolve", {"resolution": REPAIRED})
Said = tuple[str, dict[str, Any]]


def undecided(supplier: Supplier) -> Problem:
    """Raise a problem that is left open."""
    assert supplier.create(problem_request(), tenant=DEFERRED).status_code == 202
    return Problem(23467, supplier.stored(23467, DEFERRED).reference, DEFERRED)


def said(supplier: Supplier, name: str | int, *events: Said) -> TestResponse:
    """Say events one after the other; return the answer to the last."""
    answers = [supplier.event(name, event, **fields) for event, fields in events]
    assert all(answer.status_code == 200 for answer in answers[:-1])
    return answers[-1]


# Event, what was said before, what it carries, the status after it and the KCIs it makes.
COURSES: list[tuple[str, Sequence[Said], dict[str, Any], str, list[str]]] = [
    ("start", [], {}, "IN_PROGRESS", ["COMMITTED/IN_PROGRESS"]),
    ("hold", [], CODE, "HELD", ["DELAY/HELD"]),
    ("resume", [("hold", CODE)], {}, "ACKNOWLEDGED", ["RESUMED/ACKNOWLEDGED"]),
    ("ask-information", [], CODE | TEXT, "PENDING", ["INFORMATION_REQUIRED/PENDING"]),
    ("ask-appointment", [], CODE, "PENDING", ["REAPPOINT/PENDING"]),
    (
        "reappointed",
        [("ask-appointment", CODE)],
        {},
        "ACKNOWLEDGED",
        ["REAPPOINTED/ACKNOWLEDGED"],
    ),
    ("note", [], {"note": "Joint replaced."}, "ACKNOWLEDGED", ["UPDATE/ACKNOWLEDGED"]),
    ("note", [], TEXT, "ACKNOWLEDGED", ["ADDITIONAL/ACKNOWLEDGED"]),
    ("warn", [], CODE, "ACKNOWLEDGED", ["WARNING/ACKNOWLEDGED"]),
    ("resolve", [], {"resolution": REPAIRED}, "RESOLVED", ["RESOLVED/RESOLVED"]),
    ("complete", [RESOLVE], {}, "COMPLETED", ["COMPLETED/COMPLETED"]),
    ("reopen", [RESOLVE], TEXT, "IN_PROGRESS", ["RESUMED/IN_PROGRESS"]),
    ("cancel", [], CODE, "CANCELLED", ["CANCELLED/CANCELLED"]),
]
DECISIONS: list[tuple[str, dict[str, Any], str, list[str]]] = [
    ("accept", {}, "ACKNOWLEDGED", ["ACKNOWLEDGED/ACKNOWLEDGED"]),
    (
        "accept",
        {"commit": True},
        "IN_PROGRESS",
        ["ACKNOWLEDGED/ACKNOWLEDGED", "COMMITTED/IN_PROGRESS"],
    ),
    ("reject", CODE | TEXT, "REJECTED", ["REJECTED/REJECTED"]),
    ("cancel", CODE, "CANCELLED", ["CANCELLED/CANCELLED"]),
]


def without_numbers(told: list[str]) -> list[str]:
    return [line.partition(" ")[2] for line in told]


@pytest.mark.parametrize(
    ("event", "before", "fields", "status", "kcis"),
    COURSES,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_event_moves_the_problem_and_is_told(
    supplier: Supplier,
    event: str,
    before: Sequence[Said],
    fields: dict[str, Any],
    status: str,
    kcis: list[str],
) -> None:
    problem = supplier.opened()
    answer = said(supplier, problem.reference, *before, (event, fields))
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert answer.get_json() == {"reference": problem.reference, "status": status}
    assert without_numbers(supplier.told(problem))[len(before) :] == kcis
    told = supplier.kcis(problem)[-1]
    for name in ("problemCode", "text"):
        assert told.get(name) == fields.get(name)


@pytest.mark.parametrize(
    ("event", "fields", "status", "kcis"),
    DECISIONS,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_undecided_problem_is_decided(
    supplier: Supplier, event: str, fields: dict[str, Any], status: str, kcis: list[str]
) -> None:
    problem = undecided(supplier)
    answer = supplier.event(problem.reference, event, **fields)
    assert (answer.status_code, answer.get_json()["status"]) == (200, status)
    assert without_numbers(supplier.told(problem)) == kcis


@pytest.mark.parametrize("event", ["accept-change", "reject-change"])
@pytest.mark.parametrize("kind", ["amendment", "cancellation"])
def test_a_change_is_decided(supplier: Supplier, kind: str, event: str) -> None:
    problem = supplier.opened(tenant=DEFERRED)
    if kind == "amendment":
        body = {"id": 9, "serviceProblemId": problem.id, "notes": "Ring twice."}
        asked = supplier.amend(body, tenant=DEFERRED)
    else:
        asked = supplier.cancel(problem.named(cancellation_request(), id=9), tenant=DEFERRED)
    assert asked.status_code == 202
    supplier.deliver()
    count = len(supplier.told(problem))
    fields = CODE | TEXT if event == "reject-change" else {}
    change = asked.get_json()["supplierReference"]
    answer = supplier.event(problem.reference, event, changeReference=change, **fields)
    assert answer.status_code == 200
    expected = {
        ("amendment", "accept-change"): "AMENDED/ACKNOWLEDGED",
        ("amendment", "reject-change"): "AMENDMENT_REJECTED/ACKNOWLEDGED",
        ("cancellation", "accept-change"): "CANCELLED/CANCELLED",
        ("cancellation", "reject-change"): "CANCELLATION_REJECTED/ACKNOWLEDGED",
    }[kind, event]
    assert without_numbers(supplier.told(problem))[count:] == [expected]
    assert supplier.kcis(problem)[-1][f"serviceProblem{kind.capitalize()}"]["status"] == (
        "COMPLETED" if event == "accept-change" else "REJECTED"
    )
    # Decided once: a second decision comes too late.
    late = supplier.event(problem.reference, event, changeReference=change, **fields)
    assert late.status_code == 409


def test_every_event_is_said_in_these_tests() -> None:
    tried = {event for event, *_ in [*COURSES, *DECISIONS]} | {"accept-change", "reject-change"}
    assert tried == set(BACK_OFFICE_EVENTS)


# -- how a problem is named


def test_a_problem_has_several_names(supplier: Supplier) -> None:
    problem = supplier.opened()
    ticket = {"backOfficeId": "INC0012345", "backOfficeUrl": "https://tickets.example/1"}
    assert supplier.event(problem.reference, "note", **ticket).status_code == 200
    for name in (problem.reference, 23467, "INC0012345"):
        answer = supplier.event(name, "note")
        assert (answer.status_code, answer.get_json()["reference"]) == (200, problem.reference)
    stored = supplier.stored(23467)
    assert stored.back_office_id == "INC0012345"
    assert stored.back_office_url == "https://tickets.example/1"


def test_a_ticket_that_is_named_again_keeps_its_url(supplier: Supplier) -> None:
    problem = supplier.opened()
    ticket = {"backOfficeId": "INC0012345", "backOfficeUrl": "https://tickets.example/1"}
    supplier.event(problem.reference, "note", **ticket)

    supplier.event(problem.reference, "note", backOfficeId="INC0012345")
    assert supplier.stored(23467).back_office_url == "https://tickets.example/1"

    supplier.event(problem.reference, "note", backOfficeId="INC0099999")
    assert supplier.stored(23467).back_office_url is None  # it was another ticket's


def test_a_ticket_may_hold_any_character(supplier: Supplier) -> None:
    problem = supplier.opened()
    ticket = "Fault #7 \u2013 S\u00e3o Paulo"
    supplier.event(problem.reference, "note", backOfficeId=ticket)
    name = "Fault%20%237%20\u2013%20S\u00e3o%20Paulo"
    assert supplier.event(name, "note").get_json()["reference"] == problem.reference


def test_a_change_can_be_named_by_its_gateway_id_or_ticket(supplier: Supplier) -> None:
    problem = supplier.opened(tenant=DEFERRED)
    body = {"serviceProblemId": problem.id, "notes": "Ring twice."}
    for number, change in ((8, "8"), (9, "CHG-9")):
        asked = supplier.amend({"id": number, **body}, tenant=DEFERRED).get_json()
        if change == "CHG-9":
            fields = {"changeReference": asked["supplierReference"], "backOfficeId": change}
            refused = supplier.event(problem.reference, "reject-change", **fields)
            assert refused.status_code == 422
        answer = supplier.event(
            problem.reference,
            "accept-change",
            changeReference=change if change == "8" else asked["supplierReference"],
        )
        assert answer.status_code == 200


def test_a_gateway_id_of_two_tenants_names_no_problem(supplier: Supplier) -> None:
    first = supplier.opened()
    second = supplier.opened(tenant="TENANT2")
    answer = supplier.event(23467, "start")
    told = (
        "reference: stands for 2 problems; expected our own reference:"
        f" {first.reference} of TENANT1, {second.reference} of TENANT2"
    )
    assert refusal(answer) == (422, "INVALID_REQUEST", [told])
    for problem in (first, second):
        assert supplier.told(problem) == []
        assert supplier.event(problem.reference, "start").status_code == 200


UNKNOWN = ["SP_UNKNOWN01", "23468", "9" * 19, "9" * 20, "9" * 5000, "%00", "%C2%B2", "a%2Fb"]


def test_an_unknown_name_is_not_found(supplier: Supplier) -> None:
    supplier.opened()
    for name in UNKNOWN:
        assert refusal(supplier.event(name, "start"))[:2] == (404, "NOT_FOUND")


# -- refusals


def test_an_impossible_event_is_refused_for_good_and_says_what_is_possible(
    supplier: Supplier,
) -> None:
    problem = supplier.opened()
    answer = supplier.event(problem.reference, "complete", id="EV-1")
    assert answer.status_code == 409
    body = answer.get_json()
    assert body.keys() == {"uuid", "code", "messages", "state", "legalEvents"}
    assert body["code"] == "INVALID_REQUEST"
    assert body["messages"] == ["complete is not possible while the problem is ACKNOWLEDGED"]
    assert body["state"] == "ACKNOWLEDGED"
    expected = ["start", "hold", "ask-information", "ask-appointment", "reappointed", "note"]
    assert body["legalEvents"] == [*expected, "warn", "resolve", "cancel"]

    # Kept: it is the same answer when the event would be possible.
    supplier.event(problem.reference, "resolve", resolution=REPAIRED)
    again = supplier.event(problem.reference, "complete", id="EV-1")
    assert (again.status_code, again.data) == (409, answer.data)
    assert supplier.event(problem.reference, "complete", id="EV-2").status_code == 200
    assert supplier.told(problem) == ["1 RESOLVED/RESOLVED", "2 COMPLETED/COMPLETED"]


def test_what_a_conflict_calls_possible_is_possible(supplier: Supplier) -> None:
    problem = supplier.opened()
    legal = supplier.event(problem.reference, "complete").get_json()["legalEvents"]
    carried = {**CODE, **TEXT, "resolution": REPAIRED}
    for number, event in enumerate(legal, 2):
        other = supplier.opened(id=number, serviceId=f"SI{number + 100:013}")
        assert supplier.event(other.reference, event, **carried).status_code == 200


def test_an_undecided_problem_waits_for_a_decision(supplier: Supplier) -> None:
    problem = undecided(supplier)
    answer = supplier.event(problem.reference, "start")
    assert answer.status_code == 409
    assert answer.get_json()["legalEvents"] == ["accept", "reject", "cancel"]
    assert supplier.told(problem) == []


def test_a_repeat_does_nothing(supplier: Supplier) -> None:
    problem = supplier.opened()
    first = supplier.event(problem.reference, "start", id="EV-1")
    supplier.event(problem.reference, "hold", **CODE)
    again = supplier.event(23467, "start", id="EV-1")
    assert (again.status_code, again.data) == (200, first.data)
    assert supplier.told(problem) == ["1 COMMITTED/IN_PROGRESS", "2 DELAY/HELD"]


def test_an_id_is_good_for_one_event(supplier: Supplier) -> None:
    problem = supplier.opened()
    supplier.event(problem.reference, "start", id="EV-1")
    expected = ["id: EV-1 was used for another event; expected a new id"]
    answer = supplier.event(problem.reference, "note", id="EV-1")
    assert refusal(answer) == (422, "INVALID_REQUEST", expected)
    # Ids are counted within a problem.
    other = supplier.opened(id=2, serviceId="SI0000000000099")
    assert supplier.event(other.reference, "note", id="EV-1").status_code == 200


@on_sqlite
@pytest.mark.parametrize(
    ("event", "fields", "missing"),
    [
        ("hold", {}, ["problemCode"]),
        ("ask-information", {}, ["text", "problemCode"]),
        ("ask-information", CODE, ["text"]),
        ("ask-appointment", TEXT, ["problemCode"]),
        ("warn", {}, ["problemCode"]),
        ("cancel", {}, ["problemCode"]),
        ("resolve", {}, ["resolution"]),
    ],
)
def test_what_the_update_must_carry_is_asked_for(
    supplier: Supplier, event: str, fields: dict[str, Any], missing: list[str]
) -> None:
    problem = supplier.opened()
    status, code, messages = refusal(supplier.event(problem.reference, event, id="EV-1", **fields))
    assert (status, code) == (422, "INVALID_REQUEST")
    assert sorted(messages) == sorted(f"{name}: missing; {event} must carry it" for name in missing)
    assert supplier.told(problem) == []
    # Nothing was kept: the same event, now whole, is taken.
    whole = {**CODE, **TEXT, "resolution": REPAIRED}
    assert supplier.event(problem.reference, event, id="EV-1", **whole).status_code == 200


def test_a_decision_on_a_change_names_the_change(supplier: Supplier) -> None:
    problem = supplier.opened(tenant=DEFERRED)
    body = {"id": 9, "serviceProblemId": problem.id, "notes": "Ring twice."}
    change = supplier.amend(body, tenant=DEFERRED).get_json()["supplierReference"]
    expected = ["changeReference: missing; accept-change must carry it"]
    answer = supplier.event(problem.reference, "accept-change")
    assert refusal(answer) == (422, "INVALID_REQUEST", expected)
    answer = supplier.event(problem.reference, "reject-change", changeReference=change)
    assert refusal(answer)[0] == 422
    answer = supplier.event(problem.reference, "accept-change", changeReference="SP_UNKNOWN01")
    assert answer.status_code == 409
    assert "accept-change" in answer.get_json()["legalEvents"]


def post(supplier: Supplier, body: bytes, **headers: str) -> TestResponse:
    all_headers = {
        "Authorization": f"Bearer {supplier.token('back-office')}",
        "Content-Type": "application/json",
        **headers,
    }
    path = f"/back-office/v1/problems/{supplier.stored(23467).reference}/events"
    return supplier.client.post(path, data=body, headers=all_headers)


@on_sqlite
def test_what_cannot_be_read_is_malformed(supplier: Supplier) -> None:
    problem = supplier.opened()
    good = json.dumps({"id": "EV-1", "event": "start"}).encode()
    for body in (b"", b"[]", good[:-1], b"\xef\xbb\xbf" + good, good.replace(b"EV", b"\\u0000")):
        assert refusal(post(supplier, body))[:2] == (400, "MALFORMED_REQUEST")
    for document, messages in (
        ({}, ["event: missing", "id: missing"]),
        ({"id": 1, "event": "start"}, ["id: expected a string"]),
        ({"id": "EV-1", "event": None}, ["event: expected a string, not null"]),
        ({"id": "EV-1", "event": "accept", "commit": "yes"}, ["commit: expected true or false"]),
        (
            {"id": "EV-1", "event": "resolve", "resolution": {}},
            ["resolution.resolutionCode: missing"],
        ),
    ):
        status, code, told = refusal(post(supplier, json.dumps(document).encode()))
        assert (status, code, sorted(told)) == (400, "MALFORMED_REQUEST", messages)
    assert refusal(post(supplier, good, **{"Content-Type": "text/plain"}))[0] == 400
    too_long = json.dumps({"id": "EV-1", "event": "start", "x": "y" * 262_144}).encode()
    assert refusal(post(supplier, too_long))[:2] == (400, "MALFORMED_REQUEST")
    assert supplier.told(problem) == []


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"id": ""}, "id"),
        ({"id": "x" * 101}, "id"),
        ({"event": "close by silence"}, "event"),
        ({"event": "update"}, "event"),
        ({"problemCode": "access_issue"}, "problemCode"),
        ({"text": ""}, "text"),
        ({"text": "x" * 1001}, "text"),
        ({"supplierCodes": ["x" * 51]}, "supplierCodes[0]"),
        ({"note": ""}, "note.note"),
        ({"backOfficeId": "x" * 101}, "backOfficeId"),
        ({"resolution": {"resolutionCode": "DONE"}}, "resolution.resolutionCode"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_value_is_invalid(supplier: Supplier, fields: dict[str, Any], path: str) -> None:
    supplier.opened()
    answer = post(supplier, json.dumps({"id": "EV-1", "event": "note", **fields}).encode())
    status, code, messages = refusal(answer)
    assert (status, code) == (422, "INVALID_REQUEST")
    assert [message.split(": ")[0] for message in messages] == [path]


@on_sqlite
def test_the_door_needs_a_token_of_the_back_office(supplier: Supplier) -> None:
    supplier.opened()
    body = b'{"id": "EV-1", "event": "start"}'
    answer = post(supplier, body, Authorization="")
    assert refusal(answer)[:2] == (401, "NOT_AUTHORISED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    answer = post(supplier, body, Authorization=f"Bearer {supplier.token()}")
    assert (answer.status_code, answer.data) == (403, b"")
    assert 'scope="back-office"' in answer.headers["WWW-Authenticate"]
    assert post(supplier, body).status_code == 200


def test_a_failure_is_told_in_the_envelope_and_leaves_nothing(
    supplier: Supplier, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = supplier.opened()
    with monkeypatch.context() as patch:
        patch.setattr(BackOfficeEventRepository, "add", lambda *_: 1 / 0)
        answer = supplier.event(problem.reference, "start", id="EV-1")
    assert refusal(answer)[:2] == (500, "SUPPLIER_FAULT")
    assert supplier.told(problem) == []
    assert supplier.event(problem.reference, "start", id="EV-1").status_code == 200


@on_sqlite
def test_the_door_is_described(supplier: Supplier) -> None:
    described = supplier.client.get("/openapi.json").get_json()
    path = described["paths"]["/back-office/v1/problems/{reference}/events"]
    assert path.keys() - {"parameters"} == {"post"}
    expected = {"200", "400", "401", "403", "404", "409", "412", "422", "500", "503"}
    assert set(path["post"]["responses"]) == expected
    assert path["post"]["security"] == [{"oauth2": ["back-office"]}, {"bearer": []}]
    flow = described["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert "back-office" in flow["scopes"]
