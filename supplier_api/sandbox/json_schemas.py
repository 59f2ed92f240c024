"""Parts of the JSON Schemas of what testers are answered."""

from collections.abc import Mapping
from typing import Any

JsonSchema = dict[str, Any]


def text(description: str = "", **more: Any) -> JsonSchema:
    """Return the schema of a string."""
    return {"type": "string", **({"description": description} if description else {}), **more}


def moment(description: str = "") -> JsonSchema:
    """Return the schema of a time."""
    return text(description, format="date-time")


def count(description: str = "") -> JsonSchema:
    """Return the schema of a whole number from 0."""
    return {**text(description), "type": "integer", "minimum": 0}


def flag(description: str = "") -> JsonSchema:
    """Return the schema of true or false."""
    return {**text(description), "type": "boolean"}


def maybe(kind: str, description: str) -> JsonSchema:
    """Return the schema of a value of this type, or null."""
    return {"type": [kind, "null"], "description": description}


def array(items: Mapping[str, Any] | None = None, description: str = "") -> JsonSchema:
    """Return the schema of an array, by default of objects."""
    return {**text(description), "type": "array", "items": items or {"type": "object"}}


def object_of(properties: Mapping[str, Any], *optional: str, **more: Any) -> JsonSchema:
    """Return the schema of an object with these fields, all of which it has but the optional."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties, **more}
