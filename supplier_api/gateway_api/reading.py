"""What is read of a request: three headers and a JSON body, judged together."""

import re
from dataclasses import dataclass
from typing import Any

from flask import Request
from marshmallow import Schema

from supplier_api.problems.limits import HEADER_MAX
from supplier_api.scenarios.choice import HEADERS as SCENARIO_HEADERS
from supplier_api.web import read_body
from supplier_api.wire import Invalid, Malformed, MessageError, load, read_json

REQUEST_ID = "X-Request-ID"
CONVERSATION_ID = "X-Conversation-ID"
TENANT = "Tenant"

_VISIBLE = re.compile(r"[!-~]+")
_BLANK = " \t"


@dataclass(frozen=True, slots=True)
class Headers:
    """The headers that every call carries."""

    request_id: str
    conversation_id: str
    tenant: str


def read(request: Request, schema: Schema, limit: int) -> tuple[Headers, dict[str, Any]]:
    """Return the headers and the document of a request whose body has at most `limit` bytes.

    Raises Malformed with everything that cannot be read in either, else Invalid with every
    broken constraint in either.
    """
    malformed: list[str] = []
    invalid: list[str] = []
    headers: Headers | None = None
    document: dict[str, Any] = {}
    try:
        headers = _read_headers(request)
    except Malformed as error:
        malformed += error.messages
    except Invalid as error:
        invalid += error.messages
    try:
        document = load(schema, read_json(read_body(request, limit)))
    except Malformed as error:
        malformed += error.messages
    except Invalid as error:
        invalid += error.messages
    if malformed:
        raise Malformed(malformed)
    if invalid or headers is None:
        raise Invalid(invalid)
    return headers, document


def well_formed_headers(request: Request) -> Headers | None:
    """Return the headers, or None if anything is wrong with them."""
    try:
        return _read_headers(request)
    except MessageError:
        return None


def scenario_headers(request: Request) -> dict[str, str]:
    """Return the headers by which a tester chooses an outcome, those that are there."""
    return {name: request.headers[name] for name in SCENARIO_HEADERS if name in request.headers}


def _read_headers(request: Request) -> Headers:
    """Return the headers. Raises Malformed if any is missing or blank, else Invalid."""
    values = {
        name: request.headers.get(name, "").strip(_BLANK)
        for name in (REQUEST_ID, CONVERSATION_ID, TENANT)
    }
    if missing := [name for name, value in values.items() if not value]:
        raise Malformed([f"{name}: missing" for name in missing])
    wrong = [name for name, value in values.items() if not _acceptable(value)]
    if wrong:
        raise Invalid(
            [f"{name}: expected 1 to {HEADER_MAX} visible ASCII characters" for name in wrong]
        )
    return Headers(values[REQUEST_ID], values[CONVERSATION_ID], values[TENANT])


def _acceptable(value: str) -> bool:
    return len(value) <= HEADER_MAX and _VISIBLE.fullmatch(value) is not None
