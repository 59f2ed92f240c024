"""PATCH /service-problem-resolutions/{id}."""

import re

from flask import Response
from flask_smorest import Blueprint

from supplier_api.contract.limits import REFERENCE_PATTERN
from supplier_api.contract.schemas import RESOLUTION, RESOLUTION_ANSWER_REQUEST
from supplier_api.http.gateway.dependencies import Desk
from supplier_api.http.gateway.description import describe
from supplier_api.http.gateway.handler import NotKnown, serve
from supplier_api.problems.services import Caller, RequestAnswer

OPERATION = "service-problem-resolutions"

_REFERENCE = re.compile(REFERENCE_PATTERN)
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

    def ask(desk: Desk, caller: Caller, document: dict[str, str]) -> RequestAnswer:
        if not _REFERENCE.fullmatch(path["id"]):
            raise NotKnown("id: no such service problem resolution")
        return desk.settle(caller, path["id"], document)

    return serve(OPERATION, RESOLUTION_ANSWER_REQUEST, ask)
