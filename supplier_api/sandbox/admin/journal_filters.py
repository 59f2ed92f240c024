"""How testers say which calls of the journal they want."""

from datetime import datetime

from flask import request
from marshmallow import ValidationError

from supplier_api.clock import from_wire
from supplier_api.contract import Invalid
from supplier_api.contract.fields import InstantField
from supplier_api.contract.limits import HEADER_MAX, ID_MAX
from supplier_api.sandbox.admin.description import TENANT_IN_QUERY, query
from supplier_api.sandbox.admin.query_params import asked_tenant, asked_text
from supplier_api.sandbox.journal.entries import JournalDirection
from supplier_api.sandbox.journal.repository import JournalFilter

_MOMENT = InstantField("A moment of business time", "2026-01-05T12:00:00.000Z")
_TEXT = {"type": "string", "minLength": 1, "maxLength": HEADER_MAX}
_TIME = {"type": "string", "format": "date-time"}
CURSOR = {"type": "integer", "minimum": 0, "maximum": ID_MAX}
FILTERS = (
    TENANT_IN_QUERY,
    query("operation", "As in service-problems; back-office, kcis, token, unknown", _TEXT),
    query("direction", "in: called by others", {"type": "string", "enum": list(JournalDirection)}),
    query("id", "Any id: the gateway's, our reference, X-Request-ID, an error's uuid", _TEXT),
    query("conversation", "X-Conversation-ID", _TEXT),
    query("outcome", "A status, or an outcome of the rule book such as reject", _TEXT),
    query("since", "From this business time on", _TIME),
    query("until", "Before this business time", _TIME),
    query("after", "Only behind this cursor", CURSOR),
)


def asked_calls() -> tuple[JournalFilter, int]:
    """Return the filters that the current request names, and the cursor; raises Invalid."""
    direction = request.args.get("direction")
    if direction is not None and direction not in set(JournalDirection):
        raise Invalid([f"direction: expected one of {', '.join(JournalDirection)}"])
    since, until = _moment("since"), _moment("until")
    if since and until and since >= until:
        raise Invalid(["until: expected a time after since"])
    wanted = JournalFilter(
        tenant=asked_tenant(),
        operation=asked_text("operation"),
        direction=direction,
        id=asked_text("id"),
        conversation=asked_text("conversation"),
        outcome=asked_text("outcome"),
        since=since,
        until=until,
    )
    return wanted, asked_number("after", 0, least=0, most=ID_MAX)


def asked_number(name: str, otherwise: int, *, least: int, most: int) -> int:
    """Return the whole number that the current request names, or `otherwise`; raises Invalid."""
    text = request.args.get(name)
    if text is None:
        return otherwise
    number = whole_number(text, least, most)
    if number is None:
        raise Invalid([f"{name}: expected a whole number from {least} to {most}"])
    return number


def whole_number(text: str, least: int, most: int) -> int | None:
    """Return the number that a text is, None if it is none from `least` to `most`."""
    readable = text.isascii() and text.isdigit() and len(text) <= len(str(ID_MAX))
    return int(text) if readable and least <= int(text) <= most else None


def _moment(name: str) -> datetime | None:
    text = request.args.get(name)
    if text is None:
        return None
    # A plus sign that was not escaped arrives as a blank.
    text = text.replace(" ", "+")
    try:
        _MOMENT.deserialize(text)
    except ValidationError as error:
        raise Invalid([f"{name}: {message}" for message in error.messages]) from None
    return from_wire(text)
