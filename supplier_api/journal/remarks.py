"""What is off the contract in a message that the other side sent, clause by clause.

A remark names the document, its section and the field, and says what was expected. It never quotes
a value: the message stands beside it in the journal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from marshmallow import Schema

from supplier_api import wire
from supplier_api.wire import Malformed, MessageError
from supplier_api.wire.fields import Code, Items, Object
from supplier_api.wire.messages import (
    AMENDMENT_REQUEST,
    CANCELLATION_REQUEST,
    ERROR,
    RESOLUTION_ANSWER_REQUEST,
    SERVICE_PROBLEM_REQUEST,
)

HEADERS = ("X-Request-ID", "X-Conversation-ID", "Tenant")
REQUEST_FIELDS = "Request fields"
HEADER_PARAMETERS = "Header parameters"


@dataclass(frozen=True, slots=True)
class Document:
    """A published document and the schema of the request that it describes."""

    name: str
    schema: Schema


DOCUMENTS: Mapping[str, Document] = {
    "service-problems": Document("supplier-create v1.15", SERVICE_PROBLEM_REQUEST),
    "service-problem-amendments": Document("supplier-amend v1.15", AMENDMENT_REQUEST),
    "service-problem-cancellations": Document(
        "Supplier API 1.15, cancellation", CANCELLATION_REQUEST
    ),
    "service-problem-resolutions": Document(
        "Supplier API 1.15, resolution answer", RESOLUTION_ANSWER_REQUEST
    ),
}
UPDATES = "Supplier Updates API 1.8"
KCI_ANSWERS = frozenset({204, 400, 401, 403, 422, 500, 503})
WITHOUT_BODY = frozenset({204, 403, 503})


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is off the contract."""

    document: str
    section: str
    field: str
    expected: str

    def plain(self) -> dict[str, str]:
        """Return it as JSON values."""
        return asdict(self)


def on_request(operation: str, headers: Mapping[str, str], body: bytes) -> list[Remark]:
    """Return what is off the contract in a request of the gateway."""
    document = DOCUMENTS.get(operation)
    if document is None:
        return []
    return [
        *_on_headers(document, headers),
        *(Remark(document.name, REQUEST_FIELDS, *found) for found in _on_body(document, body)),
    ]


def on_kci_answer(status: int, body: bytes) -> list[Remark]:
    """Return what is off the contract in a gateway's answer to a KCI."""
    section = f"Response {status}"
    if status not in KCI_ANSWERS:
        expected = f"one of {', '.join(map(str, sorted(KCI_ANSWERS)))}"
        return [Remark(UPDATES, "Responses", "status", expected)]
    if status in WITHOUT_BODY:
        return [Remark(UPDATES, section, "body", "no body")] if body and status == 204 else []
    try:
        wire.load(ERROR, wire.read_json(body))
    except MessageError as error:
        return [Remark(UPDATES, section, *_parted(message)) for message in error.messages]
    return []


def _on_headers(document: Document, headers: Mapping[str, str]) -> Iterator[Remark]:
    present = {name.lower(): value for name, value in headers.items()}
    for name in HEADERS:
        if not present.get(name.lower(), "").strip():
            yield Remark(document.name, HEADER_PARAMETERS, name, "a value: it is required")


def _on_body(document: Document, body: bytes) -> Iterator[tuple[str, str]]:
    try:
        data = wire.read_json(body)
    except Malformed as error:
        yield from map(_parted, error.messages)
        return
    try:
        wire.load(document.schema, data)
    except MessageError as error:
        yield from map(_parted, error.messages)
    if isinstance(data, Mapping):
        yield from _unpublished(document.schema, data, "")


def _unpublished(schema: Schema, data: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Find fields that the document does not have, and codes in the wrong case."""
    for name, value in data.items():
        where = f"{path}{name}"
        known = schema.fields.get(name)
        if known is None:
            # A long name might hold anything: it stands in the message itself.
            yield where[:100], "no such field: it is ignored"
        elif isinstance(known, Code) and isinstance(value, str):
            if value not in known.words and value.upper() in known.words:
                yield where, f"the published case, {value.upper()}"
        elif isinstance(known, Object) and isinstance(value, Mapping):
            yield from _unpublished(known.schema, value, f"{where}.")
        elif isinstance(known, Items) and isinstance(value, list):
            yield from _within_items(known, value, where)


def _within_items(known: Items, value: list[Any], where: str) -> Iterator[tuple[str, str]]:
    if isinstance(known.inner, Object):
        for number, item in enumerate(value):
            if isinstance(item, Mapping):
                yield from _unpublished(known.inner.schema, item, f"{where}[{number}].")


def _parted(message: str) -> tuple[str, str]:
    """Split one of our own messages into the field and what was expected."""
    field, _, expected = message.partition(": ")
    return (field, expected.removeprefix("expected ")) if expected else ("body", field)
