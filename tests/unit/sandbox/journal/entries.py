"""Entries of the journal, as they are stored."""

from typing import Any

REMARK = {
    "document": "supplier-create v1.15",
    "section": "Request fields",
    "field": "problemType",
    "expected": "the published case, STABILITY",
}


def half(body: str = "", **headers: str) -> dict[str, Any]:
    """Return a request or an answer."""
    return {"headers": headers, "body": body, "size": len(body.encode())}


def entry(**changes: Any) -> dict[str, Any]:
    """Return an entry with some members replaced."""
    return {
        "cursor": 7,
        "at": "2026-01-05T12:00:00.000Z",
        "direction": "in",
        "operation": "service-problems",
        "tenant": "TENANT1",
        "method": "POST",
        "url": "/service-problems",
        "request": half("{}", Host="supplier:8080", **{"Content-Type": "application/json"}),
        "answer": half("", Location="/elsewhere"),
        "status": 202,
        "trouble": None,
        "milliseconds": 12.5,
        "conversationId": "c",
        "requestId": "r",
        "ids": ["r", "23467"],
        "deliberate": None,
        "remarks": [],
        "decision": None,
        **changes,
    }
