"""What is off the contract in a message that the other side sent, clause by clause.

A remark names the document, its section and the field, and says what was expected. It never quotes
a value: the message stands beside it in the journal.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from marshmallow import Schema

from supplier_api import contract as wire
from supplier_api.contract import CONTRACT, MessageError
from supplier_api.contract.fields import Code, Id, Items, Object, Text, Uuid
from supplier_api.contract.headers import CONVERSATION_ID, REQUEST_ID, TENANT
from supplier_api.contract.loading import make
from supplier_api.contract.schemas import (
    AMENDMENT_REQUEST,
    CANCELLATION_REQUEST,
    RESOLUTION_ANSWER_REQUEST,
    SERVICE_PROBLEM_REQUEST,
)

JSON = "application/json"
CONTENT_TYPE = "Content-Type"
HEADERS = (REQUEST_ID, CONVERSATION_ID, TENANT)
HEADER_PARAMETERS = "Header parameters"
REQUEST_FIELDS = "Request fields"
REQUIRED = "a value: it is required"
NAME_MAX = 100  # of a field that is not published; it might hold anything


@dataclass(frozen=True, slots=True)
class PublishedDocument:
    """A published document and the schema of the request that it describes."""

    name: str
    schema: Schema


DOCUMENTS: Mapping[str, PublishedDocument] = {
    "service-problems": PublishedDocument("supplier-create v1.15", SERVICE_PROBLEM_REQUEST),
    "service-problem-amendments": PublishedDocument("supplier-amend v1.15", AMENDMENT_REQUEST),
    "service-problem-cancellations": PublishedDocument(
        f"Supplier API {CONTRACT.supplier_api}, POST /service-problem-cancellations",
        CANCELLATION_REQUEST,
    ),
    "service-problem-resolutions": PublishedDocument(
        f"Supplier API {CONTRACT.supplier_api}, PATCH /service-problem-resolutions",
        RESOLUTION_ANSWER_REQUEST,
    ),
}
UPDATES = f"Supplier Updates API {CONTRACT.supplier_updates}, POST /kcis"
GRANT = "RFC 6749, section 5.1"
TAKEN = 204
ERRORS = frozenset({400, 401, 403, 422, 500, 503})
# Nothing is published of their bodies.
ANY_BODY = frozenset({403, 503})


class GatewayError(StrEnum):
    """The gateway's own error codes."""

    INVALID_REQUEST = "INVALID_REQUEST"
    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    NOT_AUTHORISED = "NOT_AUTHORISED"
    NOT_FOUND = "NOT_FOUND"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    GATEWAY_FAULT = "GATEWAY_FAULT"


_ERROR = make(
    "GatewayError",
    {
        "uuid": Uuid("Of this error", "87432dfb-2e47-4532-a1b7-4b113d48867d", required=True),
        "code": Code(GatewayError, "Its kind", required=True),
        "messages": Items(Text("What is wrong", maximum=10_000), "What is wrong", required=True),
    },
)
_TOKEN = make(
    "TokenAnswer",
    {
        "access_token": Text("The token", maximum=100_000, required=True),
        "token_type": Text("Bearer", required=True),
        "expires_in": Id("Seconds", 3600),
    },
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is off the contract."""

    document: str
    section: str
    field: str
    expected: str

    def plain(self) -> dict[str, str]:
        """Return it as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A request of the gateway, as far as it can be read.

    `data` is the object that its body is, or an empty one; `document` its published fields, None if
    they are off the contract or nothing is published of the operation.
    """

    data: Mapping[str, Any]
    document: Mapping[str, Any] | None
    violations: Sequence[Violation]


def read_request(operation: str, headers: Mapping[str, str], body: bytes) -> ReadRequest:
    """Read a request of the gateway, and find what is off the contract in it.

    `operation` is the first part of the published path; of any other nothing is said. The names
    of the headers are in lower case.
    """
    published = DOCUMENTS.get(operation)
    data: object = None
    document: Mapping[str, Any] | None = None
    messages: Sequence[str] = ()
    try:
        data = wire.read_json(body)
        document = wire.load(published.schema, data) if published else None
    except MessageError as error:
        messages = error.messages
    found = data if isinstance(data, Mapping) else {}
    if published is None:
        return ReadRequest(found, None, ())
    # Of two for one field the later is better.
    in_body: dict[str, str] = {}
    if headers.get(CONTENT_TYPE.lower(), "").partition(";")[0].strip().lower() != JSON:
        in_body[CONTENT_TYPE] = JSON
    in_body.update(map(parted, messages))
    in_body.update(_unpublished(published.schema, found, ""))
    violations = [
        Violation(published.name, HEADER_PARAMETERS, name, REQUIRED)
        for name in HEADERS
        if not headers.get(name.lower(), "").strip()
    ] + [
        Violation(published.name, REQUEST_FIELDS, field, expected)
        for field, expected in in_body.items()
    ]
    return ReadRequest(found, document, violations)


def on_kci_answer(status: int, body: bytes) -> list[Violation]:
    """Return what is off the contract in a gateway's answer to a KCI."""
    if status != TAKEN and status not in ERRORS:
        published = ", ".join(map(str, sorted({TAKEN, *ERRORS})))
        return [Violation(UPDATES, "Responses", "status", f"one of {published}")]
    if status in ANY_BODY or (status == TAKEN and not body):
        return []
    section = f"Response {status} fields"
    if status == TAKEN:
        return [Violation(UPDATES, section, "body", "none")]
    return _on_answer(_ERROR, UPDATES, section, body)


def on_token_answer(status: int, body: bytes) -> list[Violation]:
    """Return what is off the standard in a gateway's answer to a request for a token."""
    if status != HTTPStatus.OK:
        return []
    return _on_answer(_TOKEN, GRANT, "Successful Response", body)


def parted(message: str) -> tuple[str, str]:
    """Split one of our own messages into the field and what was expected of it."""
    field, _, expected = message.partition(": ")
    if expected == "missing":
        return field, REQUIRED
    return (field, expected.removeprefix("expected ")) if expected else ("body", field)


def _on_answer(schema: Schema, document: str, section: str, body: bytes) -> list[Violation]:
    try:
        wire.load(schema, wire.read_json(body))
    except MessageError as error:
        return [Violation(document, section, *parted(message)) for message in error.messages]
    return []


def _unpublished(schema: Schema, data: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Find fields that the document does not have, and codes in the wrong case."""
    for name, value in data.items():
        where, known = f"{path}{name}", schema.fields.get(name)
        if known is None:
            yield where[:NAME_MAX], "no such field: it is ignored"
        elif isinstance(known, Code) and isinstance(value, str):
            if value not in known.words and value.upper() in known.words:
                yield where, f"the published case, {value.upper()}"
        elif isinstance(known, Object) and isinstance(value, Mapping):
            yield from _unpublished(known.schema, value, f"{where}.")
        elif isinstance(known, Items) and isinstance(value, list):
            yield from _in_items(known, value, where)


def _in_items(known: Items, items: list[Any], where: str) -> Iterator[tuple[str, str]]:
    if isinstance(known.inner, Object):
        for place, item in enumerate(items[: known.maximum]):
            if isinstance(item, Mapping):
                yield from _unpublished(known.inner.schema, item, f"{where}[{place}].")
