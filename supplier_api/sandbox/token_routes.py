"""The token endpoints, one for each of the gateway's faces (RFC 6749)."""

from collections.abc import Mapping

from flask import Blueprint, jsonify, request

from supplier_api.sandbox.access import Side
from supplier_api.sandbox.routes import Answer, gateway
from supplier_api.wire import Malformed

tokens = Blueprint("tokens", __name__)


@tokens.post("/auth/<any(tenant, supplier, admin):side>/access-token")
def give_token(side: str) -> Answer:
    """Answer a client_credentials request (RFC 6749, section 4.4)."""
    grant_type = request.form.get("grant_type")
    if grant_type is None:
        return _answer({"error": "invalid_request"}, 400)
    if grant_type != "client_credentials":
        return _answer({"error": "unsupported_grant_type"}, 400)
    client_id, client_secret = _client()
    grant = gateway().access.grant(Side(side), client_id, client_secret)
    if grant is None:
        answer, status = _answer({"error": "invalid_client"}, 401)
        answer.headers["WWW-Authenticate"] = 'Basic realm="sandbox-gateway"'
        return answer, status
    told: Mapping[str, str | int] = {
        "access_token": grant.token,
        "token_type": "Bearer",
        "expires_in": grant.expires_in,
    }
    return _answer(told, 200)


@tokens.errorhandler(Malformed)
def _malformed(error: Malformed) -> Answer:
    """Answer what stands twice as RFC 6749 wants it (section 5.2)."""
    told = "; ".join(error.messages)
    return _answer({"error": "invalid_request", "error_description": told}, 400)


def _client() -> tuple[str, str]:
    """Return the client's id and secret, from HTTP Basic or else from the form."""
    basic = request.authorization
    if basic is not None and basic.type == "basic":
        return basic.username or "", basic.password or ""
    return request.form.get("client_id", ""), request.form.get("client_secret", "")


def _answer(body: Mapping[str, str | int], status: int) -> Answer:
    answer = jsonify(body)
    answer.headers["Cache-Control"] = "no-store"
    return answer, status
