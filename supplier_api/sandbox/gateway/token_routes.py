"""The token endpoints, one for each of the gateway's faces (RFC 6749)."""

from collections.abc import Mapping
from urllib.parse import unquote_plus

from flask import Blueprint, jsonify, request

from supplier_api.audit import UNKNOWN
from supplier_api.contract import Malformed
from supplier_api.sandbox.gateway.access import Side
from supplier_api.sandbox.gateway.routes import JsonAnswer, gateway

tokens = Blueprint("tokens", __name__)


@tokens.post("/auth/<any(tenant, supplier, admin):side>/access-token")
def give_token(side: str) -> JsonAnswer:
    """Answer a client_credentials request (RFC 6749, section 4.4)."""
    grant_type = request.form.get("grant_type")
    if grant_type is None:
        return _refusal(side, "invalid_request", 400)
    if grant_type != "client_credentials":
        return _refusal(side, "unsupported_grant_type", 400)
    tries = [
        (client_id, gateway().access.grant(Side(side), client_id, secret))
        for client_id, secret in _clients()
    ]
    client_id, grant = next((each for each in tries if each[1] is not None), tries[-1])
    if grant is None:
        answer, status = _refusal(side, "invalid_client", 401)
        answer.headers["WWW-Authenticate"] = 'Basic realm="sandbox-gateway"'
        return answer, status
    gateway().audit.done("token.granted", client=client_id, address=request.remote_addr, scope=side)
    told: Mapping[str, str | float] = {
        "access_token": grant.token,
        "token_type": "Bearer",
        "expires_in": grant.expires_in,
    }
    return _answer(told, 200)


@tokens.errorhandler(Malformed)
def _malformed(error: Malformed) -> JsonAnswer:
    """Answer what stands twice as RFC 6749 wants it (section 5.2)."""
    told = "; ".join(error.messages)
    return _refusal((request.view_args or {})["side"], "invalid_request", 400, told)


def _refusal(side: str, error: str, status: int, described: str | None = None) -> JsonAnswer:
    gateway().audit.refused(
        "token.refused",
        client=UNKNOWN,
        address=request.remote_addr,
        scope=side,
        status=status,
        why=error,
    )
    told = {"error": error} | ({"error_description": described} if described else {})
    return _answer(told, status)


def _clients() -> list[tuple[str, str]]:
    """Return the client's id and secret, from HTTP Basic or else from the form.

    In Basic they are encoded (RFC 6749, section 2.3.1); as most tools leave that out, both ways.
    """
    basic = request.authorization
    if basic is not None and basic.type == "basic":
        client_id, secret = basic.username or "", basic.password or ""
        return [(unquote_plus(client_id), unquote_plus(secret)), (client_id, secret)]
    return [(request.form.get("client_id", ""), request.form.get("client_secret", ""))]


def _answer(body: Mapping[str, str | float], status: int) -> JsonAnswer:
    answer = jsonify(body)
    answer.headers["Cache-Control"] = "no-store"
    return answer, status
