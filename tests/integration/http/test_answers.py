"""Every documented answer of each call is provoked, and has the documented body."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from supplier_api.problems.decision_repository import DecisionRepository
from tests import documents
from tests.supplier import DEFERRED, Supplier, on_sqlite, refusal

from .calls import AMENDMENT, CALLS, CANCELLATION, PROBLEM, RESOLUTION, Call

pytestmark = on_sqlite

Provoke = Callable[[Call, Supplier, pytest.MonkeyPatch], TestResponse]
CODES = {
    400: "MALFORMED_REQUEST",
    401: "NOT_AUTHORISED",
    422: "NOT_FOUND",
    500: "SUPPLIER_FAULT",
    501: "NOT_IMPLEMENTED",
}
BODILESS = {403, 503}


def done(call: Call, supplier: Supplier, _: pytest.MonkeyPatch) -> TestResponse:
    return call.send(supplier)


def left_open(call: Call, supplier: Supplier, _: pytest.MonkeyPatch) -> TestResponse:
    return call.send(supplier, DEFERRED)


def malformed(call: Call, supplier: Supplier, _: pytest.MonkeyPatch) -> TestResponse:
    path, _body = call.prepare(supplier, "TENANT1")
    return supplier.call(call.method, path, {})


def not_authorised(call: Call, supplier: Supplier, _: pytest.MonkeyPatch) -> TestResponse:
    path, body = call.prepare(supplier, "TENANT1")
    headers = {**supplier.headers(), "Authorization": "Bearer none"}
    return supplier.client.open(path, method=call.method, json=body, headers=headers)


def forbidden(call: Call, supplier: Supplier, _: pytest.MonkeyPatch) -> TestResponse:
    path, body = call.prepare(supplier, "TENANT1")
    headers = {**supplier.headers(), "Authorization": f"Bearer {supplier.token('back-office')}"}
    return supplier.client.open(path, method=call.method, json=body, headers=headers)


def refused(call: Call, supplier: Supplier, _: pytest.MonkeyPatch) -> TestResponse:
    path, body = call.prepare(supplier, "TENANT1")
    if call is PROBLEM:
        body = {**body, "serviceId": "SI0000000000001"}
        return supplier.call(call.method, path, body)
    return supplier.call(call.method, path, body, tenant="TENANT2")


def failed(call: Call, supplier: Supplier, patch: pytest.MonkeyPatch) -> TestResponse:
    path, body = call.prepare(supplier, "TENANT1")
    patch.setattr(DecisionRepository, "answer", lambda *_: 1 / 0)
    return supplier.call(call.method, path, body)


def switched_off(call: Call, supplier: Supplier, _: pytest.MonkeyPatch) -> TestResponse:
    # Nobody looks at what is asked, so it need not be possible.
    path = call.described.replace("{id}", "SP_RESOLUTION1")
    return supplier.call(call.method, path, {})


def too_late(call: Call, supplier: Supplier, patch: pytest.MonkeyPatch) -> TestResponse:
    path, body = call.prepare(supplier, "TENANT1")
    claim = DecisionRepository.claim

    def slowly(*args: object) -> int | None:
        supplier.machine.advance(3.5)
        return claim(*args)  # type: ignore[arg-type]

    patch.setattr(DecisionRepository, "claim", slowly)
    return supplier.call(call.method, path, body)


ERRORS: dict[int, Provoke] = {
    400: malformed,
    401: not_authorised,
    403: forbidden,
    422: refused,
    500: failed,
    501: switched_off,
    503: too_late,
}
GOOD: dict[Call, dict[int, Provoke]] = {
    PROBLEM: {201: done, 202: left_open},
    AMENDMENT: {201: done, 202: left_open},
    CANCELLATION: {201: done, 202: left_open},
    RESOLUTION: {200: done},
}
SETTINGS = {501: {"SUPPLIER_API__SERVER__OPERATIONS": "[]"}}
PROVOKED = [
    pytest.param(call, status, provoke, SETTINGS.get(status, {}), id=f"{call.scope}-{status}")
    for call in CALLS
    for status, provoke in {**GOOD[call], **ERRORS}.items()
]


@pytest.mark.parametrize(("call", "status", "provoke", "more_settings"), PROVOKED)
def test_each_answer_is_given_as_documented(
    call: Call,
    status: int,
    provoke: Provoke,
    supplier: Supplier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = provoke(call, supplier, monkeypatch)
    assert answer.status_code == status
    if status in BODILESS or (call, status) == (PROBLEM, 202):
        assert answer.data == b""
        assert "Content-Type" not in answer.headers
    elif status in CODES:
        code = "INVALID_REQUEST" if (call, status) == (PROBLEM, 422) else CODES[status]
        assert refusal(answer)[:2] == (status, code)
    else:
        check_fields(call, answer)
    assert ("WWW-Authenticate" in answer.headers) == (status in (401, 403))
    assert ("Retry-After" in answer.headers) == (status == 503)


def check_fields(call: Call, answer: TestResponse) -> None:
    """Check that a good answer has the fields of its document, all that are required, no nulls."""
    told = [
        field
        for field in documents.read(call.document)
        if field.part == str(answer.status_code) and "." not in field.name
    ]
    body = answer.get_json()
    assert answer.content_type == "application/json"
    assert {field.name for field in told if field.required} <= body.keys()
    assert body.keys() <= {field.name for field in told}
    assert b"null" not in answer.data


def test_every_described_answer_is_provoked_here(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").get_json()["paths"]
    for call in CALLS:
        responses = paths[call.described][call.method.lower()]["responses"]
        assert {int(status) for status in responses} == {*GOOD[call], *ERRORS}


def test_a_rejection_lists_every_reason(supplier: Supplier) -> None:
    body = PROBLEM.prepare(supplier, "TENANT1")[1]
    body |= {"serviceId": "SI0000000000001", "serviceSpecification": {"id": "fttcl2r"}}
    status, code, messages = refusal(supplier.create(body))
    assert (status, code) == (422, "INVALID_REQUEST")
    assert messages == [
        "serviceId: service SI0000000000001 is ceased",
        "serviceSpecification.id: service SI0000000000001 is of specification ftthl2r, not fttcl2r",
    ]


def test_every_error_of_the_schema_is_listed(supplier: Supplier) -> None:
    body = PROBLEM.prepare(supplier, "TENANT1")[1]
    del body["notes"], body["primaryContact"]
    answer = supplier.create(
        {
            **body,
            "id": "23467",
            "problemText": "short",
            "characteristics": [{"name": "A", "value": "B"}, {"name": 1}],
            "secondaryContact": {"name": "John Smith"},
            "address": None,
        }
    )
    status, code, messages = refusal(answer)
    assert (status, code) == (400, "MALFORMED_REQUEST")
    assert sorted(messages) == [
        "address: expected an object, not null",
        "characteristics[1].name: expected a string",
        "characteristics[1].value: missing",
        "id: expected a number",
        "notes: missing",
        "primaryContact: missing",
        "secondaryContact.phoneNumber: missing",
    ]


def test_every_broken_constraint_is_listed(supplier: Supplier) -> None:
    body = PROBLEM.prepare(supplier, "TENANT1")[1]
    answer = supplier.create(
        {
            **body,
            "id": 0,
            "problemType": "OTHER",
            "problemText": "short",
            "serviceId": "S" * 51,
            "characteristics": [],
            "parentServiceProblemReference": "lower",
            "notes": "",
        }
    )
    status, code, messages = refusal(answer)
    assert (status, code) == (422, "INVALID_REQUEST")
    assert [message.split(":")[0] for message in messages] == [
        "id",
        "problemType",
        "problemText",
        "serviceId",
        "characteristics",
        "parentServiceProblemReference",
        "notes",
    ]
