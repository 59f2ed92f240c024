"""A JSON Schema made from the field list of *tenant-get 1.17* alone.

What is known to be shown besides is added; any other field is refused.
"""

from typing import Any

import jsonschema_rs

from tests import documents
from tests.documents import Field

Schema = dict[str, Any]

CHARACTERISTICS = "updates.serviceProblemAmendment.characteristics"
CONTACT = "updates.serviceProblemAmendment.primaryContact"
# Shown besides, with the field of the list whose form it has; None for a string.
BESIDES = {
    "problemText": None,
    "primaryContact": CONTACT,
    "secondaryContact": CONTACT,
    "hazards": None,
    "onSiteRestrictions": None,
    "notes": None,
    "updates.serviceProblemCancellation.status": "updates.serviceProblemAmendment.status",
    "updates.serviceProblemAmendment.escalationRequest": None,
    "updates.action.code": "updates.information.code",
    "updates.action.supplierCodes": "updates.information.supplierCodes",
    "updates.action.supplierCode": "updates.information.supplierCode",
}
# Listed without their parts, which stand elsewhere in the list.
ELSEWHERE = {
    "characteristics": CHARACTERISTICS,
    "updates.serviceProblemAmendment.secondaryContact": CONTACT,
    "address.additionalIdentifiers": "address",
}


def schema() -> Schema:
    """Return the schema of the answer to GET /service-problems/{id}."""
    listed = {field.name: field for field in documents.read("tenant-get") if field.part == "200"}
    made = {name: _of(field) for name, field in listed.items()}
    top = _object()
    for name, inner in made.items():
        _put(top, made, name, inner, required=listed[name].required)
    for name, form in ELSEWHERE.items():
        parts, source = made[name], _inside(made[form])
        target = _inside(parts)
        target["required"] = source["required"]
        target["properties"] = {
            each: inner for each, inner in source["properties"].items() if inner is not parts
        }
    for name, like in BESIDES.items():
        kind = {"type": "boolean"} if name.endswith("escalationRequest") else {"type": "string"}
        _put(top, made, name, made[like] if like else kind, required=False)
    return top


def check(problem: dict[str, Any]) -> None:
    """Fail, naming the field, unless the problem is as the schema says."""
    jsonschema_rs.validator_for(schema(), validate_formats=True).validate(problem)


def _object() -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": {}, "required": []}


def _of(field: Field) -> Schema:
    if field.type == "object":
        return _object()
    if field.type == "array":
        of_strings = field.example.startswith("[")
        return {"type": "array", "items": {"type": "string"} if of_strings else _object()}
    made: Schema = {"type": field.type}
    if field.codes:
        made["enum"] = sorted(field.codes)
    if field.example.endswith('Z"'):
        made["format"] = "date-time"
    return made


def _inside(made: Schema) -> Schema:
    """Return what holds the fields: the object itself, or the array's items."""
    inner: Schema = made["items"] if made["type"] == "array" else made
    return inner


def _put(top: Schema, made: dict[str, Schema], name: str, inner: Schema, *, required: bool) -> None:
    outer, _, last = name.rpartition(".")
    holder = _inside(made[outer]) if outer else top
    holder["properties"][last] = inner
    if required:
        holder["required"].append(last)
