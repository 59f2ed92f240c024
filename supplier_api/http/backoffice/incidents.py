"""/back-office/v1/incidents: network incidents are declared, ended and listed."""

from flask import Response

from supplier_api.contract import refusals
from supplier_api.contract.errors import ErrorAnswer
from supplier_api.http.backoffice.door import (
    admit,
    blueprint,
    describe,
    door,
    is_name,
    read_document,
)
from supplier_api.http.backoffice.schemas import INCIDENT, INCIDENT_ID, read_incident
from supplier_api.http.openapi import in_path, response
from supplier_api.http.request_parsing import json_response
from supplier_api.problems.incident_coverage import ScopeKind

SHOWN = {
    "type": "object",
    "required": [
        "id",
        "source",
        "declared",
        "scopes",
        "services",
        "linked",
        "underWay",
        "notLinked",
    ],
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
        "scopes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["kind", "value"],
                "properties": {
                    "kind": {"type": "string", "enum": [kind.value for kind in ScopeKind]},
                    "value": {"type": "string"},
                },
            },
            "description": "Over which parts of the network it is",
        },
        "services": {"type": "integer", "description": "Over how many services it is"},
        "linked": {"type": "integer", "description": "How many problems are part of it now"},
        "underWay": {
            "type": "boolean",
            "description": "Whether problems are still being linked, or let go",
        },
        "notLinked": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Our references of open problems that it covers, yet are no part of it:"
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
_TEXTS = {
    ErrorAnswer.NOT_FOUND: "No such incident",
    ErrorAnswer.INVALID: "Something is missing or wrong, or the id is another incident's",
}


@blueprint.route("/incidents", methods=["POST"])
@blueprint.doc(
    **describe(
        refusals.DECLARE_INCIDENT,
        {
            201: response("Declared", SHOWN),
            200: response("Declared before, and lasts", SHOWN),
        },
        _TEXTS,
        request=INCIDENT,
    )
)
def declare() -> Response:
    """Declare a network incident, over services, the services of problems, or scopes.

    Open problems there become part of it soon, each with an update to its tenant; new ones
    do at once, and so do new problems whose parent is part of it. There may be none yet. The
    same again gets 200, and nothing is done.
    """
    who, incidents = admit(), door().incidents
    wanted = read_incident(read_document())
    new = incidents.declare(
        wanted.id,
        wanted.services,
        wanted.text,
        problems=wanted.problems,
        scopes=wanted.scopes,
        who=who,
    )
    return json_response(incidents.shown(wanted.id), 201 if new else 200)


@blueprint.route("/incidents/<id>", methods=["DELETE"], parameters=[ID])
@blueprint.doc(**describe(refusals.END_INCIDENT, {200: response("Ended", SHOWN)}, _TEXTS))
def end(**path: str) -> Response:
    """End a network incident; its problems leave it soon, each with an update to its tenant.

    One that has ended stays as it is.
    """
    who, code, incidents = admit(), path["id"], door().incidents
    if not is_name(code) or incidents.shown(code) is None:
        raise refusals.UNKNOWN_INCIDENT.error()
    incidents.end(code, who=who)
    return json_response(incidents.shown(code))


@blueprint.route("/incidents", methods=["GET"])
@blueprint.doc(
    **describe(refusals.LIST_INCIDENTS, {200: response("The incidents", LISTED)}, _TEXTS)
)
def listed_incidents() -> Response:
    """List the incidents that last, and those that have ended and are not yet left by all.

    One that the inventory names is listed as long as problems are part of it.
    """
    admit()
    return json_response({"incidents": door().incidents.listed()})
