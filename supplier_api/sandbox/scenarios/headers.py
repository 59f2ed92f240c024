"""The headers by which testers choose an outcome, as an extension of the gateway's door."""

from collections.abc import Mapping
from typing import Any

from flask import Request

from supplier_api.contract import Invalid
from supplier_api.contract.codes import ProblemCode
from supplier_api.http.gateway.handler import RequestExtension
from supplier_api.sandbox.scenarios import choice
from supplier_api.sandbox.scenarios.parameters import DELAY_MAX
from supplier_api.sandbox.scenarios.source import CHOSEN


def _header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": schema,
    }


def read_request(request: Request, document: Mapping[str, Any]) -> None:
    """Read what the headers and the service choose, for the rest of this request.

    Raises Invalid if there is no such choice.
    """
    headers = {name: request.headers.get(name, "") for name in choice.HEADERS}
    try:
        CHOSEN.set(choice.read_choice(headers, document.get("serviceId", "")))
    except choice.WrongChoice as error:
        raise Invalid(error.messages) from None


# GET /admin/scenarios tells what there is.
EXTENSION = RequestExtension(
    parameters=(
        _header(
            choice.SCENARIO,
            # No example: what tries the call out would play it.
            "The outcome to play: NAME, or NAME?param=value&param=value, as in"
            " SERVICE_PROBLEM_DELAYED?steps=2. Without it the rule book decides",
            {"type": "string"},
        ),
        _header(
            choice.PROBLEM_CODE,
            "The problemCode that goes with it; UNKNOWN_FAULT if there is none",
            {"type": "string", "enum": list(ProblemCode)},
        ),
        _header(
            choice.KCI_DELAY,
            f"Seconds between the updates; {choice.HEADER_DELAY:.0f} with {choice.SCENARIO}, else"
            " the back office's own pace",
            {"type": "number", "minimum": 0, "maximum": DELAY_MAX},
        ),
    ),
    read=read_request,
)
