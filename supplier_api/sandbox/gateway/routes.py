"""The gateway's paths: for tenants, suppliers, testers, monitors, and the token endpoints."""

from collections.abc import Mapping
from typing import cast
from urllib.parse import unquote_plus

from flask import Blueprint, Response, current_app, jsonify, request
from flask_smorest import Blueprint as Described

from supplier_api.audit import UNKNOWN
from supplier_api.clock import from_wire
from supplier_api.contract import KCI, Malformed
from supplier_api.contract.kci import KCI_EXAMPLE
from supplier_api.contract.limits import ID_MAX
from supplier_api.contract.schemas import RESOLUTION_ANSWER_REQUEST
from supplier_api.http.openapi import response
from supplier_api.http.request_parsing import whole_number
from supplier_api.sandbox.gateway import messages, openapi, request_parsing
from supplier_api.sandbox.gateway.access import Side
from supplier_api.sandbox.gateway.assembly import SandboxGateway
from supplier_api.sandbox.gateway.clock_and_ids import ALL
from supplier_api.sandbox.gateway.codes import CallKind, invalid, not_found
from supplier_api.sandbox.gateway.config import SupplierAccount, TenantAccount
from supplier_api.sandbox.gateway.database import value
from supplier_api.sandbox.gateway.model import Document
from supplier_api.sandbox.gateway.openapi import describe, path_id
from supplier_api.sandbox.gateway.tenant_requests import unknown_resolution

tenants = Described("tenants", __name__, description="What tenants ask for and see")
suppliers = Described("suppliers", __name__, description="What suppliers tell")
testers = Described("testers", __name__, description="What no supplier can make happen")
described = (tenants, suppliers, testers)
routes = Blueprint("sandbox", __name__)
tokens = Blueprint("tokens", __name__)

JsonAnswer = tuple[Response, int]


def gateway() -> SandboxGateway:
    """Return the gateway that the current application serves."""
    return cast("SandboxGateway", current_app.extensions["sandbox"])


@tenants.route("/service-problems", methods=["POST"])
@tenants.doc(
    **describe(
        "service-problems",
        Side.TENANT,
        {
            201: response(
                "Problem request was received by the gateway and will be acknowledged later",
                openapi.SERVICE_PROBLEM,
            )
        },
        request=messages.TENANT_PROBLEM,
        scenario=True,
    )
)
def raise_problem() -> JsonAnswer:
    """Create a problem/incident for an active service owned by the communications provider (CP).

    The problem is sent to its supplier for processing; further updates follow.
    """
    tenant = _tenant()
    document = request_parsing.document(messages.TENANT_PROBLEM)
    view = gateway().tenant_requests.raise_problem(
        tenant, request_parsing.headers_for_supplier(), document
    )
    return jsonify(view), 201


@tenants.route(
    "/service-problems/<id>",
    methods=["GET"],
    parameters=[path_id("Find details relating to the specified service problem")],
)
@tenants.doc(
    **describe(
        "service-problem",
        Side.TENANT,
        {200: response("The service problem and its updates", openapi.SERVICE_PROBLEM)},
        errors=(400, 401, 403, 404, 422, 500, 503),
    )
)
def show_problem(**path: str) -> JsonAnswer:
    """Retrieve current service problem details including updates (KCIs)."""
    tenant = _tenant()
    request_parsing.check_headers()
    problem_id = whole_number(path["id"], 0, ID_MAX)
    if problem_id is None:
        raise not_found(404, "id: you have no service problem of that id")
    return jsonify(gateway().tenant_requests.show(tenant, problem_id)), 200


@tenants.route("/service-problem-amendments", methods=["POST"])
@tenants.doc(
    **describe(
        "service-problem-amendments",
        Side.TENANT,
        {201: response("The amendment was received by the gateway", openapi.AMENDMENT)},
        request=messages.TENANT_AMENDMENT,
        scenario=True,
    )
)
def amend() -> JsonAnswer:
    """Request to amend an inflight service problem: only the fields supplied are changed."""
    tenant = _tenant()
    document = request_parsing.document(messages.TENANT_AMENDMENT)
    return _change(tenant, CallKind.AMENDMENT, document)


@tenants.route("/service-problem-cancellations", methods=["POST"])
@tenants.doc(
    **describe(
        "service-problem-cancellations",
        Side.TENANT,
        {201: response("The cancellation was received by the gateway", openapi.CANCELLATION)},
        request=messages.TENANT_CANCELLATION,
        scenario=True,
    )
)
def cancel() -> JsonAnswer:
    """Request to cancel an inflight service problem."""
    tenant = _tenant()
    document = request_parsing.document(messages.TENANT_CANCELLATION)
    return _change(tenant, CallKind.CANCELLATION, document)


@tenants.route(
    "/service-problem-resolutions/<id>",
    methods=["PATCH"],
    parameters=[path_id("The gateway's id of the resolution, as the update that asks shows it")],
)
@tenants.doc(
    **describe(
        "service-problem-resolutions",
        Side.TENANT,
        {200: response("The tenant's word was received by the gateway", openapi.RESOLUTION)},
        request=RESOLUTION_ANSWER_REQUEST,
        scenario=True,
    )
)
def answer_resolution(**path: str) -> JsonAnswer:
    """Accept or reject the resolution of a service problem."""
    tenant = _tenant()
    document = request_parsing.document(RESOLUTION_ANSWER_REQUEST)
    resolution_id = whole_number(path["id"], 0, ID_MAX)
    if resolution_id is None:
        raise unknown_resolution()
    headers = request_parsing.headers_for_supplier()
    view = gateway().tenant_requests.answer_resolution(tenant, resolution_id, headers, document)
    return jsonify(view), 200


@suppliers.route("/kcis", methods=["POST"])
@suppliers.doc(
    **describe(
        "kcis",
        Side.SUPPLIER,
        {204: response("The update was taken")},
        request=KCI,
        example=KCI_EXAMPLE,
    )
)
def take_kci() -> tuple[str, int]:
    """Take an update (KCI) from a supplier.

    The same id again changes nothing. Updates take effect in the order of their numbers.
    """
    supplier = cast("SupplierAccount", request_parsing.caller(gateway().access, Side.SUPPLIER))
    document = request_parsing.kci()
    gateway().inbox.take(request_parsing.origin(supplier), document)
    return "", 204


@testers.route("/admin/updates", methods=["POST"])
@testers.doc(
    **describe(
        "admin-updates",
        Side.ADMIN,
        {201: response("The update was added to the problem", openapi.ADMIN_UPDATE_MADE)},
        request=messages.ADMIN_UPDATE,
    )
)
def make_update() -> JsonAnswer:
    """Make an update to which no supplier's KCI leads: RESCHEDULED, RESUBMIT, CONTACT_..."""
    request_parsing.check_admin(gateway().access)
    document = request_parsing.document(messages.ADMIN_UPDATE, with_headers=False)
    return jsonify(gateway().tester_requests.make_update(document)), 201


@testers.route("/admin/clock", methods=["POST"])
@testers.doc(
    **describe(
        "admin-clock",
        Side.ADMIN,
        {204: response("The clock is there")},
        request=messages.ADMIN_CLOCK,
        example={"tenant": "TENANT1", "to": "2026-01-10T12:00:00.000Z", "freeze": True},
    )
)
def put_clock() -> tuple[str, int]:
    """Put business time to another time, or let it go again: what the supplier under test does."""
    request_parsing.check_admin(gateway().access)
    document = request_parsing.document(messages.ADMIN_CLOCK, with_headers=False)
    clock, tenant = gateway().clock, document.get("tenant", ALL)
    to, forget = document.get("to"), document.get("forget", False)
    if (to is not None) is forget:
        raise invalid("to: expected either a time, or forget as true")
    if forget:
        clock.forget(tenant)
    else:
        clock.put(tenant, from_wire(str(to)), stands=document.get("freeze", False))
    return "", 204


@testers.route("/admin/reset", methods=["POST"])
@testers.doc(
    **describe(
        "admin-reset",
        Side.ADMIN,
        {204: response("Nothing of it is left")},
        request=messages.ADMIN_RESET,
        example={"tenant": "TENANT1", "seed": 42},
    )
)
def start_afresh() -> tuple[str, int]:
    """Forget problems at our own supplier: what that supplier does when it is put back.

    With a seed the ids that the gateway gives are the same every time. The clock is another call.
    """
    request_parsing.check_admin(gateway().access)
    document = request_parsing.document(messages.ADMIN_RESET, with_headers=False)
    tenant = document.get("tenant")
    if (tenant is not None) is document.get("all", False):
        raise invalid("tenant: expected one, or none and all as true")
    gateway().tester_requests.start_afresh(tenant, document.get("seed"))
    return "", 204


@routes.get("/health/live")
def live() -> JsonAnswer:
    """Say that the process answers."""
    return jsonify(status="live"), 200


@routes.get("/health/ready")
def ready() -> JsonAnswer:
    """Say that the database answers, too; where it does not, the error handlers say 503."""
    gateway().services.read(lambda records: value(records.connection, "schema"))
    return jsonify(status="ready"), 200


def _tenant() -> TenantAccount:
    return cast("TenantAccount", request_parsing.caller(gateway().access, Side.TENANT))


def _change(tenant: TenantAccount, kind: CallKind, document: Document) -> JsonAnswer:
    view = gateway().tenant_requests.change(
        tenant, kind, request_parsing.headers_for_supplier(), document
    )
    return jsonify(view), 201


@tokens.post("/auth/<any(tenant, supplier, admin):side>/access-token")
def give_token(side: str) -> JsonAnswer:
    """Answer a client_credentials request (RFC 6749, section 4.4)."""
    grant_type = request.form.get("grant_type")
    if grant_type is None:
        return _token_refusal(side, "invalid_request", 400)
    if grant_type != "client_credentials":
        return _token_refusal(side, "unsupported_grant_type", 400)
    tries = [
        (client_id, gateway().access.grant(Side(side), client_id, secret))
        for client_id, secret in _clients()
    ]
    client_id, grant = next((each for each in tries if each[1] is not None), tries[-1])
    if grant is None:
        answer, status = _token_refusal(side, "invalid_client", 401)
        answer.headers["WWW-Authenticate"] = 'Basic realm="sandbox-gateway"'
        return answer, status
    gateway().audit.done("token.granted", client=client_id, address=request.remote_addr, scope=side)
    body: Mapping[str, str | float] = {
        "access_token": grant.token,
        "token_type": "Bearer",
        "expires_in": grant.expires_in,
    }
    return _token_answer(body, 200)


@tokens.errorhandler(Malformed)
def _malformed(error: Malformed) -> JsonAnswer:
    """Answer a parameter that comes twice as RFC 6749 wants it (section 5.2)."""
    description = "; ".join(error.messages)
    return _token_refusal((request.view_args or {})["side"], "invalid_request", 400, description)


def _token_refusal(
    side: str, error: str, status: int, description: str | None = None
) -> JsonAnswer:
    gateway().audit.refused(
        "token.refused",
        client=UNKNOWN,
        address=request.remote_addr,
        scope=side,
        status=status,
        why=error,
    )
    body = {"error": error} | ({"error_description": description} if description else {})
    return _token_answer(body, status)


def _clients() -> list[tuple[str, str]]:
    """Return the client's id and secret, from HTTP Basic or else from the form.

    In Basic they are encoded (RFC 6749, section 2.3.1); as most tools leave that out, both ways.
    """
    basic = request.authorization
    if basic is not None and basic.type == "basic":
        client_id, secret = basic.username or "", basic.password or ""
        return [(unquote_plus(client_id), unquote_plus(secret)), (client_id, secret)]
    return [(request.form.get("client_id", ""), request.form.get("client_secret", ""))]


def _token_answer(body: Mapping[str, str | float], status: int) -> JsonAnswer:
    answer = jsonify(body)
    answer.headers["Cache-Control"] = "no-store"
    return answer, status
