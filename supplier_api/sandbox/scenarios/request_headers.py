"""The headers by which a request chooses, as an extension of the gateway's door."""

from collections.abc import Mapping
from typing import Any

from flask import Request

from supplier_api.contract import Invalid
from supplier_api.contract.codes import ProblemCode
from supplier_api.http.gateway.handler import RequestExtension
from supplier_api.http.openapi import header
from supplier_api.sandbox.catalogue import WrongChoice
from supplier_api.sandbox.scenarios.choice import (
    CHOSEN,
    HEADER_DELAY,
    HEADERS,
    KCI_DELAY,
    PROBLEM_CODE,
    SCENARIO,
    read_choice,
)
from supplier_api.sandbox.scenarios.model import DELAY_MAX


def read_request(request: Request, document: Mapping[str, Any]) -> None:
    """Read what the headers and the service choose, for the rest of this request.

    Raises Invalid if there is no such choice.
    """
    headers = {name: request.headers.get(name, "") for name in HEADERS}
    try:
        CHOSEN.set(read_choice(headers, document.get("serviceId", "")))
    except WrongChoice as error:
        raise Invalid(error.messages) from None


# GET /admin/scenarios tells what there is.
EXTENSION = RequestExtension(
    parameters=(
        # No example: what tries the call out would play it.
        header(
            SCENARIO,
            "The outcome to play: NAME, or NAME?param=value&param=value, as in"
            " SERVICE_PROBLEM_DELAYED?steps=2. Without it the rule book decides",
        ),
        {
            **header(
                PROBLEM_CODE, "The problemCode that goes with it; UNKNOWN_FAULT if there is none"
            ),
            "schema": {"type": "string", "enum": list(ProblemCode)},
        },
        {
            **header(
                KCI_DELAY,
                f"Seconds between the updates; {HEADER_DELAY:.0f} with {SCENARIO}, else the back"
                " office's own pace",
            ),
            "schema": {"type": "number", "minimum": 0, "maximum": DELAY_MAX},
        },
    ),
    read=read_request,
)
