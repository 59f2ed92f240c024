"""The gateway's four calls: what each says of itself, and whom it asks."""

import re
from collections.abc import Mapping
from typing import Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema

from supplier_api.contract import refusals
from supplier_api.contract.errors import ErrorAnswer
from supplier_api.contract.headers import CONVERSATION_ID, REQUEST_ID, TENANT
from supplier_api.contract.limits import REFERENCE_PATTERN
from supplier_api.contract.refusals import AMENDMENTS, CANCELLATIONS, PROBLEMS, RESOLUTIONS
from supplier_api.contract.schemas import (
    AMENDMENT,
    AMENDMENT_REQUEST,
    CANCELLATION,
    CANCELLATION_REQUEST,
    RESOLUTION,
    RESOLUTION_ANSWER_REQUEST,
    SERVICE_PROBLEM,
    SERVICE_PROBLEM_REQUEST,
)
from supplier_api.http.gateway.handler import admit, bind_request, respond
from supplier_api.http.openapi import (
    CHALLENGE,
    error_responses,
    header,
    in_path,
    needs_scope,
    operation,
    response,
    retry_after,
)

LATER = "The supplier decides later and sends an update (KCI)"
REFERENCE = re.compile(REFERENCE_PATTERN)
RESOLUTION_ID = in_path(
    "id",
    "The reference that the supplier gave the resolution in its RESOLVED update",
    {"type": "string", "pattern": f"^{REFERENCE_PATTERN}$"},
    "SI_RE233827673",
)

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

problems = Blueprint(PROBLEMS, __name__, description="Problems with active services")
amendments = Blueprint(AMENDMENTS, __name__, description="Changes to problems under way")
cancellations = Blueprint(
    CANCELLATIONS, __name__, description="Cancellations of problems under way"
)
resolutions = Blueprint(RESOLUTIONS, __name__, description="Resolutions of problems")
CALLS = (problems, amendments, cancellations, resolutions)


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


@problems.route("/service-problems", methods=["POST"])
@problems.doc(
    **describe(
        PROBLEMS,
        SERVICE_PROBLEM_REQUEST,
        {
            201: response(
                "The problem is acknowledged, or its work has begun",
                SERVICE_PROBLEM,
            ),
            202: response(LATER),
        },
    )
)
def raise_problem() -> Response:
    """Create a problem/incident for an active service owned by the communications provider (CP).

    The supplier validates the request and rejects it with 422 and the reasons, or accepts it: with
    201 and its reference, the problem being ACKNOWLEDGED or already IN_PROGRESS; or with 202 if it
    has to look closer, and then an update (KCI) acknowledges or rejects the problem.
    """
    call = admit(PROBLEMS, SERVICE_PROBLEM_REQUEST)
    with bind_request():
        return respond(call.use_cases.raise_problem(call.caller, call.document))


@amendments.route("/service-problem-amendments", methods=["POST"])
@amendments.doc(
    **describe(
        AMENDMENTS,
        AMENDMENT_REQUEST,
        {
            201: response("The amendment is applied", AMENDMENT),
            202: response(LATER, AMENDMENT),
        },
    )
)
def amend() -> Response:
    """Request to amend an inflight service problem.

    One or more fields are amended; only those that are supplied change. The supplier rejects the
    amendment with 422 and the reasons, confirms it with 201, or answers 202 if it has to look
    closer, and then an update (KCI) confirms or rejects it.
    """
    call = admit(AMENDMENTS, AMENDMENT_REQUEST)
    with bind_request():
        return respond(call.use_cases.amend(call.caller, call.document))


@cancellations.route("/service-problem-cancellations", methods=["POST"])
@cancellations.doc(
    **describe(
        CANCELLATIONS,
        CANCELLATION_REQUEST,
        {
            201: response("The problem is cancelled", CANCELLATION),
            202: response(LATER, CANCELLATION),
        },
    )
)
def cancel() -> Response:
    """Request to cancel an inflight service problem.

    The supplier rejects the cancellation with 422 and the reasons, confirms it with 201, or answers
    202 if it has to look closer, and then an update (KCI) confirms or rejects it.
    """
    call = admit(CANCELLATIONS, CANCELLATION_REQUEST)
    with bind_request():
        return respond(call.use_cases.cancel(call.caller, call.document))


@resolutions.route(
    "/service-problem-resolutions/<id>", methods=["PATCH"], parameters=[RESOLUTION_ID]
)
@resolutions.doc(
    **describe(
        RESOLUTIONS,
        RESOLUTION_ANSWER_REQUEST,
        {200: response("The tenant's word is taken", RESOLUTION)},
    )
)
def settle(**path: str) -> Response:
    """Accept or reject the resolution of a service problem.

    An accepted resolution completes the problem; a rejected one puts it back in progress. An update
    (KCI) follows in both cases.
    """
    call = admit(RESOLUTIONS, RESOLUTION_ANSWER_REQUEST)
    with bind_request():
        if not REFERENCE.fullmatch(path["id"]):
            raise refusals.UNKNOWN_RESOLUTION.error()
        return respond(call.use_cases.settle(call.caller, path["id"], call.document))
