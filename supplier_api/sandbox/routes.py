"""The gateway's paths: for tenants, suppliers, tokens, and whoever watches the process."""

from collections.abc import Mapping
from typing import cast

from flask import Blueprint, Response, current_app, jsonify, request

from supplier_api.problems.limits import ID_MAX
from supplier_api.sandbox import door
from supplier_api.sandbox.access import Side
from supplier_api.sandbox.assembly import Gateway
from supplier_api.sandbox.config import Supplier, Tenant
from supplier_api.sandbox.errors import not_found
from supplier_api.sandbox.messages import TENANT_PROBLEM
from supplier_api.sandbox.tables import meta
from supplier_api.wire import load, load_kci

routes = Blueprint("sandbox", __name__)

Answer = tuple[Response, int]


def gateway() -> Gateway:
    """Return the gateway that the current application serves."""
    return cast("Gateway", current_app.extensions["sandbox"])


@routes.post("/service-problems")
def raise_problem() -> Answer:
    """Take a service problem (*tenant-create*): 201 with the gateway's view of it."""
    tenant = cast("Tenant", door.caller(gateway().access, Side.TENANT))
    document = door.document(lambda data: load(TENANT_PROBLEM, data))
    view = gateway().intake.raise_problem(tenant, door.headers_for_supplier(), document)
    return jsonify(view), 201


@routes.get("/service-problems/<problem_id>")
def show_problem(problem_id: str) -> Answer:
    """Show a service problem with its updates (*tenant-get 1.17*)."""
    tenant = cast("Tenant", door.caller(gateway().access, Side.TENANT))
    door.check_headers()
    return jsonify(gateway().intake.show(tenant, _id(problem_id))), 200


@routes.post("/kcis")
def take_kci() -> tuple[str, int]:
    """Take an update from a supplier (Supplier Updates API): 204 once it is kept."""
    supplier = cast("Supplier", door.caller(gateway().access, Side.SUPPLIER))
    gateway().inbox.take(supplier, door.document(load_kci))
    return "", 204


@routes.post("/auth/tenant/access-token")
def tenant_token() -> Answer:
    """Give a tenant a token."""
    return _token(Side.TENANT)


@routes.post("/auth/supplier/access-token")
def supplier_token() -> Answer:
    """Give a supplier a token."""
    return _token(Side.SUPPLIER)


@routes.get("/health/live")
def live() -> Answer:
    """Say that the process answers."""
    return jsonify(status="live"), 200


@routes.get("/health/ready")
def ready() -> Answer:
    """Say that the database answers, too; where it does not, the error handlers say 503."""
    gateway().database.read(lambda connection: connection.execute(meta.select()).first())
    return jsonify(status="ready"), 200


def _token(side: Side) -> Answer:
    """Answer a client_credentials request (RFC 6749, section 4.4)."""
    grant_type = request.form.get("grant_type")
    if grant_type is None:
        return _token_answer({"error": "invalid_request"}, 400)
    if grant_type != "client_credentials":
        return _token_answer({"error": "unsupported_grant_type"}, 400)
    client_id, client_secret = _client()
    grant = gateway().access.grant(side, client_id, client_secret)
    if grant is None:
        answer, status = _token_answer({"error": "invalid_client"}, 401)
        answer.headers["WWW-Authenticate"] = 'Basic realm="sandbox-gateway"'
        return answer, status
    told: Mapping[str, str | int] = {
        "access_token": grant.token,
        "token_type": "Bearer",
        "expires_in": grant.expires_in,
    }
    return _token_answer(told, 200)


def _client() -> tuple[str, str]:
    """Return the client's id and secret, from HTTP Basic or else from the form."""
    basic = request.authorization
    if basic is not None and basic.type == "basic":
        return basic.username or "", basic.password or ""
    return request.form.get("client_id", ""), request.form.get("client_secret", "")


def _token_answer(body: Mapping[str, str | int], status: int) -> Answer:
    answer = jsonify(body)
    answer.headers["Cache-Control"] = "no-store"
    return answer, status


def _id(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= len(str(ID_MAX)):
        return int(text)
    raise not_found(404, "id: you have no service problem of that id")
