"""How templates write values: times, spans, JSON, states."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Flask
from markupsafe import Markup, escape

from supplier_api.clock import from_wire, to_wire

# What a state means for who looks at it; the style sheet has a colour for each.
LEVELS: Mapping[str, str] = {
    "ok": "ok",
    "warn": "warn",
    "bad": "bad",
    "overdue": "bad",
    "escalated": "warn",
    "delivered": "ok",
    "queued": "busy",
    "refused": "bad",
    "expired": "bad",
    "skipped": "idle",
    "parked": "warn",
    "closed": "ok",
    "open": "bad",
    "half-open": "warn",
    "paused": "warn",
    "asked to wait": "warn",
    "UNDECIDED": "warn",
    "ACKNOWLEDGED": "busy",
    "IN_PROGRESS": "busy",
    "HELD": "warn",
    "PENDING": "warn",
    "NETWORK_INCIDENT": "warn",
    "PENDING_AMENDMENT": "warn",
    "PENDING_CANCELLATION": "warn",
    "RESOLVED": "ok",
    "COMPLETED": "ok",
    "CLOSED": "ok",
    "CANCELLED": "idle",
    "REJECTED": "bad",
}


def install(app: Flask) -> None:
    """Give the templates these formats."""
    app.jinja_env.filters.update(time=time, pretty=pretty, state=state)


def time(instant: datetime | str | None) -> Markup:
    """Return an instant for people: to the second, UTC; the whole of it is in the element."""
    if instant is None:
        return Markup("")
    wire = to_wire(from_wire(instant) if isinstance(instant, str) else instant)
    return Markup(f'<time datetime="{wire}">{wire[:10]} {wire[11:19]}</time>')  # noqa: S704 - digits


def pretty(value: Any) -> str:
    """Return a JSON value as indented text."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def state(name: object) -> Markup:
    """Return a state as a mark in its colour; the word says it too."""
    text = str(name)
    level = LEVELS.get(text, "idle")
    return Markup(f'<span class="state {level}">{escape(text)}</span>')  # noqa: S704 - escaped
