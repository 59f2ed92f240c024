"""How the supplier's answers to the gateway are spoilt: bodies in, spoilt bodies out."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from supplier_api.problems.codes import Status

Document = dict[str, Any]
# The word that is spoilt is the first of these that the answer has.
WORDS = ("status", "supplierReference", "code")


def cut(body: bytes) -> bytes:
    """Return the first half of a body."""
    return body[: len(body) // 2]


def garbled(body: bytes) -> bytes:
    """Return a body that is no JSON, of the same length."""
    return body.replace(b":", b"=")


def off_contract(body: bytes, how: str) -> bytes:
    """Return a body that is JSON and breaks the contract; one that is no object stays as it is."""
    try:
        document = json.loads(body)
    except ValueError:
        return body
    if not isinstance(document, dict) or not document:
        return body
    return json.dumps(WAYS[how](document), ensure_ascii=False).encode()


def _word(document: Document) -> str:
    return next((name for name in WORDS if name in document), next(iter(document)))


def _without(document: Document) -> Document:
    word = _word(document)
    return {name: value for name, value in document.items() if name != word}


def _with(change: Callable[[Any], Any]) -> Callable[[Document], Document]:
    def changed(document: Document) -> Document:
        word = _word(document)
        return document | {word: change(document[word])}

    return changed


WAYS: Mapping[str, Callable[[Document], object]] = {
    "missing": _without,
    "null": _with(lambda _: None),
    "wrong-type": _with(lambda _: 1),
    "lower-case": _with(lambda word: str(word).lower()),
    "unknown-word": _with(lambda _: "?"),
    "final-status": lambda document: document | {"status": str(Status.COMPLETED)},
    "other-id": lambda document: document | {"id": document.get("id", 0) + 1},
    "no-object": lambda document: [document],
}
