"""How the supplier's answers to the gateway are spoilt: an answer in, a spoilt answer out."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from supplier_api.contract.codes import Status
from supplier_api.http.wsgi import RawAnswer
from supplier_api.sandbox.fault_injection.model import InjectedFault
from supplier_api.sandbox.fault_injection.mutations import Document, changed, without


@dataclass(frozen=True, slots=True)
class SpoiltFields:
    """Which of an answer's fields are spoilt: a `word` of a published form, one that is required.

    `has_id`: it repeats the request's id, and the gateway compares that.
    """

    word: str
    required: str
    has_id: bool = True


FIELDS: Mapping[str, SpoiltFields] = {
    "service-problems": SpoiltFields("status", "status"),
    "service-problem-amendments": SpoiltFields("supplierReference", "serviceProblemId"),
    "service-problem-cancellations": SpoiltFields("reasonCode", "reasonCode"),
    "service-problem-resolutions": SpoiltFields("status", "status", has_id=False),
}
ERROR = SpoiltFields("code", "code", has_id=False)
# The one answer with a status that can be one too many.
NEW_PROBLEM = "service-problems"
SUCCESS = range(200, 300)
# What is wrong with an answer that is off the contract.
WAYS: Mapping[str, Callable[[Document, SpoiltFields], object]] = {
    "missing": lambda document, fields: without(document, fields.required),
    "null": lambda document, fields: document | {fields.word: None},
    "wrong-type": lambda document, fields: document | {fields.word: 1},
    "lower-case": lambda document, fields: changed(
        document, fields.word, lambda word: str(word).lower()
    ),
    "unknown-word": lambda document, fields: document | {fields.word: "?"},
    "final-status": lambda document, _: document | {"status": str(Status.COMPLETED)},
    "other-id": lambda document, _: document | {"id": document.get("id", 0) + 1},
    "no-object": lambda document, _: [document],
}


def off_contract(operation: str, status: int, body: bytes, how: str) -> bytes | None:
    """Return a body that is JSON and breaks the contract; None where that cannot be done.

    `operation`, `status` and `body` are those of the answer that would be given.
    """
    fields = FIELDS[operation] if status in SUCCESS else ERROR
    document = _object(body)
    if document is None or fields.word not in document or operation not in _possible(how, status):
        return None
    spoilt = WAYS[how](document, fields)
    return None if spoilt == document else json.dumps(spoilt, ensure_ascii=False).encode()


def operations_for(how: str) -> tuple[str, ...]:
    """Return the operations of which an answer can be spoilt that way."""
    return _possible(how, SUCCESS.start)


def _object(body: bytes) -> Document | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _possible(how: str, status: int) -> tuple[str, ...]:
    if how == "final-status":
        return (NEW_PROBLEM,) if status in SUCCESS else ()
    if how == "other-id":
        return tuple(name for name in FIELDS if FIELDS[name].has_id) if status in SUCCESS else ()
    return tuple(FIELDS)


def cut(body: bytes) -> bytes:
    """Return the first half of a body."""
    return body[: len(body) // 2]


def garbled(body: bytes) -> bytes:
    """Return a body that is no JSON, of the same length."""
    return body.replace(b":", b"=")


def _code(answer: RawAnswer) -> int:
    return int(answer.status[:3])


def _with_header(answer: RawAnswer, name: str, value: str) -> RawAnswer:
    """Return the answer with that header, in the place of any other of the name."""
    others = [header for header in answer.headers if header[0].lower() != name.lower()]
    return replace(answer, headers=[*others, (name, value)])


def _truncated(_fault: InjectedFault, _operation: str, answer: RawAnswer) -> RawAnswer | None:
    whole = _with_header(answer, "Content-Length", str(len(answer.body)))
    # Closed behind it, or the gateway would wait for the rest.
    closed = _with_header(whole, "Connection", "close")
    return replace(closed, body=cut(answer.body)) if answer.body else None


def _malformed(_fault: InjectedFault, _operation: str, answer: RawAnswer) -> RawAnswer | None:
    return replace(answer, body=garbled(answer.body)) if answer.body else None


def _off_contract(fault: InjectedFault, operation: str, answer: RawAnswer) -> RawAnswer | None:
    body = off_contract(operation, _code(answer), answer.body, fault.get("how"))
    if body is None:
        return None
    return _with_header(replace(answer, body=body), "Content-Length", str(len(body)))


def _created(_fault: InjectedFault, _operation: str, answer: RawAnswer) -> RawAnswer | None:
    return answer if _code(answer) == HTTPStatus.CREATED else None


# By kind, what those faults make of an answer that need one with something to spoil. None where
# there is not: they do not strike it.
SPOILING: Mapping[str, Callable[[InjectedFault, str, RawAnswer], RawAnswer | None]] = {
    "truncated": _truncated,
    "malformed": _malformed,
    "off-contract": _off_contract,
    "before-201": _created,
}
