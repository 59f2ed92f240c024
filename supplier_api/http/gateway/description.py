"""What OpenAPI says of each call besides its own fields: headers, error answers, security."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

from supplier_api.contract.codes import ProblemCode
from supplier_api.contract.limits import HEADER_MAX
from supplier_api.contract.schemas import ERROR
from supplier_api.http.gateway.request_parsing import CONVERSATION_ID, REQUEST_ID, TENANT
from supplier_api.sandbox.scenarios import choice
from supplier_api.sandbox.scenarios.parameters import DELAY_MAX

JSON = "application/json"
OAUTH2 = "oauth2"
BEARER = "bearer"


def _header(name: str, description: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": description,
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": HEADER_MAX,
            "pattern": "^[!-~]+$",
        },
        "example": example,
    }


HEADERS = [
    _header(
        REQUEST_ID,
        "Unique identifier to identify request and response events across the Fibre Cafe gateway",
        "0a35ba44-0bdf-4a2c-8f9c-2f4c51a4b6a1",
    ),
    _header(
        CONVERSATION_ID,
        "Identifier to track message journey across the Fibre Cafe gateway",
        "5b6c4b0e-1d1c-4c4a-9c38-0d2f0fd8c1ab",
    ),
    _header(TENANT, "The tenant that has placed the request on the Fibre Cafe", "TENANT1"),
]


def _scenario_header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": schema,
    }


# What testers may add in the sandbox profile; GET /admin/scenarios tells what there is.
SCENARIO_HEADERS = [
    _scenario_header(
        choice.SCENARIO,
        # No example: what tries the call out would play it.
        "The outcome to play: NAME, or NAME?param=value&param=value, as in"
        " SERVICE_PROBLEM_DELAYED?steps=2. Without it the rule book decides",
        {"type": "string"},
    ),
    _scenario_header(
        choice.PROBLEM_CODE,
        "The problemCode that goes with it; UNKNOWN_FAULT if there is none",
        {"type": "string", "enum": list(ProblemCode)},
    ),
    _scenario_header(
        choice.KCI_DELAY,
        f"Seconds between the updates; {choice.HEADER_DELAY:.0f} with {choice.SCENARIO}, else the"
        " back office's own pace",
        {"type": "number", "minimum": 0, "maximum": DELAY_MAX},
    ),
]

_CHALLENGE = {
    "WWW-Authenticate": {
        "description": "What a caller has to show (RFC 6750)",
        "schema": {"type": "string"},
    }
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which to try again",
        "schema": {"type": "integer", "minimum": 0},
    }
}


def _answer(
    description: str, schema: Schema | None, headers: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": description}
    if schema is not None:
        answer["content"] = {JSON: {"schema": schema}}
    if headers:
        answer["headers"] = dict(headers)
    return answer


ERRORS = {
    400: _answer("Bad request - malformed, or mandatory fields or headers are missing", ERROR),
    401: _answer("Unauthorised access - no token, or not a good one", ERROR, _CHALLENGE),
    403: _answer("The client is not permitted to do this", None, _CHALLENGE),
    422: _answer("Unprocessable entity - invalid data, or the reasons for the rejection", ERROR),
    500: _answer("Unexpected supplier error - the uuid is in the supplier's log", ERROR),
    501: _answer("The supplier does not offer this operation", ERROR),
    503: _answer("The supplier is temporarily unavailable", None, _RETRY_AFTER),
}


def describe(
    operation: str, request: Schema, answers: Mapping[int, tuple[Schema | None, str]]
) -> dict[str, Any]:
    """Return the OpenAPI operation object of a call of the gateway.

    `operation` is also its scope; `answers` are the good ones, by status.
    """
    good = {status: _answer(text, schema) for status, (schema, text) in answers.items()}
    return {
        "operationId": operation,
        "parameters": HEADERS,
        "requestBody": {"required": True, "content": {JSON: {"schema": request}}},
        "responses": {str(status): answer for status, answer in {**good, **ERRORS}.items()},
        "security": [{OAUTH2: [operation]}, {BEARER: []}],
    }
