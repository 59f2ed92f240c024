"""What OpenAPI says of each call besides its own fields: headers, error answers, security."""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema

from supplier_api.contract.limits import HEADER_MAX, ID_MAX
from supplier_api.sandbox.gateway.access import Side
from supplier_api.sandbox.gateway.response_schemas import ERROR

JSON = "application/json"
BEARER = "bearer"


def _header(name: str, description: str, example: str | None = None) -> dict[str, Any]:
    """Return a header parameter, which is required if it has an example."""
    header: dict[str, Any] = {
        "name": name,
        "in": "header",
        "required": example is not None,
        "description": description,
        "schema": {"type": "string"},
    }
    if example is not None:
        header["schema"] |= {"minLength": 1, "maxLength": HEADER_MAX, "pattern": "^[!-~]+$"}
        header["example"] = example
    return header


HEADERS = [
    _header(
        "X-Request-ID",
        "Unique identifier to identify request and response events across the gateway",
        "0a35ba44-0bdf-4a2c-8f9c-2f4c51a4b6a1",
    ),
    _header(
        "X-Conversation-ID",
        "Identifier to track message journey across the gateway",
        "5b6c4b0e-1d1c-4c4a-9c38-0d2f0fd8c1ab",
    ),
]
# Passed on to the supplier as they are.
SCENARIO = [
    _header("X-Scenario", "The outcome to play: NAME or NAME?param=value"),
    _header("X-Problem-Code", "The problemCode of that outcome"),
    _header("X-Kci-Delay", "Seconds between its KCIs"),
]
# The published call has no such header.
OUR_SUPPLIERS = [
    _header(
        "Tenant",
        "Whose problem it is: named by the supplier that comes with this gateway alone, so that a"
        " problem that was raised past it can be taken in",
    )
]


def _answer(
    description: str, schema: Schema | None = None, headers: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": description}
    if schema is not None:
        answer["content"] = {JSON: {"schema": schema}}
    if headers:
        answer["headers"] = dict(headers)
    return answer


def _named(name: str, description: str, kind: str) -> dict[str, Any]:
    return {name: {"description": description, "schema": {"type": kind}}}


_CHALLENGE = _named("WWW-Authenticate", "What a caller has to show (RFC 6750)", "string")
_RETRY_AFTER = _named("Retry-After", "Seconds after which to try again", "integer")

ERRORS = {
    400: _answer("Bad request - malformed, or missing mandatory parameters", ERROR),
    401: _answer("Unauthorised access - no token, or not a good one", ERROR, _CHALLENGE),
    403: _answer("The client is not permitted to access this resource"),
    404: _answer("There is no such service problem", ERROR),
    422: _answer("Unprocessable entity - invalid data was provided", ERROR),
    500: _answer("Unexpected gateway error - the uuid is in its log", ERROR),
    503: _answer("The gateway is temporarily unavailable", None, _RETRY_AFTER),
}


def path_id(description: str) -> dict[str, Any]:
    """Return the path parameter `id`."""
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "pattern": "^[0-9]+$", "maxLength": len(str(ID_MAX))},
        "example": "123",
    }


def _parameters(side: Side) -> list[dict[str, Any]]:
    if side is Side.ADMIN:
        return []
    return HEADERS + OUR_SUPPLIERS if side is Side.SUPPLIER else [*HEADERS]


def describe(
    operation: str,
    side: Side,
    good: Mapping[int, tuple[Schema | None, str]],
    *,
    errors: Sequence[int] = (400, 401, 403, 422, 500, 503),
    request: Schema | None = None,
    example: Mapping[str, Any] | None = None,
    scenario: bool = False,
) -> dict[str, Any]:
    """Return the OpenAPI operation object of a call that a token of `side` opens.

    `good` and `errors` are its answers, by status. `example` is a body, where the examples of the
    fields of `request` make none together. With `scenario` the testers' headers are named.
    """
    answers = {status: _answer(text, schema) for status, (schema, text) in good.items()}
    answers |= {status: ERRORS[status] for status in errors}
    described: dict[str, Any] = {
        "operationId": operation,
        "parameters": _parameters(side) + (SCENARIO if scenario else []),
        "responses": {str(status): answer for status, answer in answers.items()},
        "security": [{side.value: []}, {BEARER: []}],
    }
    if side is Side.ADMIN:
        described["security"].append({})
    if request is not None:
        content = {"schema": request} | ({"example": dict(example)} if example else {})
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    return described
