"""The JSON Schema of a call in the journal (draft 2020-12), and the same for OpenAPI 3.0."""

from typing import Any

from supplier_api.sandbox.json_schemas import array, count, flag, maybe, object_of, text

_HALF = object_of(
    {
        "headers": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Secrets are masked; Date is left out",
        },
        "body": text("The beginning of it, secrets masked"),
        "size": count("Bytes of the whole body"),
    }
)
_REMARK = object_of(
    {
        "document": text("The published document"),
        "section": text("Its section"),
        "field": text("The path of the field, or the name of the header"),
        "expected": text("What the document expects there"),
    }
)
_DELIBERATE = object_of(
    {
        "kind": text("The fault that was set, as in GET /admin/faults"),
        "description": text("What was done"),
        "parameters": {"type": "object", "description": "How it was set, its defaults included"},
        "clause": text("The clause of the contract that it breaks"),
        "expected": text("The answer that the contract expects"),
    },
    "parameters",
    "clause",
    "expected",
)
_DECISION = object_of(
    {
        "outcome": text("reject, defer, acknowledge or commit"),
        "rule": maybe("string", "The rule that decided"),
        "reasons": {"type": ["array", "null"], "items": {"type": "object"}},
        "trace": {
            "type": ["array", "null"],
            "items": {"type": "object"},
            "description": "Every rule in turn: its verdict, and the values that it saw",
        },
        "bookVersion": maybe("string", "Which rule book"),
    }
)
_PROPERTIES: dict[str, Any] = {
    "cursor": {"type": "integer", "minimum": 1, "description": "Its number; rises, never repeats"},
    "at": text("When it began, in the tenant's business time", format="date-time"),
    "direction": text("in: called by others", enum=["in", "out"]),
    "operation": text("As in service-problems; back-office, kcis, token; unknown: no such path"),
    "tenant": text("Empty where the call is nobody's: one for a token, say"),
    "method": text("Of HTTP"),
    "url": text("The path, of a call that came in; else the whole"),
    "request": _HALF,
    "answer": _HALF,
    "status": maybe("integer", "null when no answer came, or left"),
    "trouble": maybe("string", "Why no answer came"),
    "milliseconds": {"type": "number", "minimum": 0},
    "conversationId": maybe("string", "X-Conversation-ID"),
    "requestId": maybe("string", "X-Request-ID"),
    "ids": array(text(), "What it can be found by: ids, references, X-Request-ID, an error's uuid"),
    "deliberate": {
        "anyOf": [_DELIBERATE, {"type": "null"}],
        "description": "What was done to it on purpose",
    },
    "remarks": array(_REMARK, "What the other side sent off the contract"),
    "decision": {
        "anyOf": [_DECISION, {"type": "null"}],
        "description": "What the rule book decided, if that is the answer",
    },
}
ENTRY: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A call in the journal",
    **object_of(_PROPERTIES),
}
_CAUSE = object_of(
    {
        "kind": text(
            "What refused it",
            enum=[
                *("contract", "rule", "state", "access", "path"),
                *("settings", "time", "fault", "deliberate"),
            ],
        ),
        "field": text("The path of the field, or the name of the header"),
        "message": text("What is wrong, or was expected there"),
        "document": text("Where that is written"),
        "section": text("Its section"),
        "rule": text("The rule, of the rule book or of the lifecycle"),
        "code": text("Its problemCode"),
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
PAGE = object_of(
    {
        "entries": array(_SHOWN),
        "cursor": {"type": "integer", "description": "Where to go on: ?after="},
        "end": {"type": "integer", "description": "Where the journal ends now, whoever's calls"},
        "nearest": {
            "type": "object",
            "additionalProperties": array(_SHOWN),
            "description": "With 408: by filter, the newest calls that only it keeps out",
        },
    },
    "nearest",
)
WHY = object_of(
    {
        "cursor": {"type": "integer"},
        "direction": _PROPERTIES["direction"],
        "operation": text("As in the entry"),
        "status": in_openapi(_PROPERTIES["status"]),
        "refused": flag(),
        "causes": array(_CAUSE),
        "remarks": in_openapi(_PROPERTIES["remarks"]),
        "decision": in_openapi(_PROPERTIES["decision"]),
    }
)
