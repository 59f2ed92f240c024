"""POST /back-office/v1/problems/{reference}/events: what happened to a problem."""

from flask import Response, g, request
from flask_smorest import Api, Blueprint
from werkzeug.exceptions import NotFound

from supplier_api.audit import Audit
from supplier_api.auth import AccessTokens
from supplier_api.contract import read_json, refusals
from supplier_api.contract.errors import ErrorAnswer
from supplier_api.http.backoffice.hooks import Hooks, add_hooks
from supplier_api.http.backoffice.incidents import ERROR_TEXTS, add_incidents
from supplier_api.http.backoffice.schemas import EVENT, NAME_MAX, read_event
from supplier_api.http.openapi import error_responses, in_path, needs_scope, operation, response
from supplier_api.http.request_parsing import json_response, read_body
from supplier_api.logging import bind
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.incidents import Incidents

SCOPE = "back-office"
PREFIX = "/back-office/v1"
REFERENCE = in_path(
    "reference",
    "Our reference of the problem, the gateway's id, or the back office's ticket",
    {"type": "string", "minLength": 1, "maxLength": NAME_MAX},
    "SP_7K2M9QX4TD",
)
DONE = {
    "type": "object",
    "required": ["reference", "status"],
    "properties": {
        "reference": {"type": "string", "description": "Our reference of the problem"},
        "status": {"type": "string", "description": "Where the problem stands now"},
    },
}
CONFLICT = {
    "type": "object",
    "required": ["uuid", "code", "messages", "state", "legalEvents"],
    "properties": {
        "uuid": {"type": "string", "format": "uuid"},
        "code": {"type": "string"},
        "messages": {"type": "array", "items": {"type": "string"}},
        "state": {"type": "string", "description": "Where the problem stands"},
        "legalEvents": {
            "type": "array",
            "items": {"type": "string"},
            "description": "What is possible there instead",
        },
    },
}

EVENT_ERROR_TEXTS = {
    ErrorAnswer.NOT_FOUND: "No such problem",
    ErrorAnswer.INVALID: "Something is missing or wrong",
}


def register(
    api: Api,
    tokens: AccessTokens,
    progress: BackOfficeEvents,
    incidents: Incidents,
    max_body: int,
    audit: Audit,
    hooks: Hooks,
) -> None:
    """Add the back office's door to the application that `api` describes."""
    blueprint = Blueprint(
        SCOPE, __name__, url_prefix=PREFIX, description="What the supplier's own systems say"
    )

    @blueprint.route("/problems/<reference>/events", methods=["POST"])
    @blueprint.doc(
        **operation(
            refusals.EVENT,
            {
                200: response("Done", DONE),
                **error_responses(refusals.EVENT, ERROR_TEXTS | EVENT_ERROR_TEXTS),
                ErrorAnswer.CONFLICT.status: response(
                    "Not possible where the problem stands", CONFLICT
                ),
            },
            needs_scope(SCOPE),
            parameters=[REFERENCE],
            request=EVENT,
        )
    )
    def event(reference: str) -> Response:
        """Say what happened to a problem.

        Each event has an id of the back office's own; the same id again gets the same answer and
        nothing is done. An event that is not possible where the problem stands is answered 409 for
        good, with the state and what is possible there.
        """
        g.event = {"client": tokens.admit(request.headers.get("Authorization"), SCOPE)}
        if len(reference) > NAME_MAX or "\0" in reference:
            raise NotFound  # No problem is called that, and PostgreSQL cannot look for a NUL.
        happened = read_event(read_json(read_body(request, max_body)))
        g.event["kind"] = happened.event
        with bind(reference=reference):
            answer = progress.event(reference, happened)
        g.event["reference"] = answer.body.get("reference")
        return json_response(answer.body, answer.status)

    @blueprint.after_request
    def log_event(response: Response) -> Response:
        """Log a line about each event that is from the back office, however it is answered."""
        if "event" in g:
            address, status = request.remote_addr, response.status_code
            audit.done("back-office.event", **g.event, address=address, status=status)
        return response

    add_incidents(blueprint, tokens, incidents, max_body)
    add_hooks(blueprint, hooks, max_body)
    api.register_blueprint(blueprint)
