"""The gateway's documents as lists of fields: name, type, required, example and codes of each.

*supplier-create* and *supplier-amend* are those documents' own lists, taken over mechanically. The
cancellation and the answer to a resolution have none of their own: they are what the gateway's
portal says of them, with examples and codes of *tenant-get 1.17*.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEPARATOR = "|"


@dataclass(frozen=True)
class Field:
    """One line of a document. `part` is header, request, or the status of an answer."""

    part: str
    name: str
    type: str
    required: bool
    example: str
    codes: frozenset[str]


def read(document: str) -> list[Field]:
    """Return the fields of a document, such as `supplier-create`; of a bodiless answer none."""
    return [field for field in _lines(document) if field.name]


def answers(document: str) -> set[str]:
    """Return the statuses that a document lists, with and without a body."""
    return {field.part for field in _lines(document) if field.part.isdigit()}


def example(document: str, part: str = "request") -> dict[str, Any]:
    """Return the per-field examples of a part together; fields without one are left out."""
    found: dict[str, Any] = {}
    for field in read(document):
        if field.part == part and field.example:
            *outer, name = field.name.split(".")
            inner = found
            for each in outer:
                inner = inner.setdefault(each, {})
            inner[name] = json.loads(field.example)
    for field in read(document):
        if field.part == part and field.type == "array" and isinstance(found.get(field.name), dict):
            found[field.name] = [found[field.name]]
    return found


def _lines(document: str) -> list[Field]:
    text = Path(__file__).with_name(f"{document}.txt").read_text(encoding="utf-8")
    rows = [line.split(SEPARATOR) for line in text.splitlines()[1:]]
    return [
        Field(part, name, kind, required == "required", shown, frozenset(codes.split()))
        for part, name, kind, required, shown, codes in rows
    ]
