"""The JSON Schema of a call in the journal (draft 2020-12), and the same for OpenAPI 3.0."""

from collections.abc import Mapping
from typing import Any

_HALF: dict[str, Any] = {
    "type": "object",
    "required": ["headers", "body", "size"],
    "properties": {
        "headers": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Secrets are masked; Date is left out",
        },
        "body": {"type": "string", "description": "The beginning of it, secrets masked"},
        "size": {"type": "integer", "minimum": 0, "description": "Bytes of the whole body"},
    },
}


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def _maybe(kind: str, description: str, **more: Any) -> dict[str, Any]:
    return {"type": [kind, "null"], "description": description, **more}


def _object(properties: Mapping[str, Any], *optional: str, **more: Any) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties, **more}


_REMARK = _object(
    {
        "document": _text("The published document"),
        "section": _text("Its section"),
        "field": _text("The path of the field, or the name of the header"),
        "expected": _text("What the document expects there"),
    }
)
_DELIBERATE = _object(
    {
        "kind": _text("The fault that was set, as in GET /admin/faults"),
        "description": _text("What was done"),
        "parameters": {"type": "object", "description": "How it was set, its defaults included"},
        "clause": _text("The clause of the contract that it breaks"),
        "expected": _text("The answer that the contract expects"),
    },
    "parameters",
    "clause",
    "expected",
)
_DECISION = _object(
    {
        "outcome": _text("reject, defer, acknowledge or commit"),
        "rule": _maybe("string", "The rule that decided"),
        "reasons": {"type": ["array", "null"], "items": {"type": "object"}},
        "trace": {
            "type": ["array", "null"],
            "items": {"type": "object"},
            "description": "Every rule in turn: its verdict, and the values that it saw",
        },
        "bookVersion": _maybe("string", "Which rule book"),
    }
)
_PROPERTIES: dict[str, Any] = {
    "cursor": {"type": "integer", "minimum": 1, "description": "Its number; rises, never repeats"},
    "at": _text("When it began, in the tenant's business time", format="date-time"),
    "direction": {"type": "string", "enum": ["in", "out"], "description": "in: called by others"},
    "operation": _text("As in service-problems; back-office, kcis, token; unknown: no such path"),
    "tenant": _text("Empty where the call is nobody's: one for a token, say"),
    "method": _text("Of HTTP"),
    "url": _text("The path, of a call that came in; else the whole"),
    "request": _HALF,
    "answer": _HALF,
    "status": _maybe("integer", "null when no answer came, or left"),
    "trouble": _maybe("string", "Why no answer came"),
    "milliseconds": {"type": "number", "minimum": 0},
    "conversationId": _maybe("string", "X-Conversation-ID"),
    "requestId": _maybe("string", "X-Request-ID"),
    "ids": {
        "type": "array",
        "items": {"type": "string"},
        "description": "What it can be found by: ids, references, X-Request-ID, an error's uuid",
    },
    "deliberate": {
        "anyOf": [_DELIBERATE, {"type": "null"}],
        "description": "What was done to it on purpose",
    },
    "remarks": {
        "type": "array",
        "items": _REMARK,
        "description": "What the other side sent off the contract",
    },
    "decision": {
        "anyOf": [_DECISION, {"type": "null"}],
        "description": "What the rule book decided, if that is the answer",
    },
}
ENTRY: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A call in the journal",
    **_object(_PROPERTIES),
}
_CAUSE = _object(
    {
        "kind": _text(
            "What refused it",
            enum=[
                *("contract", "rule", "state", "access", "path"),
                *("settings", "time", "fault", "deliberate"),
            ],
        ),
        "field": _text("The path of the field, or the name of the header"),
        "message": _text("What is wrong, or was expected there"),
        "document": _text("Where that is written"),
        "section": _text("Its section"),
        "rule": _text("The rule, of the rule book or of the lifecycle"),
        "code": _text("Its problemCode"),
    },
    "rule",
    "code",
)


def in_openapi(schema: Any) -> Any:
    """Return a JSON Schema as OpenAPI 3.0 writes it: "or null" is said another way there."""
    if isinstance(schema, list):
        return [in_openapi(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("type"), list):
        return in_openapi({**schema, "type": schema["type"][0], "nullable": True})
    if "anyOf" in schema:
        rest = {name: value for name, value in schema.items() if name != "anyOf"}
        return in_openapi({**schema["anyOf"][0], **rest, "nullable": True})
    return {name: in_openapi(value) for name, value in schema.items() if name != "$schema"}


_SHOWN: dict[str, Any] = in_openapi(ENTRY)
PAGE = _object(
    {
        "entries": {"type": "array", "items": _SHOWN},
        "cursor": {"type": "integer", "description": "Where to go on: ?after="},
        "end": {"type": "integer", "description": "Where the journal ends now, whoever's calls"},
        "nearest": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": _SHOWN},
            "description": "With 408: by filter, the newest calls that only it keeps out",
        },
    },
    "nearest",
)
WHY = _object(
    {
        "cursor": {"type": "integer"},
        "direction": _PROPERTIES["direction"],
        "operation": _text("As in the entry"),
        "status": in_openapi(_PROPERTIES["status"]),
        "refused": {"type": "boolean"},
        "causes": {"type": "array", "items": _CAUSE},
        "remarks": in_openapi(_PROPERTIES["remarks"]),
        "decision": in_openapi(_PROPERTIES["decision"]),
    }
)
