"""/back-office/v1/incidents: network incidents are declared, ended and listed."""

from typing import Any

from flask import Response, request
from flask_smorest import Blueprint

from supplier_api.auth import BearerAuth
from supplier_api.contract import read_json, refusals
from supplier_api.contract.schemas import ERROR
from supplier_api.http.backoffice.schemas import INCIDENT, INCIDENT_ID, read_incident
from supplier_api.http.bodies import JSON, json_response, read_body
from supplier_api.problems.incidents import Incidents

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
ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The incident's id",
    "schema": {"type": "string", "minLength": 1, "maxLength": INCIDENT_ID.maximum},
    "example": "INC0000042",
}


def add_incidents(
    blueprint: Blueprint, gate: BearerAuth, incidents: Incidents, max_body: int
) -> None:
    """Add the routes of the network incidents to the back office's door."""
    scope = blueprint.name

    def admitted() -> str:
        return gate.admit(request.headers.get("Authorization"), scope)

    @blueprint.route("/incidents", methods=["POST"])
    @blueprint.doc(**_declaring(scope))
    def declare() -> Response:
        """Declare a network incident, over services and the services of problems.

        Open problems on them become part of it soon, each with an update to its tenant; new ones
        do at once. The same again gets 200, and nothing is done.
        """
        who = admitted()
        wanted = read_incident(read_json(read_body(request, max_body)))
        new = incidents.declare(
            wanted.id, wanted.services, wanted.text, problems=wanted.problems, who=who
        )
        return json_response(incidents.shown(wanted.id), 201 if new else 200)

    @blueprint.route("/incidents/<id>", methods=["DELETE"], parameters=[ID])
    @blueprint.doc(**_ending(scope))
    def end(**path: str) -> Response:
        """End a network incident; its problems leave it soon, each with an update to its tenant.

        One that has ended stays as it is.
        """
        who, code = admitted(), path["id"]
        if "\0" in code or incidents.shown(code) is None:
            raise refusals.UNKNOWN_INCIDENT.error()
        incidents.end(code, who=who)
        return json_response(incidents.shown(code))

    @blueprint.route("/incidents", methods=["GET"])
    @blueprint.doc(**_listing(scope))
    def listed() -> Response:
        """List the incidents that last, and those that have ended and are not yet left by all.

        One that the inventory names is listed as long as problems are part of it.
        """
        admitted()
        return json_response({"incidents": incidents.listed()})


def _declaring(scope: str) -> dict[str, Any]:
    described = _described("back-office-declare-incident", scope)
    described["requestBody"] = {"required": True, "content": {JSON: {"schema": INCIDENT}}}
    described["responses"] = {
        "201": _answer("Declared", SHOWN),
        "200": _answer("Declared before, and lasts", SHOWN),
        "400": _answer("The request cannot be read", ERROR),
        "422": _answer("Something is missing or wrong, or the id is another incident's", ERROR),
        **described["responses"],
    }
    return described


def _ending(scope: str) -> dict[str, Any]:
    described = _described("back-office-end-incident", scope)
    described["responses"] = {
        "200": _answer("Ended", SHOWN),
        "404": _answer("No such incident", ERROR),
        **described["responses"],
    }
    return described


def _listing(scope: str) -> dict[str, Any]:
    described = _described("back-office-incidents", scope)
    described["responses"] = {
        "200": _answer("The incidents", LISTED),
        **described["responses"],
    }
    return described


def _described(operation: str, scope: str) -> dict[str, Any]:
    return {
        "operationId": operation,
        "responses": {
            "401": _answer("No token, or not a good one", ERROR),
            "403": _answer("The token is not good for this"),
            "500": _answer("Unexpected error - the uuid is in the log", ERROR),
            "503": _answer("Temporarily unavailable"),
        },
        "security": [{"oauth2": [scope]}, {"bearer": []}],
    }


def _answer(text: str, schema: object = None) -> dict[str, Any]:
    content = {"content": {JSON: {"schema": schema}}} if schema is not None else {}
    return {"description": text, **content}
