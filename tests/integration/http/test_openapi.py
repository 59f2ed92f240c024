"""The served description says what the gateway's documents say, field by field."""

from collections.abc import Iterator
from typing import Any

from tests import documents
from tests.supplier import Supplier, on_sqlite

from .calls import Call, every_call

pytestmark = on_sqlite

Line = tuple[str, str, bool]  # name, type, required
Schema = dict[str, Any]


class Described:
    """An operation of the served description."""

    def __init__(self, supplier: Supplier, call: Call) -> None:
        self.api = supplier.client.get("/openapi.json").get_json()
        path = self.api["paths"][call.described]
        self.operation: Schema = path[call.method.lower()]
        self.parameters: list[Schema] = [
            *path.get("parameters", []),
            *self.operation["parameters"],
        ]

    def part(self, name: str) -> Schema | None:
        """Return the schema of the request, or of the answer with that status."""
        request = name == "request"
        told = self.operation["requestBody"] if request else self.operation["responses"][name]
        if "content" not in told:
            return None
        schema: Schema = told["content"]["application/json"]["schema"]
        return schema

    def lines(self, schema: Schema, path: str = "") -> Iterator[tuple[Line, Schema]]:
        """Yield the fields of a schema, nested ones after the one they stand in."""
        schema = self.resolved(schema)
        for name, inner in schema.get("properties", {}).items():
            field = self.resolved(inner)
            here = f"{path}{name}"
            yield (here, field["type"], name in schema.get("required", ())), field
            yield from self.lines(field.get("items", field), f"{here}.")

    def resolved(self, schema: Schema) -> Schema:
        """Return a schema with what it refers to."""
        while "$ref" in schema or "allOf" in schema:
            reference = schema.get("$ref") or schema["allOf"][0]["$ref"]
            schema = self.api["components"]["schemas"][reference.rpartition("/")[2]]
        return schema


def of_the_second_contact(name: str) -> bool:
    """Tell fields that the documents do not repeat: both contacts are the same object."""
    return name.startswith("secondaryContact.")


@every_call
def test_every_field_is_described_as_documented(call: Call, supplier: Supplier) -> None:
    described = Described(supplier, call)
    told = [field for field in documents.read(call.document) if field.part != "header"]
    for part in {field.part for field in told}:
        schema = described.part(part)
        assert schema is not None
        lines = {line for line, _ in described.lines(schema) if not of_the_second_contact(line[0])}
        documented = {
            (field.name, field.type, field.required) for field in told if field.part == part
        }
        assert lines == documented, part


@every_call
def test_the_second_contact_is_like_the_first(call: Call, supplier: Supplier) -> None:
    described = Described(supplier, call)
    schema = described.part("request")
    assert schema is not None
    lines = {line for line, _ in described.lines(schema)}
    first = {line for line in lines if line[0].startswith("primaryContact.")}
    second = {(f"primary{name[9:]}", *more) for name, *more in lines if of_the_second_contact(name)}
    assert second == first


@every_call
def test_every_code_is_described_as_documented(call: Call, supplier: Supplier) -> None:
    described = Described(supplier, call)
    for field in documents.read(call.document):
        schema = described.part(field.part) if field.part != "header" else None
        if schema is None or not field.codes:
            continue
        [found] = [inner for line, inner in described.lines(schema) if line[0] == field.name]
        assert set(found["enum"]) == field.codes, (field.part, field.name)


@every_call
def test_every_answer_is_described(call: Call, supplier: Supplier) -> None:
    described = Described(supplier, call)
    statuses = documents.answers(call.document)
    assert set(described.operation["responses"]) == statuses
    with_body = {field.part for field in documents.read(call.document)}
    for status in statuses:
        assert (described.part(status) is not None) == (status in with_body), status


@every_call
def test_every_header_is_described(call: Call, supplier: Supplier) -> None:
    described = Described(supplier, call)
    headers = {
        (parameter["name"], parameter["schema"]["type"], True)
        for parameter in described.parameters
        if parameter["in"] == "header" and parameter["required"]
    }
    documented = {
        (field.name, field.type, field.required)
        for field in documents.read(call.document)
        if field.part == "header"
    }
    assert headers == documented
    rest = [parameter["name"] for parameter in described.parameters if parameter["in"] != "header"]
    assert rest == (["id"] if "{id}" in call.described else [])


@every_call
def test_the_security_scheme_is_described(call: Call, supplier: Supplier) -> None:
    described = Described(supplier, call)
    schemes = described.api["components"]["securitySchemes"]
    assert {"oauth2": [call.scope]} in described.operation["security"]
    flow = schemes["oauth2"]["flows"]["clientCredentials"]
    assert call.scope in flow["scopes"]
    # The described token endpoint is there, and what it gives opens the call.
    answer = supplier.client.post(
        flow["tokenUrl"],
        data={
            "grant_type": "client_credentials",
            "client_id": "gateway",
            "client_secret": "gateway-secret",
            "scope": call.scope,
        },
    )
    assert answer.status_code == 200
    assert answer.get_json()["scope"] == call.scope
    for alternative in described.operation["security"]:
        assert alternative.keys() <= schemes.keys()


def test_the_version_is_that_of_the_contract(supplier: Supplier) -> None:
    api = supplier.client.get("/openapi.json").get_json()
    assert api["info"]["version"] == "1.15"
    assert api["openapi"].startswith("3.")
