"""What is off the contract is found, named by document, section and field, and never quoted."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from supplier_api.sandbox.journal.violations import on_kci_answer, on_token_answer, read_request
from tests.samples import (
    amendment_request,
    cancellation_request,
    problem_request,
    published_problem,
)

HEADERS = {
    "x-request-id": "r",
    "x-conversation-id": "c",
    "tenant": "TENANT1",
    "content-type": "application/json; charset=utf-8",
}
ERROR = {
    "uuid": "87432dfb-2e47-4532-a1b7-4b113d48867d",
    "code": "INVALID_REQUEST",
    "messages": ["sequenceNumber: used"],
}


def remarks(
    body: Any, operation: str = "service-problems", headers: Mapping[str, str] = HEADERS
) -> list[tuple[str, str, str]]:
    """Return section, field and expectation of every remark on a request."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [
        (each.section, each.field, each.expected)
        for each in read_request(operation, headers, raw).violations
    ]


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("service-problems", problem_request()),
        ("service-problem-amendments", amendment_request()),
        ("service-problem-cancellations", cancellation_request()),
        ("service-problem-resolutions", {"status": "ACCEPTED"}),
    ],
)
def test_of_what_is_on_the_contract_nothing_is_said(
    operation: str, body: Mapping[str, Any]
) -> None:
    assert remarks(body, operation) == []


REQUIRED = "a value: it is required"


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"problemType": "stability"}, "problemType", "the published case, STABILITY"),
        ({"faultText": "x"}, "faultText", "no such field: it is ignored"),
        ({"id": "23467"}, "id", "a number"),
        ({"notes": None}, "notes", "a string, not null"),
        ({"notes": ""}, "notes", "1 to 1000 characters"),
        ({"characteristics": []}, "characteristics", "at least 1 item"),
        (
            {"primaryContact": {"name": "x", "phoneNumber": "1", "fax": "2"}},
            "primaryContact.fax",
            "no such field: it is ignored",
        ),
        (
            {"characteristics": [{"name": "a", "value": "b", "unit": "c"}]},
            "characteristics[0].unit",
            "no such field: it is ignored",
        ),
        (
            {"characteristics": [{"name": "a"}]},
            "characteristics[0].value",
            REQUIRED,
        ),
    ],
)
def test_each_field_is_named_with_what_was_expected(
    changes: dict[str, Any], field: str, expected: str
) -> None:
    assert remarks(problem_request(**changes)) == [("Request fields", field, expected)]


def test_the_document_is_named() -> None:
    found = read_request("service-problem-amendments", HEADERS, b"{}").violations
    assert {each.document for each in found} == {"supplier-amend v1.15"}


def test_missing_headers_are_told_and_those_of_one_blank() -> None:
    headers = {"tenant": " ", "content-type": "application/json"}
    assert remarks(problem_request(), headers=headers) == [
        ("Header parameters", name, REQUIRED)
        for name in ("X-Request-ID", "X-Conversation-ID", "Tenant")
    ]


def test_another_content_type_is_told() -> None:
    headers = {**HEADERS, "content-type": "text/plain"}
    assert remarks(problem_request(), headers=headers) == [
        ("Request fields", "Content-Type", "application/json")
    ]


def test_a_body_that_is_no_json_is_told() -> None:
    [(_, field, expected)] = remarks(b'{"id": 1,}')
    assert field == "body"
    assert expected.startswith("not JSON")


def test_no_value_is_quoted() -> None:
    secret = "Marmaduke"
    told = remarks(
        {
            name: {secret: secret} if isinstance(value, str) else secret
            for name, value in published_problem().items()
        }
    )
    assert len(told) > 10
    assert secret not in str([(section, expected) for section, _, expected in told])


def test_of_other_calls_nothing_is_said() -> None:
    assert remarks(b"", "token") == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (204, b""),
        (403, b""),
        (503, b"later"),
        (400, json.dumps(ERROR).encode()),
        (500, json.dumps(ERROR | {"code": "GATEWAY_FAULT"}).encode()),
    ],
)
def test_of_a_published_answer_to_a_kci_nothing_is_said(status: int, body: bytes) -> None:
    assert on_kci_answer(status, body) == []


@pytest.mark.parametrize(
    ("status", "body", "section", "field"),
    [
        (200, b"", "Responses", "status"),
        (429, b"", "Responses", "status"),
        (204, b"{}", "Response 204 fields", "body"),
        (422, b"", "Response 422 fields", "body"),
        (422, b"<html>", "Response 422 fields", "body"),
        (422, json.dumps(ERROR | {"code": "WRONG"}).encode(), "Response 422 fields", "code"),
        (
            422,
            json.dumps(ERROR | {"messages": "no"}).encode(),
            "Response 422 fields",
            "messages",
        ),
    ],
)
def test_an_answer_to_a_kci_off_the_contract_is_told(
    status: int, body: bytes, section: str, field: str
) -> None:
    [remark] = on_kci_answer(status, body)
    assert (remark.document, remark.section, remark.field) == (
        "Supplier Updates API 1.8, POST /kcis",
        section,
        field,
    )


def test_an_answer_of_a_token_endpoint_is_judged_by_its_standard() -> None:
    good = {"access_token": "x" * 2000, "token_type": "Bearer", "expires_in": 3600}
    assert on_token_answer(200, json.dumps(good).encode()) == []
    assert on_token_answer(401, b"") == []
    wrong = {"access_token": "x", "expires_in": "3600"}
    told = on_token_answer(200, json.dumps(wrong).encode())
    assert [(each.document, each.field) for each in told] == [
        ("RFC 6749, section 5.1", "token_type"),
        ("RFC 6749, section 5.1", "expires_in"),
    ]
