"""The JSON Schema of a call in the journal (draft 2020-12), published at /admin/journal/schema."""

from typing import Any

_HALF: dict[str, Any] = {
    "type": "object",
    "required": ["headers", "body"],
    "properties": {
        "headers": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Secrets are masked",
        },
        "body": {"type": "string", "description": "The beginning of it, secrets masked"},
    },
}
_REMARK: dict[str, Any] = {
    "type": "object",
    "required": ["document", "section", "field", "expected"],
    "properties": {
        "document": {"type": "string", "description": "The published document"},
        "section": {"type": "string"},
        "field": {"type": "string", "description": "Its path"},
        "expected": {"type": "string"},
    },
}


def _maybe(kind: str, description: str) -> dict[str, Any]:
    return {"type": [kind, "null"], "description": description}


PROPERTIES: dict[str, Any] = {
    "cursor": {"type": "integer", "description": "Rises with every call"},
    "at": {"type": "string", "format": "date-time", "description": "Business time of the tenant"},
    "direction": {"type": "string", "enum": ["in", "out"]},
    "operation": {"type": "string", "description": "As in service-problems, or kcis"},
    "tenant": {"type": "string", "description": "Empty where the call names none"},
    "method": {"type": "string"},
    "url": {"type": "string"},
    "request": _HALF,
    "answer": _HALF,
    "status": _maybe("integer", "null when no answer came"),
    "milliseconds": {"type": "number"},
    "conversation_id": _maybe("string", "X-Conversation-ID"),
    "request_id": _maybe("string", "X-Request-ID"),
    "gateway_id": _maybe("integer", "The gateway's id of what the call is about"),
    "reference": _maybe("string", "Our reference of what the call is about"),
    "deliberate": _maybe("object", "What was done to it on purpose"),
    "remarks": {
        "type": "array",
        "items": _REMARK,
        "description": "What the other side sent off the contract",
    },
    "decision": _maybe("object", "What the rule book decided, rule by rule"),
}
ENTRY: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A call in the journal",
    "type": "object",
    "required": list(PROPERTIES),
    "properties": PROPERTIES,
}
# The same for OpenAPI 3.0, which writes "or null" another way.
PAGE: dict[str, Any] = {
    "type": "object",
    "required": ["entries", "cursor"],
    "properties": {
        "entries": {"type": "array", "items": {"type": "object"}},
        "cursor": {"type": "integer", "description": "Where to go on: ?after="},
        "nearest": {
            "type": "object",
            "description": "With 408: for each filter a few calls that fulfil all others",
        },
    },
}
