"""How the supplier's answers to the gateway are spoilt: bodies in, spoilt bodies out."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from supplier_api.contract.codes import Status
from supplier_api.sandbox.fault_injection.model import Fault

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fields:
    """Which of an answer's fields are spoilt: a `word` of a published form, one that is required.

    `has_id`: it repeats the request's id, and the gateway compares that.
    """

    word: str
    required: str
    has_id: bool = True


FIELDS: Mapping[str, Fields] = {
    "service-problems": Fields("status", "status"),
    "service-problem-amendments": Fields("supplierReference", "serviceProblemId"),
    "service-problem-cancellations": Fields("reasonCode", "reasonCode"),
    "service-problem-resolutions": Fields("status", "status", has_id=False),
}
ERROR = Fields("code", "code", has_id=False)
# The one answer with a status that can be one too many.
NEW_PROBLEM = "service-problems"
TAKEN = range(200, 300)


def cut(body: bytes) -> bytes:
    """Return the first half of a body."""
    return body[: len(body) // 2]


def garbled(body: bytes) -> bytes:
    """Return a body that is no JSON, of the same length."""
    return body.replace(b":", b"=")


def off_contract(operation: str, status: int, body: bytes, how: str) -> bytes | None:
    """Return a body that is JSON and breaks the contract; None where that cannot be done.

    `operation`, `status` and `body` are those of the answer that would be given.
    """
    fields = FIELDS[operation] if status in TAKEN else ERROR
    document = _object(body)
    if document is None or fields.word not in document or operation not in _possible(how, status):
        return None
    spoilt = WAYS[how](document, fields)
    return None if spoilt == document else json.dumps(spoilt, ensure_ascii=False).encode()


def operations_for(how: str) -> tuple[str, ...]:
    """Return the operations of which an answer can be spoilt that way."""
    return _possible(how, TAKEN.start)


def can_spoil(fault: Fault, operation: str, status: int, body: bytes) -> bool:
    """Tell whether an answer is one that a fault of KINDS can make what it says of it."""
    match fault.kind.name:
        case "off-contract":
            return off_contract(operation, status, body, fault.get("how")) is not None
        case "before-201":
            return status == HTTPStatus.CREATED
        case _:
            return bool(body)


# Those that need an answer with something to spoil: they strike none without.
KINDS = frozenset({"truncated", "malformed", "off-contract", "before-201"})


def _object(body: bytes) -> Document | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _possible(how: str, status: int) -> tuple[str, ...]:
    if how == "final-status":
        return (NEW_PROBLEM,) if status in TAKEN else ()
    if how == "other-id":
        return tuple(name for name in FIELDS if FIELDS[name].has_id) if status in TAKEN else ()
    return tuple(FIELDS)


def _with(change: Callable[[Any], Any]) -> Callable[[Document, Fields], Document]:
    return lambda document, fields: document | {fields.word: change(document[fields.word])}


def _without(document: Document, fields: Fields) -> Document:
    return {name: value for name, value in document.items() if name != fields.required}


WAYS: Mapping[str, Callable[[Document, Fields], object]] = {
    "missing": _without,
    "null": _with(lambda _: None),
    "wrong-type": _with(lambda _: 1),
    "lower-case": _with(lambda word: str(word).lower()),
    "unknown-word": _with(lambda _: "?"),
    "final-status": lambda document, _: document | {"status": str(Status.COMPLETED)},
    "other-id": lambda document, _: document | {"id": document.get("id", 0) + 1},
    "no-object": lambda document, _: [document],
}
