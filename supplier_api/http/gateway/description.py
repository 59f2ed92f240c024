"""What OpenAPI says of each call besides its own fields: headers, error answers, security."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

from supplier_api.contract.errors import ErrorAnswer
from supplier_api.contract.limits import HEADER_MAX
from supplier_api.contract.refusals import answers_of
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


_ERROR_HEADERS = {
    ErrorAnswer.NOT_AUTHORISED: _CHALLENGE,
    ErrorAnswer.FORBIDDEN: _CHALLENGE,
    ErrorAnswer.UNAVAILABLE: _RETRY_AFTER,
}


def _errors(operation: str) -> dict[int, dict[str, Any]]:
    return {
        error.status: _answer(
            error.description, ERROR if error.code else None, _ERROR_HEADERS.get(error)
        )
        for error in answers_of(operation)
    }


def describe(
    operation: str, request: Schema, answers: Mapping[int, tuple[Schema | None, str]]
) -> dict[str, Any]:
    """Return the OpenAPI operation object of a call of the gateway.

    `operation` is also its scope; `answers` are the good ones, by status.
    """
    good = {status: _answer(text, schema) for status, (schema, text) in answers.items()}
    responses = {**good, **_errors(operation)}
    return {
        "operationId": operation,
        "parameters": HEADERS,
        "requestBody": {"required": True, "content": {JSON: {"schema": request}}},
        "responses": {str(status): answer for status, answer in responses.items()},
        "security": [{OAUTH2: [operation]}, {BEARER: []}],
    }
