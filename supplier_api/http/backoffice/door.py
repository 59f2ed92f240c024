"""What the calls of the back office's door have in common: their parts, and how they begin."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask import Response, current_app, request
from flask_smorest import Blueprint
from marshmallow import Schema

from supplier_api.audit import Audit
from supplier_api.auth import AccessTokens
from supplier_api.backoffice.hooks import Hook
from supplier_api.contract import read_json
from supplier_api.contract.errors import ErrorAnswer
from supplier_api.delivery.pull import PulledOrders
from supplier_api.http.backoffice.schemas import NAME_MAX
from supplier_api.http.openapi import (
    Description,
    error_responses,
    header,
    in_path,
    needs_scope,
    operation,
    response,
)
from supplier_api.http.request_parsing import json_response, read_body, whole_number
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.incidents import Incidents
from supplier_api.problems.services import EventAnswer, Services
from supplier_api.problems.snapshots import Snapshots

EXTENSION = "supplier_api.http.backoffice"
SCOPE = "back-office"
PREFIX = "/back-office/v1"
REFERENCE = in_path(
    "reference",
    "Our reference of the problem, the gateway's id, or the back office's ticket",
    {"type": "string", "minLength": 1, "maxLength": NAME_MAX},
    "SP_7K2M9QX4TD",
)
ETAG = {"ETag": {"description": "The problem's version", "schema": {"type": "string"}}}
IF_MATCH = header("If-Match", "Only if the problem is of this version: an ETag")
CONFLICT = {
    "type": "object",
    "required": ["uuid", "code", "messages", "state", "legalEvents"],
    "properties": {
        "uuid": {"type": "string", "format": "uuid"},
        "code": {"type": "string"},
        "messages": {"type": "array", "items": {"type": "string"}},
        "state": {"type": "string", "description": "Where the problem stands"},
        "legalEvents": {
            "type": "array",
            "items": {"type": "string"},
            "description": "What is possible there instead",
        },
    },
}
PROBLEM_CHANGED = response("The problem has changed: nothing is done", CONFLICT, ETAG)
# What the error answers mean, where a call says nothing else.
ERROR_TEXTS = {
    ErrorAnswer.MALFORMED: "The request cannot be read",
    ErrorAnswer.NOT_AUTHORISED: "No token, or not a good one",
    ErrorAnswer.FORBIDDEN: "The token is not good for this",
    ErrorAnswer.NOT_FOUND: "No such problem",
    ErrorAnswer.INVALID: "Something is missing or wrong",
    ErrorAnswer.FAULT: "Unexpected error - the uuid is in the log",
    ErrorAnswer.UNAVAILABLE: "Temporarily unavailable",
}

blueprint = Blueprint(
    SCOPE, __name__, url_prefix=PREFIX, description="What the supplier's own systems say"
)


@dataclass(frozen=True, slots=True)
class DoorParts:
    """All that the views need; bound in one place, when the application is made.

    `orders` are those that the back office fetches; None where they are sent to it.
    """

    services: Services
    tokens: AccessTokens
    audit: Audit
    max_body: int
    events: BackOfficeEvents
    snapshots: Snapshots
    incidents: Incidents
    hook: Hook
    orders: PulledOrders | None


def door() -> DoorParts:
    """Return the parts of the application that handles the current request."""
    return cast("DoorParts", current_app.extensions[EXTENSION])


def admit() -> str:
    """Return the client that makes the current request; raises auth.AccessError."""
    return door().tokens.admit(request.headers.get("Authorization"), SCOPE)


def read_document() -> Any:
    """Return the JSON that the current request brings; raises contract.Malformed."""
    return read_json(read_body(request, door().max_body))


def describe(
    name: str,
    answers: Mapping[int, Description],
    texts: Mapping[ErrorAnswer, str] | None = None,
    *,
    parameters: list[Description] | None = None,
    request: Schema | None = None,
) -> Description:
    """Return the OpenAPI operation object of a call that needs a token.

    `name` is its id. `answers` are by status: the good ones, and errors with a body of their own.
    `texts` say what an error answer means here.
    """
    errors = error_responses(name, {**ERROR_TEXTS, **(texts or {})})
    good = {status: each for status, each in answers.items() if status not in errors}
    return operation(
        name,
        {**good, **errors, **answers},
        needs_scope(SCOPE),
        parameters=parameters,
        request=request,
    )


def is_name(text: str) -> bool:
    """Tell whether anything can be called that; PostgreSQL cannot even look for a NUL."""
    return len(text) <= NAME_MAX and "\0" not in text


def etag(version: int) -> str:
    """Return the entity tag of a problem's version."""
    return f'"{version}"'


def wanted_versions() -> frozenset[int] | None:
    """Return the versions that If-Match names, None for any (RFC 9110, section 13.1.1)."""
    wanted = request.if_match
    if not wanted or wanted.star_tag:
        return None
    numbers = [whole_number(tag, 0) for tag in wanted]
    return frozenset(number for number in numbers if number is not None)


def event_response(answer: EventAnswer) -> Response:
    """Return the answer to an event as it goes out, with the problem's version if it is known."""
    sent = json_response(answer.body, answer.status)
    if answer.version is not None:
        sent.headers["ETag"] = etag(answer.version)
    return sent
