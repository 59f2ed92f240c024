"""/back-office/v1/incidents: network incidents are declared, ended and listed."""

from flask import Response, request
from flask_smorest import Blueprint

from supplier_api.auth import BearerAuth
from supplier_api.contract import Invalid, envelope, read_json
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.schemas import ERROR
from supplier_api.http.backoffice.schemas import INCIDENT, INCIDENT_ID, read_incident
from supplier_api.http.openapi import in_path, needs_scope, operation, response
from supplier_api.http.request_parsing import read_body
from supplier_api.http.responses import json_response
from supplier_api.problems.incidents import IncidentRefused, Incidents

SHOWN = {
    "type": "object",
    "required": ["id", "source", "declared", "services", "linked", "underWay", "notLinked"],
    "properties": {
        "id": {"type": "string"},
        "text": {"type": "string", "nullable": True},
        "source": {
            "type": "string",
            "enum": ["declared", "inventory"],
            "description": "Who says when it is over: people, or the inventory",
        },
        "declared": {"type": "string", "format": "date-time"},
        "ended": {"type": "string", "format": "date-time", "nullable": True},
        "services": {"type": "integer", "description": "Over how many services it is"},
        "linked": {"type": "integer", "description": "How many problems are part of it now"},
        "underWay": {
            "type": "boolean",
            "description": "Whether problems are still being linked, or let go",
        },
        "notLinked": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Our references of open problems on its services that are no part of it:"
            " while it is under way those that are to come, then those whose state forbids it;"
            " at most 100",
        },
    },
}
LISTED = {
    "type": "object",
    "required": ["incidents"],
    "properties": {"incidents": {"type": "array", "items": SHOWN}},
}
ID = in_path(
    "id",
    "The incident's id",
    {"type": "string", "minLength": 1, "maxLength": INCIDENT_ID.maximum},
    "INC0000042",
)
# What every call of the back office can be answered.
ACCESS_ERRORS = {
    401: response("No token, or not a good one", ERROR),
    403: response("The token is not good for this"),
}
OTHER_ERRORS = {
    500: response("Unexpected error - the uuid is in the log", ERROR),
    503: response("Temporarily unavailable"),
}


def add_incidents(
    blueprint: Blueprint, gate: BearerAuth, incidents: Incidents, max_body: int
) -> None:
    """Add the routes of the network incidents to the back office's door."""
    scope = blueprint.name

    def admitted() -> str:
        return gate.admit(request.headers.get("Authorization"), scope)

    @blueprint.route("/incidents", methods=["POST"])
    @blueprint.doc(
        **operation(
            "back-office-declare-incident",
            {
                201: response("Declared", SHOWN),
                200: response("Declared before, and lasts", SHOWN),
                400: response("The request cannot be read", ERROR),
                422: response(
                    "Something is missing or wrong, or the id is another incident's", ERROR
                ),
                **ACCESS_ERRORS,
                **OTHER_ERRORS,
            },
            needs_scope(scope),
            request=INCIDENT,
        )
    )
    def declare() -> Response:
        """Declare a network incident, over services and the services of problems.

        Open problems on them become part of it soon, each with an update to its tenant; new ones
        do at once. The same again gets 200, and nothing is done.
        """
        who = admitted()
        wanted = read_incident(read_json(read_body(request, max_body)))
        try:
            new = incidents.declare(
                wanted.id, wanted.services, wanted.text, problems=wanted.problems, who=who
            )
        except IncidentRefused as error:
            raise Invalid(error.messages) from None
        return json_response(incidents.shown(wanted.id), 201 if new else 200)

    @blueprint.route("/incidents/<id>", methods=["DELETE"], parameters=[ID])
    @blueprint.doc(
        **operation(
            "back-office-end-incident",
            {
                200: response("Ended", SHOWN),
                404: response("No such incident", ERROR),
                **ACCESS_ERRORS,
                **OTHER_ERRORS,
            },
            needs_scope(scope),
        )
    )
    def end(**path: str) -> Response:
        """End a network incident; its problems leave it soon, each with an update to its tenant.

        One that has ended stays as it is.
        """
        who, code = admitted(), path["id"]
        if "\0" in code or incidents.shown(code) is None:
            uuid = str(incidents.error_id())
            body = envelope(ErrorCode.NOT_FOUND, ["id: no such incident"], uuid)
            return json_response(body, 404)
        incidents.end(code, who=who)
        return json_response(incidents.shown(code))

    @blueprint.route("/incidents", methods=["GET"])
    @blueprint.doc(
        **operation(
            "back-office-incidents",
            {200: response("The incidents", LISTED), **ACCESS_ERRORS, **OTHER_ERRORS},
            needs_scope(scope),
        )
    )
    def listed() -> Response:
        """List the incidents that last, and those that have ended and are not yet left by all.

        One that the inventory names is listed as long as problems are part of it.
        """
        admitted()
        return json_response({"incidents": incidents.listed()})
