"""PATCH /service-problem-resolutions/{id}."""

from flask import Response
from flask_smorest import Blueprint

from supplier_api.contract.limits import REFERENCE_PATTERN
from supplier_api.contract.schemas import RESOLUTION, RESOLUTION_ANSWER_REQUEST
from supplier_api.http.gateway.description import describe
from supplier_api.http.gateway.handler import serve

OPERATION = "service-problem-resolutions"

_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The reference that the supplier gave the resolution in its RESOLVED update",
    "schema": {"type": "string", "pattern": f"^{REFERENCE_PATTERN}$"},
    "example": "SI_RE233827673",
}

blueprint = Blueprint(OPERATION, __name__, description="Resolutions of problems")


@blueprint.route("/service-problem-resolutions/<id>", methods=["PATCH"], parameters=[_ID])
@blueprint.doc(
    **describe(
        OPERATION,
        RESOLUTION_ANSWER_REQUEST,
        {200: (RESOLUTION, "The tenant's word is taken")},
    )
)
def settle(**path: str) -> Response:
    """Accept or reject the resolution of a service problem.

    An accepted resolution completes the problem; a rejected one puts it back in progress. An update
    (KCI) follows in both cases.
    """
    return serve(
        OPERATION,
        RESOLUTION_ANSWER_REQUEST,
        lambda desk, caller, document: desk.settle(caller, path["id"], document),
    )
