"""How a request comes in: who calls, with which headers, and with which document."""

from collections.abc import Callable

from flask import current_app, request
from marshmallow import Schema

from supplier_api.contract import Invalid, load, load_kci, read_json
from supplier_api.contract.headers import CONVERSATION_ID, REQUEST_ID, TENANT
from supplier_api.http.request_parsing import (
    Findings,
    check_query,
    check_visible,
    read_body,
    read_headers,
)
from supplier_api.http_client.sessions import is_loopback
from supplier_api.sandbox.gateway.access import BadToken, Party, PartyAuth, Side
from supplier_api.sandbox.gateway.codes import GatewayErrorCode, GatewayRefusal
from supplier_api.sandbox.gateway.config import SupplierAccount
from supplier_api.sandbox.gateway.inbox import Origin
from supplier_api.sandbox.gateway.model import Document

REQUIRED_HEADERS = (REQUEST_ID, CONVERSATION_ID)
# How testers choose an outcome at the supplier.
SCENARIO_HEADERS = ("X-Scenario", "X-Problem-Code", "X-Kci-Delay")
TOO_LONG = "body: longer than {limit} bytes"


def caller(access: PartyAuth, side: Side) -> Party:
    """Return whose token the current request bears. Raises Refusal (401), or WrongSide."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise BadToken
        return access.party(side, token.strip())
    except BadToken:
        message = "Authorization: expected a bearer token of this gateway that has not ended"
        raise GatewayRefusal(401, GatewayErrorCode.NOT_AUTHORISED, [message]) from None


def check_admin(access: PartyAuth) -> None:
    """Raise Refusal (401), or WrongSide, unless the current request may use the admin door.

    Raises Invalid for parameters behind the question mark: none is known there.

    From this machine it needs no token, as long as the process listens on loopback only. The name
    that it was called by must be this machine's, too: a page of another site cannot choose it.
    """
    environ = request.environ
    called_by = request.host.rsplit(":", 1)[0]
    here = (request.remote_addr or "", str(environ.get("SERVER_NAME", "")), called_by)
    if not all(is_loopback(name.strip("[]")) for name in here):
        caller(access, Side.ADMIN)
    check_query(request, known=())


def check_headers() -> None:
    """Raise Malformed or Invalid when the headers of the current request are not as required."""
    found = Findings()
    _check_headers(found)
    if found.any():
        raise found.worst()


def document(schema: Schema, *, with_headers: bool = True) -> Document:
    """Return the current request's body as `schema` loads it, its headers checked as well.

    Raises Malformed with all that is missing or of a wrong type, or else Invalid with all the rest.
    """
    found = Findings()
    if with_headers:
        _check_headers(found)
    return _body(found, lambda data: load(schema, data))


def kci() -> Document:
    """Return the update (KCI) that the current request brings, like `document`."""
    found = Findings()
    _check_headers(found)
    return _body(found, load_kci)


def origin(supplier: SupplierAccount) -> Origin:
    """Return where the KCI comes from that the current request brings; its headers are checked.

    The published call names no tenant. Our own supplier does, in the sandbox, in a header.
    Raises Invalid.
    """
    tenant = request.headers.get(TENANT, "").strip()
    if tenant:
        check_visible({TENANT: tenant})
    return Origin(supplier, request.headers[CONVERSATION_ID].strip(), tenant or None)


def headers_for_supplier() -> dict[str, str]:
    """Return the headers of the current request that its supplier gets as they are."""
    names = (CONVERSATION_ID, *SCENARIO_HEADERS)
    return {name: request.headers[name] for name in names if name in request.headers}


def _body(found: Findings, read: Callable[[object], Document]) -> Document:
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    body = found.reading(lambda: read(read_json(read_body(request, limit, TOO_LONG))))
    if body is None or found.any():
        raise found.worst()
    return body


def _check_headers(found: Findings) -> None:
    found.reading(lambda: read_headers(request, REQUIRED_HEADERS))
    found.reading(_check_scenario_headers)


def _check_scenario_headers() -> None:
    wrong = [name for name in SCENARIO_HEADERS if not request.headers.get(name, "").isascii()]
    if wrong:
        raise Invalid([f"{name}: expected ASCII characters" for name in wrong])
