"""A call that came in, as the journal keeps it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from supplier_api import contract
from supplier_api.contract import Malformed, MessageError
from supplier_api.contract.limits import HEADER_MAX, ID_MAX, ID_MIN
from supplier_api.sandbox.journal.masking import headers_of, text_of, without_secrets
from supplier_api.sandbox.journal.repository import (
    Decided,
    HttpPart,
    JournalDirection,
    JournalEntry,
)
from supplier_api.sandbox.journal.violations import DOCUMENTS, on_request

Pairs = Sequence[tuple[str, str]]
# What the rule book calls the requests that it decides on.
DECIDED = {
    "service-problems": "problem",
    "service-problem-amendments": "amendment",
    "service-problem-cancellations": "cancellation",
}
# Where a request names the problem that it is about.
PROBLEM_ID = {
    "service-problems": "id",
    "service-problem-amendments": "serviceProblemId",
    "service-problem-cancellations": "serviceProblemId",
}
IDS = (
    "id",
    "serviceProblemId",
    "supplierReference",
    "supplierServiceProblemReference",
    "reference",
    "uuid",
)


@dataclass(frozen=True, slots=True)
class Served:
    """A call as it came in, and what left in answer.

    `at` is machine time when it began. `name` is that of its path, where it has one: what the call
    is about. `status` is None where on purpose no answer left; `deliberate` says what was done.
    """

    at: datetime
    milliseconds: float
    operation: str
    method: str
    url: str
    headers: Pairs = field(repr=False)
    body: bytes = field(repr=False)
    status: int | None
    answer_headers: Pairs = field(repr=False)
    answer_body: bytes = field(repr=False)
    name: str | None = None
    deliberate: Mapping[str, Any] | None = None


def taken_down(served: Served) -> JournalEntry:
    """Return what is kept of a call."""
    headers = {name.lower(): value for name, value in served.headers}
    request, answer = document_in(served.body), document_in(served.answer_body)
    request_id = _short(headers.get("x-request-id"))
    names = (served.name, request_id, *ids_in(request, answer))
    return JournalEntry(
        at=served.at,
        direction=JournalDirection.IN,
        operation=served.operation,
        tenant=_short(headers.get("tenant")) or "",
        method=served.method,
        url=without_secrets(served.url),
        request=half(served.headers, served.body),
        answer=half(served.answer_headers, served.answer_body),
        status=served.status,
        milliseconds=served.milliseconds,
        conversation_id=_short(headers.get("x-conversation-id")),
        request_id=request_id,
        ids=tuple(name for name in names if name),
        deliberate=served.deliberate,
        remarks=tuple(
            remark.plain() for remark in on_request(served.operation, headers, served.body)
        ),
        problem_id=_problem_id(served.operation, request),
        about=served.name,
        decided=_decided(served.operation, request),
    )


def half(headers: Iterable[tuple[str, str]], body: bytes) -> HttpPart:
    """Return what is kept of a request or an answer."""
    return HttpPart(headers_of(headers), text_of(body), len(body))


def document_in(body: bytes) -> Mapping[str, Any]:
    """Return the object that a body is, or an empty one."""
    try:
        found = contract.read_json(body)
    except Malformed:
        return {}
    return found if isinstance(found, Mapping) else {}


def ids_in(*documents: Mapping[str, Any]) -> list[str]:
    """Return the ids and references that documents name."""
    values = [document.get(name) for document in documents for name in IDS]
    return [str(value) for value in values if isinstance(value, str | int) and value]


def _problem_id(operation: str, request: Mapping[str, Any]) -> int | None:
    value = request.get(PROBLEM_ID.get(operation, ""))
    return value if isinstance(value, int) and ID_MIN <= value <= ID_MAX else None


def _decided(operation: str, request: Mapping[str, Any]) -> Decided | None:
    if operation not in DECIDED:
        return None
    try:
        document = contract.load(DOCUMENTS[operation].schema, request)
    except MessageError:
        return None
    fingerprints = tuple(contract.fingerprint(document, version) for version in contract.VERSIONS)
    return Decided(DECIDED[operation], str(document["id"]), fingerprints)


def _short(value: str | None) -> str | None:
    return value.strip()[:HEADER_MAX] if value and value.strip() else None
