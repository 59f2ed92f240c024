"""POST /service-problem-cancellations."""

from flask import Response
from flask_smorest import Blueprint

from supplier_api.contract.schemas import CANCELLATION, CANCELLATION_REQUEST
from supplier_api.http.gateway.description import describe
from supplier_api.http.gateway.handler import serve

OPERATION = "service-problem-cancellations"

blueprint = Blueprint(OPERATION, __name__, description="Cancellations of problems under way")


@blueprint.route("/service-problem-cancellations", methods=["POST"])
@blueprint.doc(
    **describe(
        OPERATION,
        CANCELLATION_REQUEST,
        {
            201: (CANCELLATION, "The problem is cancelled"),
            202: (CANCELLATION, "The supplier decides later and sends an update (KCI)"),
        },
    )
)
def cancel() -> Response:
    """Request to cancel an inflight service problem.

    The supplier rejects the cancellation with 422 and the reasons, confirms it with 201, or answers
    202 if it has to look closer, and then an update (KCI) confirms or rejects it.
    """
    return serve(
        OPERATION,
        CANCELLATION_REQUEST,
        lambda desk, caller, document: desk.cancel(caller, document),
    )
