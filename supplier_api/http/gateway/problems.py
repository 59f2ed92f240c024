"""POST /service-problems (*supplier-create*)."""

from flask import Response
from flask_smorest import Blueprint

from supplier_api.contract.schemas import SERVICE_PROBLEM, SERVICE_PROBLEM_REQUEST
from supplier_api.http.gateway.description import describe
from supplier_api.http.gateway.handler import serve

OPERATION = "service-problems"

blueprint = Blueprint(OPERATION, __name__, description="Problems with active services")


@blueprint.route("/service-problems", methods=["POST"])
@blueprint.doc(
    **describe(
        OPERATION,
        SERVICE_PROBLEM_REQUEST,
        {
            201: (SERVICE_PROBLEM, "The problem is acknowledged, or its work has begun"),
            202: (None, "The supplier decides later and sends an update (KCI)"),
        },
    )
)
def raise_problem() -> Response:
    """Create a problem/incident for an active service owned by the communications provider (CP).

    The supplier validates the request and rejects it with 422 and the reasons, or accepts it: with
    201 and its reference, the problem being ACKNOWLEDGED or already IN_PROGRESS; or with 202 if it
    has to look closer, and then an update (KCI) acknowledges or rejects the problem.
    """
    return serve(
        OPERATION,
        SERVICE_PROBLEM_REQUEST,
        lambda desk, caller, document: desk.raise_problem(caller, document),
    )
