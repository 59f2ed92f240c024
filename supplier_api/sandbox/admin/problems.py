"""/admin/problems: the supplier's view of one problem."""

from flask import Response
from flask_smorest import Blueprint

from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.schemas import ERROR
from supplier_api.http.responses import json_response
from supplier_api.problems import view
from supplier_api.sandbox.admin.dependencies import AdminParts
from supplier_api.sandbox.admin.description import TENANT_IN_QUERY, admin_blueprint, describe, path
from supplier_api.sandbox.admin.query_params import asked_tenant

NAME = path(
    "name",
    "Our reference of the problem or of an amendment, cancellation or resolution of it; the"
    " gateway's id; the back office's ticket; a conversation; a service",
    {"type": "string", "minLength": 1},
    example="SP_7K2M9QX4TD",
)
SHOWN = {
    "type": "object",
    "required": ["reference", "tenant", "gatewayId", "status", "timeline", "timers"],
    "properties": {
        "reference": {"type": "string"},
        "tenant": {"type": "string"},
        "gatewayId": {"type": "integer"},
        "status": {"type": "string"},
        "timeline": {"type": "array", "items": {"type": "object"}},
        "timers": {"type": "array", "items": {"type": "object"}},
    },
}


def routes(parts: AdminParts) -> Blueprint:
    """Return the route of the problems."""
    blueprint = admin_blueprint("problems", "What the supplier knows of a problem")
    store = parts.services.store

    @blueprint.route("/problems/<rest:name>", methods=["GET"])
    @blueprint.doc(
        **describe(
            "problem",
            {
                200: (SHOWN, "The problem"),
                404: (ERROR, "There is none of that name"),
                409: (ERROR, "The name stands for several"),
                422: (ERROR, "There can be no such tenant"),
            },
            parameters=[NAME, TENANT_IN_QUERY],
        )
    )
    def show(name: str) -> Response:
        """Show a problem: what was asked, answered, done and sent, and what comes next."""
        tenant = asked_tenant()
        found = [
            problem
            for problem in store.read(lambda uow: view.find(uow, name))
            if tenant in {None, problem.tenant}
        ]
        if not found:
            return parts.refuse(404, ErrorCode.NOT_FOUND, "name: no such problem")
        if len(found) > 1:
            each = [f"{one.reference} of {one.tenant}" for one in found]
            return parts.refuse(409, ErrorCode.INVALID_REQUEST, "name: stands for several", *each)
        return json_response(store.read(lambda uow: view.show(uow, found[0])))

    return blueprint
