"""What OpenAPI says of each call besides its own fields: headers, error answers, security."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

from supplier_api.contract.limits import HEADER_MAX
from supplier_api.contract.schemas import ERROR
from supplier_api.http.gateway.request_parsing import CONVERSATION_ID, REQUEST_ID, TENANT

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
