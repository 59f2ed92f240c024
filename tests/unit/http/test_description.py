"""The OpenAPI document says what the gateway's documents say, and is the one that is committed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supplier_api.http.gateway.openapi import supplier_document, updates_document

DOCS = Path(__file__).parents[3] / "docs" / "api"
ERRORS = {"400", "401", "403", "422", "500", "501", "503"}
PROBLEM = {
    "id": "number",
    "problemType": "string",
    "problemText": "string",
    "serviceId": "string",
    "serviceSpecification": {"id": "string"},
    "address": {"id": "string", "type": "string"},
    "serviceTestId": "number",
    "serviceTestReference": "string",
    "characteristics": [{"name": "string", "value": "string"}],
    "primaryContact": {"name": "string", "email": "string", "phoneNumber": "string"},
    "secondaryContact": {"name": "string", "email": "string", "phoneNumber": "string"},
    "appointmentReservationId": "number",
    "appointmentReservationReference": "string",
    "parentServiceProblemId": "number",
    "parentServiceProblemReference": "string",
    "hazards": "string",
    "onSiteRestrictions": "string",
    "notes": "string",
}
AMENDMENT = {
    "id": "number",
    "supplierReference": "string",
    "serviceProblemId": "number",
    "supplierServiceProblemReference": "string",
    "problemText": "string",
    "escalationRequest": "boolean",
    "characteristics": [{"name": "string", "value": "string"}],
    "primaryContact": {"name": "string", "email": "string", "phoneNumber": "string"},
    "secondaryContact": {"name": "string", "email": "string", "phoneNumber": "string"},
    "appointmentReservationId": "number",
    "appointmentReservationReference": "string",
    "hazards": "string",
    "onSiteRestrictions": "string",
    "notes": "string",
}
CANCELLATION = {
    "id": "number",
    "serviceProblemId": "number",
    "supplierServiceProblemReference": "string",
    "reasonCode": "string",
    "text": "string",
}
CANCELLATION_ANSWER = {**CANCELLATION, "supplierReference": "string"}
RESOLUTION = {
    "supplierReference": "string",
    "status": "string",
    "resolvedDate": "string",
    "closedDate": "string",
    "resolutionDetails": {
        "resolutionCode": "string",
        "resolutionText": "string",
        "supplierCodes": ["string"],
        "faultCode": ["string"],
    },
    "slaViolation": ["string"],
    "tenantNotes": "string",
}
ERROR = {"uuid": "string", "code": "string", "messages": ["string"]}
PROBLEM_ANSWER = {
    **PROBLEM,
    "status": "string",
    "supplierReference": "string",
    "serviceSpecification": {"id": "string", "name": "string"},
}
CALLS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("/service-problems", "post", PROBLEM, {"201": PROBLEM_ANSWER, "202": None}),
    ("/service-problem-amendments", "post", AMENDMENT, {"201": AMENDMENT, "202": AMENDMENT}),
    (
        "/service-problem-cancellations",
        "post",
        CANCELLATION,
        {"201": CANCELLATION_ANSWER, "202": CANCELLATION_ANSWER},
    ),
    (
        "/service-problem-resolutions/{id}",
        "patch",
        {"status": "string", "tenantNotes": "string"},
        {"200": RESOLUTION},
    ),
]


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    return supplier_document()


def resolved(api: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with what it refers to."""
    while "$ref" in schema or "allOf" in schema:
        reference = schema.get("$ref") or schema["allOf"][0]["$ref"]
        schema = api["components"]["schemas"][reference.rsplit("/", 1)[1]]
    return schema


def shape(api: dict[str, Any], schema: dict[str, Any]) -> Any:
    """Return names and types of all fields, nested ones too."""
    schema = resolved(api, schema)
    if schema["type"] == "object":
        return {name: shape(api, inner) for name, inner in schema["properties"].items()}
    if schema["type"] == "array":
        return [shape(api, schema["items"])]
    return schema["type"]


def content(api: dict[str, Any], message: dict[str, Any]) -> Any:
    """Return the shape of a request or an answer, None for one without a body."""
    if "content" not in message:
        return None
    assert list(message["content"]) == ["application/json"]
    return shape(api, message["content"]["application/json"]["schema"])


def fields(api: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, schema in api["components"]["schemas"].items():
        for field, described in schema["properties"].items():
            yield f"{name}.{field}", described


def test_there_are_these_calls_and_no_others(api: dict[str, Any]) -> None:
    assert list(api["paths"]) == [path for path, _, _, _ in CALLS]


@pytest.mark.parametrize(("path", "method", "request_fields", "answers"), CALLS)
def test_each_call_has_the_fields_of_its_document(
    api: dict[str, Any],
    path: str,
    method: str,
    request_fields: dict[str, Any],
    answers: dict[str, Any],
) -> None:
    operation = api["paths"][path][method]
    assert content(api, operation["requestBody"]) == request_fields
    responses = operation["responses"]
    assert responses.keys() == answers.keys() | ERRORS
    assert {status: content(api, responses[status]) for status in answers} == answers
    assert {status for status in ERRORS if content(api, responses[status]) is None} == {
        "403",
        "503",
    }
    assert all(content(api, responses[status]) == ERROR for status in ERRORS - {"403", "503"})


@pytest.mark.parametrize(("path", "method"), [(path, method) for path, method, _, _ in CALLS])
def test_each_call_needs_the_headers_and_a_token(
    api: dict[str, Any], path: str, method: str
) -> None:
    operation = api["paths"][path][method]
    headers = [
        parameter["name"]
        for parameter in operation["parameters"]
        if parameter["in"] == "header" and parameter["required"]
    ]
    assert headers == ["X-Request-ID", "X-Conversation-ID", "Tenant"]
    scope = path.split("/")[1]
    assert operation["security"] == [{"oauth2": [scope]}, {"bearer": []}]
    flow = api["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert scope in flow["scopes"]


def test_every_field_is_described_and_every_single_value_has_an_example(
    api: dict[str, Any],
) -> None:
    without = [name for name, described in fields(api) if not described.get("description")]
    assert without == []
    without = [
        name
        for name, described in fields(api)
        if "example" not in described and described.get("type") not in (None, "array")
    ]
    assert without == []


def test_ids_are_whole_numbers(api: dict[str, Any]) -> None:
    numbers = [each for each in fields(api) if each[1].get("type") == "number"]
    assert len(numbers) >= 10
    for path, described in numbers:
        limits = {name: described.get(name) for name in ("multipleOf", "minimum", "maximum")}
        # No document prints a lower bound for the parent's id.
        lowest = None if path.endswith("parentServiceProblemId") else 1
        assert limits == {"multipleOf": 1, "minimum": lowest, "maximum": 9223372036854775807}


def test_the_contracts_version_is_told(api: dict[str, Any]) -> None:
    assert api["info"]["version"] == "1.15"
    assert "Supplier Updates API 1.8" in api["info"]["description"]


def test_the_updates_are_described_with_every_field_of_theirs() -> None:
    described = updates_document()
    assert described["info"]["version"] == "1.8"
    body = described["paths"]["/kcis"]["post"]["requestBody"]
    assert content(described, body).keys() == {
        "id",
        "sequenceNumber",
        "issuedOn",
        "reasonCode",
        "problemCode",
        "text",
        "supplierCodes",
        "supplierCode",
        "supplierNotes",
        "serviceProblem",
        "serviceProblemAmendment",
        "serviceProblemCancellation",
        "serviceProblemResolution",
    }


@pytest.mark.parametrize(
    ("name", "document"), [("supplier", supplier_document), ("updates", updates_document)]
)
def test_the_committed_description_is_this_one(name: str, document: Callable[[], Any]) -> None:
    committed = json.loads((DOCS / f"{name}.json").read_text(encoding="utf-8"))
    assert committed == document(), (
        "run `python -m supplier_api.http.gateway docs/api` and tell the change of the wire"
        " contract in CHANGELOG.md"
    )
