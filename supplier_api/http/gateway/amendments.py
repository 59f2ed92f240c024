"""POST /service-problem-amendments (*supplier-amend*)."""

from flask import Response
from flask_smorest import Blueprint

from supplier_api.contract.schemas import AMENDMENT, AMENDMENT_REQUEST
from supplier_api.http.gateway.description import describe
from supplier_api.http.gateway.handler import serve

OPERATION = "service-problem-amendments"

blueprint = Blueprint(OPERATION, __name__, description="Changes to problems under way")


@blueprint.route("/service-problem-amendments", methods=["POST"])
@blueprint.doc(
    **describe(
        OPERATION,
        AMENDMENT_REQUEST,
        {
            201: (AMENDMENT, "The amendment is applied"),
            202: (AMENDMENT, "The supplier decides later and sends an update (KCI)"),
        },
    )
)
def amend() -> Response:
    """Request to amend an inflight service problem.

    One or more fields are amended; only those that are supplied change. The supplier rejects the
    amendment with 422 and the reasons, confirms it with 201, or answers 202 if it has to look
    closer, and then an update (KCI) confirms or rejects it.
    """
    return serve(
        OPERATION,
        AMENDMENT_REQUEST,
        lambda desk, caller, document: desk.amend(caller, document),
    )
