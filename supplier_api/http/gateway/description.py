"""What OpenAPI says of each call besides its own fields: headers, error answers, security."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

from supplier_api.contract.errors import ErrorAnswer
from supplier_api.http.openapi import (
    CHALLENGE,
    error_responses,
    header,
    needs_scope,
    operation,
    retry_after,
)
from supplier_api.http.request_parsing import CONVERSATION_ID, REQUEST_ID, TENANT

HEADERS = [
    header(
        REQUEST_ID,
        "Unique identifier to identify request and response events across the Fibre Cafe gateway",
        "0a35ba44-0bdf-4a2c-8f9c-2f4c51a4b6a1",
    ),
    header(
        CONVERSATION_ID,
        "Identifier to track message journey across the Fibre Cafe gateway",
        "5b6c4b0e-1d1c-4c4a-9c38-0d2f0fd8c1ab",
    ),
    header(TENANT, "The tenant that has placed the request on the Fibre Cafe", "TENANT1"),
]
ERROR_HEADERS = {
    ErrorAnswer.NOT_AUTHORISED: CHALLENGE,
    ErrorAnswer.FORBIDDEN: CHALLENGE,
    ErrorAnswer.UNAVAILABLE: retry_after(minimum=0),
}


def describe(name: str, request: Schema, answers: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    """Return the OpenAPI operation object of a call of the gateway.

    `name` is also its scope; `answers` are the good ones, by status.
    """
    return operation(
        name,
        {**answers, **error_responses(name, headers=ERROR_HEADERS)},
        needs_scope(name),
        parameters=HEADERS,
        request=request,
    )
