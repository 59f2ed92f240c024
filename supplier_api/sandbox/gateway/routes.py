"""The gateway's paths: for tenants, suppliers, testers, monitors, and the token endpoints."""

from collections.abc import Mapping
from urllib.parse import unquote_plus

from flask import Blueprint, Response, jsonify, request

from supplier_api.audit import UNKNOWN
from supplier_api.clock import from_wire
from supplier_api.contract import KCI, Malformed
from supplier_api.contract.headers import CONVERSATION_ID, TENANT
from supplier_api.contract.kci import KCI_EXAMPLE
from supplier_api.contract.limits import ID_MAX
from supplier_api.contract.schemas import RESOLUTION_ANSWER_REQUEST
from supplier_api.http.request_parsing import check_visible, whole_number
from supplier_api.sandbox.gateway import messages, openapi
from supplier_api.sandbox.gateway.access import Side
from supplier_api.sandbox.gateway.calls import SCENARIO_HEADERS, SideBlueprint, gateway
from supplier_api.sandbox.gateway.clock_and_ids import ALL
from supplier_api.sandbox.gateway.codes import CallKind, invalid, not_found
from supplier_api.sandbox.gateway.config import SupplierAccount, TenantAccount
from supplier_api.sandbox.gateway.database import value
from supplier_api.sandbox.gateway.inbox import Origin
from supplier_api.sandbox.gateway.model import Document
from supplier_api.sandbox.gateway.tenant_requests import unknown_resolution

tenants = SideBlueprint(Side.TENANT, "tenants", "What tenants ask for and see")
suppliers = SideBlueprint(Side.SUPPLIER, "suppliers", "What suppliers tell")
testers = SideBlueprint(Side.ADMIN, "testers", "What no supplier can make happen")
described = (tenants, suppliers, testers)
routes = Blueprint("sandbox", __name__)
tokens = Blueprint("tokens", __name__)

JsonAnswer = tuple[Response, int]


@tenants.call(
    "POST",
    "/service-problems",
    "service-problems",
    (
        201,
        "Problem request was received by the gateway and will be acknowledged later",
        openapi.SERVICE_PROBLEM,
    ),
    body=messages.TENANT_PROBLEM,
    scenario=True,
)
def raise_problem(tenant: TenantAccount, document: Document) -> Document:
    """Create a problem/incident for an active service owned by the communications provider (CP).

    The problem is sent to its supplier for processing; further updates follow.
    """
    return gateway().tenant_requests.raise_problem(tenant, _headers_for_supplier(), document)


@tenants.call(
    "GET",
    "/service-problems/<id>",
    "service-problem",
    (200, "The service problem and its updates", openapi.SERVICE_PROBLEM),
    errors=(400, 401, 403, 404, 422, 500, 503),
    path_id="Find details relating to the specified service problem",
)
def show_problem(tenant: TenantAccount, **path: str) -> Document:
    """Retrieve current service problem details including updates (KCIs)."""
    problem_id = whole_number(path["id"], 0, ID_MAX)
    if problem_id is None:
        raise not_found(404, "id: you have no service problem of that id")
    return gateway().tenant_requests.show(tenant, problem_id)


@tenants.call(
    "POST",
    "/service-problem-amendments",
    "service-problem-amendments",
    (201, "The amendment was received by the gateway", openapi.AMENDMENT),
    body=messages.TENANT_AMENDMENT,
    scenario=True,
)
def amend(tenant: TenantAccount, document: Document) -> Document:
    """Request to amend an inflight service problem: only the fields supplied are changed."""
    return _change(tenant, CallKind.AMENDMENT, document)


@tenants.call(
    "POST",
    "/service-problem-cancellations",
    "service-problem-cancellations",
    (201, "The cancellation was received by the gateway", openapi.CANCELLATION),
    body=messages.TENANT_CANCELLATION,
    scenario=True,
)
def cancel(tenant: TenantAccount, document: Document) -> Document:
    """Request to cancel an inflight service problem."""
    return _change(tenant, CallKind.CANCELLATION, document)


@tenants.call(
    "PATCH",
    "/service-problem-resolutions/<id>",
    "service-problem-resolutions",
    (200, "The tenant's word was received by the gateway", openapi.RESOLUTION),
    path_id="The gateway's id of the resolution, as the update that asks shows it",
    body=RESOLUTION_ANSWER_REQUEST,
    scenario=True,
)
def answer_resolution(tenant: TenantAccount, document: Document, **path: str) -> Document:
    """Accept or reject the resolution of a service problem."""
    resolution_id = whole_number(path["id"], 0, ID_MAX)
    if resolution_id is None:
        raise unknown_resolution()
    headers = _headers_for_supplier()
    return gateway().tenant_requests.answer_resolution(tenant, resolution_id, headers, document)


def _change(tenant: TenantAccount, kind: CallKind, document: Document) -> Document:
    return gateway().tenant_requests.change(tenant, kind, _headers_for_supplier(), document)


def _headers_for_supplier() -> dict[str, str]:
    """Return the headers of the current request that its supplier gets as they are."""
    names = (CONVERSATION_ID, *SCENARIO_HEADERS)
    return {name: request.headers[name] for name in names if name in request.headers}


@suppliers.call(
    "POST", "/kcis", "kcis", (204, "The update was taken", None), body=KCI, example=KCI_EXAMPLE
)
def take_kci(supplier: SupplierAccount, document: Document) -> None:
    """Take an update (KCI) from a supplier.

    The same id again changes nothing. Updates take effect in the order of their numbers.
    """
    # The published call names no tenant. Our own supplier does, in the sandbox, in a header.
    tenant = request.headers.get(TENANT, "").strip()
    if tenant:
        check_visible({TENANT: tenant})
    conversation_id = request.headers[CONVERSATION_ID].strip()
    gateway().inbox.take(Origin(supplier, conversation_id, tenant or None), document)


@testers.call(
    "POST",
    "/admin/updates",
    "admin-updates",
    (201, "The update was added to the problem", openapi.ADMIN_UPDATE_MADE),
    body=messages.ADMIN_UPDATE,
)
def make_update(_: object, document: Document) -> Document:
    """Make an update to which no supplier's KCI leads: RESCHEDULED, RESUBMIT, CONTACT_..."""
    return gateway().tester_requests.make_update(document)


@testers.call(
    "POST",
    "/admin/clock",
    "admin-clock",
    (204, "The clock is there", None),
    body=messages.ADMIN_CLOCK,
    example={"tenant": "TENANT1", "to": "2026-01-10T12:00:00.000Z", "freeze": True},
)
def put_clock(_: object, document: Document) -> None:
    """Put business time to another time, or let it go again: what the supplier under test does."""
    clock, tenant = gateway().clock, document.get("tenant", ALL)
    to, forget = document.get("to"), document.get("forget", False)
    if (to is not None) is forget:
        raise invalid("to: expected either a time, or forget as true")
    if forget:
        clock.forget(tenant)
    else:
        clock.put(tenant, from_wire(str(to)), stands=document.get("freeze", False))


@testers.call(
    "POST",
    "/admin/reset",
    "admin-reset",
    (204, "Nothing of it is left", None),
    body=messages.ADMIN_RESET,
    example={"tenant": "TENANT1", "seed": 42},
)
def start_afresh(_: object, document: Document) -> None:
    """Forget problems at our own supplier: what that supplier does when it is put back.

    With a seed the ids that the gateway gives are the same every time. The clock is another call.
    """
    tenant = document.get("tenant")
    if (tenant is not None) is document.get("all", False):
        raise invalid("tenant: expected one, or none and all as true")
    gateway().tester_requests.start_afresh(tenant, document.get("seed"))


@routes.get("/health/live")
def live() -> JsonAnswer:
    """Say that the process answers."""
    return jsonify(status="live"), 200


@routes.get("/health/ready")
def ready() -> JsonAnswer:
    """Say that the database answers, too; where it does not, the error handlers say 503."""
    gateway().services.read(lambda records: value(records.connection, "schema"))
    return jsonify(status="ready"), 200


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
