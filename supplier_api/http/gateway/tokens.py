"""The token endpoint (RFC 6749, section 4.4) and the public keys (RFC 7517)."""

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from supplier_api.audit import UNKNOWN
from supplier_api.auth import GrantError
from supplier_api.contract import Malformed, refusals
from supplier_api.http.gateway.handler import dependencies
from supplier_api.http.request_parsing import json_response

TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path
FORM = "application/x-www-form-urlencoded"

blueprint = Blueprint("tokens", __name__)


@blueprint.post(TOKEN_PATH)
def give_token() -> Response:
    """Give a client a token for the scopes it asks for, or for all of its own."""
    if request.mimetype != FORM:
        raise GrantError("invalid_request", f"expected {FORM}")
    try:
        form = list(request.form.items(multi=True))
    except RequestEntityTooLarge:
        raise GrantError("invalid_request", "the body is too long") from None
    grant = dependencies().credentials.grant(request.headers.get("Authorization"), form)
    dependencies().audit.done(
        "token.granted", client=grant.client, address=request.remote_addr, scope=grant.scope
    )
    return _uncached(
        json_response(
            {
                "access_token": grant.access_token,
                "token_type": "Bearer",
                "expires_in": grant.expires_in,
                "scope": grant.scope,
            },
            200,
        )
    )


@blueprint.get("/.well-known/jwks.json")
def show_keys() -> Response:
    """Return the keys that our tokens can be verified with."""
    return json_response(dependencies().ring.jwks(), 200)


@blueprint.errorhandler(Malformed)
def _malformed(error: Malformed) -> Response:
    """Answer what stands twice as RFC 6749 wants it (section 5.2)."""
    return _refuse(GrantError("invalid_request", "; ".join(error.messages)))


@blueprint.errorhandler(GrantError)
def _refuse(error: GrantError) -> Response:
    dependencies().audit.refused(
        "token.refused",
        client=error.client or UNKNOWN,
        address=request.remote_addr,
        status=error.status,
        why=error.error,
    )
    body = {"error": error.error, "error_description": error.description}
    response = _uncached(json_response(body, error.status))
    if error.status == refusals.NOT_AUTHORISED.answer.status:
        response.headers["WWW-Authenticate"] = 'Basic realm="supplier-api"'
    return response


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response
