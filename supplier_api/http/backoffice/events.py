"""POST /back-office/v1/problems/{reference}/events: what happened to a problem."""

from flask import Response, g, request
from werkzeug.exceptions import NotFound

from supplier_api.contract import refusals
from supplier_api.contract.errors import ErrorAnswer
from supplier_api.http.backoffice.door import (
    CONFLICT,
    ERROR_TEXTS,
    ETAG,
    IF_MATCH,
    PROBLEM_CHANGED,
    REFERENCE,
    admit,
    blueprint,
    describe,
    door,
    event_response,
    is_name,
    read_document,
    wanted_versions,
)
from supplier_api.http.backoffice.schemas import EVENT, read_event
from supplier_api.http.openapi import response
from supplier_api.logging import bind

DONE = {
    "type": "object",
    "required": ["reference", "status"],
    "properties": {
        "reference": {"type": "string", "description": "Our reference of the problem"},
        "status": {"type": "string", "description": "Where the problem stands now"},
    },
}
# Where the event is read, but lacks what its update must carry, the state is told too.
INCOMPLETE = {**CONFLICT, "required": ["uuid", "code", "messages"]}


@blueprint.route("/problems/<reference>/events", methods=["POST"])
@blueprint.doc(
    **describe(
        refusals.EVENT,
        {
            200: response("Done", DONE, ETAG),
            ErrorAnswer.CONFLICT.status: response(
                "Not possible where the problem stands", CONFLICT
            ),
            ErrorAnswer.INVALID.status: response(ERROR_TEXTS[ErrorAnswer.INVALID], INCOMPLETE),
            ErrorAnswer.PRECONDITION.status: PROBLEM_CHANGED,
        },
        parameters=[REFERENCE, IF_MATCH],
        request=EVENT,
    )
)
def event(reference: str) -> Response:
    """Say what happened to a problem.

    Each event has an id of the back office's own; the same id again gets the same answer and
    nothing is done. An event that is not possible where the problem stands is answered 409 for
    good, with the state and what is possible there. With If-Match it is applied to that
    version of the problem only; a repeat gets its answer all the same.
    """
    g.event = {"client": admit()}
    if not is_name(reference):
        raise NotFound
    happened = read_event(read_document())
    g.event["kind"] = happened.event
    with bind(reference=reference):
        answer = door().events.event(reference, happened, versions=wanted_versions())
    g.event["reference"] = answer.body.get("reference")
    return event_response(answer)


@blueprint.after_request
def log_event(response: Response) -> Response:
    """Log a line about each event that is from the back office, however it is answered."""
    if "event" in g:
        address, status = request.remote_addr, response.status_code
        door().audit.done("back-office.event", **g.event, address=address, status=status)
    return response
