"""What OpenAPI says of each call besides its own fields: headers, error answers, security."""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema

from supplier_api.contract.limits import ID_MAX
from supplier_api.http.openapi import (
    BEARER,
    CHALLENGE,
    header,
    in_path,
    operation,
    response,
    retry_after,
)
from supplier_api.http.request_parsing import CONVERSATION_ID, REQUEST_ID, TENANT
from supplier_api.sandbox.gateway.access import Side
from supplier_api.sandbox.gateway.response_schemas import ERROR

HEADERS = [
    header(
        REQUEST_ID,
        "Unique identifier to identify request and response events across the gateway",
        "0a35ba44-0bdf-4a2c-8f9c-2f4c51a4b6a1",
    ),
    header(
        CONVERSATION_ID,
        "Identifier to track message journey across the gateway",
        "5b6c4b0e-1d1c-4c4a-9c38-0d2f0fd8c1ab",
    ),
]
# Passed on to the supplier as they are.
SCENARIO = [
    header("X-Scenario", "The outcome to play: NAME or NAME?param=value"),
    header("X-Problem-Code", "The problemCode of that outcome"),
    header("X-Kci-Delay", "Seconds between its KCIs"),
]
# The published call has no such header.
OUR_SUPPLIERS = [
    header(
        TENANT,
        "Whose problem it is: named by the supplier that comes with this gateway alone, so that a"
        " problem that was raised past it can be taken in",
    )
]
ERRORS = {
    400: response("Bad request - malformed, or missing mandatory parameters", ERROR),
    401: response("Unauthorised access - no token, or not a good one", ERROR, CHALLENGE),
    403: response("The client is not permitted to access this resource"),
    404: response("There is no such service problem", ERROR),
    422: response("Unprocessable entity - invalid data was provided", ERROR),
    500: response("Unexpected gateway error - the uuid is in its log", ERROR),
    503: response("The gateway is temporarily unavailable", None, retry_after()),
}
OF_SIDE = {Side.TENANT: HEADERS, Side.SUPPLIER: HEADERS + OUR_SUPPLIERS, Side.ADMIN: []}


def path_id(description: str) -> dict[str, Any]:
    """Return the path parameter `id`."""
    schema = {"type": "string", "pattern": "^[0-9]+$", "maxLength": len(str(ID_MAX))}
    return in_path("id", description, schema, "123")


def describe(
    name: str,
    side: Side,
    good: Mapping[int, dict[str, Any]],
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
    security: list[dict[str, list[str]]] = [{side.value: []}, {BEARER: []}]
    return operation(
        name,
        {**good, **{status: ERRORS[status] for status in errors}},
        [*security, {}] if side is Side.ADMIN else security,
        parameters=OF_SIDE[side] + (SCENARIO if scenario else []),
        request=request,
        example=example,
    )
