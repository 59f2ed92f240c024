"""The gateway's OpenAPI says what its documents say, and is the one that is committed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supplier_api.contract.codes import Status
from supplier_api.sandbox.gateway.codes import ProblemStatus
from supplier_api.sandbox.gateway.web import openapi_document
from tests import documents

COMMITTED = Path(__file__).parents[4] / "docs" / "api" / "sandbox-gateway.json"
CALLS = {
    ("/service-problems", "post", "201"),
    ("/service-problems/{id}", "get", "200"),
    ("/service-problem-amendments", "post", "201"),
    ("/service-problem-cancellations", "post", "201"),
    ("/service-problem-resolutions/{id}", "patch", "200"),
    ("/kcis", "post", "204"),
    ("/admin/clock", "post", "204"),
    ("/admin/reset", "post", "204"),
    ("/admin/updates", "post", "201"),
}


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    return openapi_document()


def resolved(api: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with what it refers to."""
    while "$ref" in schema or "allOf" in schema:
        reference = schema.get("$ref") or schema["allOf"][0]["$ref"]
        schema = api["components"]["schemas"][reference.rsplit("/", 1)[1]]
    return schema


def fields(
    api: dict[str, Any], schema: dict[str, Any], path: str = ""
) -> Iterator[tuple[str, str, bool, frozenset[str]]]:
    """Yield path, type, whether it is required, and the codes of each field."""
    outer = resolved(api, schema)
    for name, described in outer.get("properties", {}).items():
        inner = resolved(api, described)
        here = f"{path}{name}"
        required = name in outer.get("required", [])
        yield here, inner["type"], required, frozenset(inner.get("enum", []))
        parts = resolved(api, inner.get("items", inner))
        yield from fields(api, parts, f"{here}.")


def test_there_are_these_calls_and_no_others(api: dict[str, Any]) -> None:
    found = {
        (path, method, good)
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
        for good in operation["responses"]
        if good.startswith("2")
    }
    assert found == CALLS


def test_a_problem_is_shown_with_every_field_of_its_document(api: dict[str, Any]) -> None:
    operation = api["paths"]["/service-problems/{id}"]["get"]
    shown = operation["responses"]["200"]["content"]["application/json"]["schema"]
    described = {
        path: (kind, required, codes) for path, kind, required, codes in fields(api, shown)
    }
    listed = [field for field in documents.read("tenant-get") if field.part == "200"]
    assert len(listed) > 70
    for field in listed:
        kind, required, codes = described[field.name]
        assert (field.name, kind, codes) == (field.name, field.type, field.codes)
        assert required or not field.required, field.name


def test_the_looks_answers_are_those_of_its_document(api: dict[str, Any]) -> None:
    responses = api["paths"]["/service-problems/{id}"]["get"]["responses"]
    assert set(responses) == documents.answers("tenant-get")
    bodiless = {status for status, answer in responses.items() if "content" not in answer}
    assert bodiless == {"403", "503"}


@pytest.mark.parametrize(("path", "method"), sorted((path, method) for path, method, _ in CALLS))
def test_each_call_names_its_headers_and_its_token(
    api: dict[str, Any], path: str, method: str
) -> None:
    operation = api["paths"][path][method]
    required = [each["name"] for each in operation["parameters"] if each["required"]]
    side = "admin" if path.startswith("/admin/") else "tenant"
    side = "supplier" if path == "/kcis" else side
    assert {side: []} in operation["security"]
    assert ({} in operation["security"]) == (side == "admin")
    headers = [] if side == "admin" else ["X-Request-ID", "X-Conversation-ID"]
    assert [name for name in required if name.startswith("X-")] == headers
    flow = api["components"]["securitySchemes"][side]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == f"/auth/{side}/access-token"


def test_every_field_is_described(api: dict[str, Any]) -> None:
    without = [
        f"{name}.{field}"
        for name, schema in api["components"]["schemas"].items()
        for field, described in schema["properties"].items()
        if not described.get("description")
    ]
    assert without == []


def test_a_problems_states_are_the_gateways_and_the_suppliers() -> None:
    own = {"RECEIVED_BY_GATEWAY", "SENT_TO_SUPPLIER", "FAILED_TO_SEND"}
    assert set(ProblemStatus) == own | set(Status)


def test_the_committed_description_is_this_one(api: dict[str, Any]) -> None:
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == api, (
        "run `python -m supplier_api.sandbox.gateway > docs/api/sandbox-gateway.json`"
    )
