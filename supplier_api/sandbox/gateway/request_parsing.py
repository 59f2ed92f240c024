"""How a request comes in: who calls, with which headers, and with which document."""

import re
from collections.abc import Callable
from ipaddress import ip_address

from flask import Request, request
from werkzeug.exceptions import RequestEntityTooLarge

from supplier_api.contract import Invalid, Malformed, read_json
from supplier_api.contract.limits import HEADER_MAX
from supplier_api.sandbox.gateway.access import BadToken, Party, PartyAuth, Side
from supplier_api.sandbox.gateway.adopting import Origin
from supplier_api.sandbox.gateway.codes import GatewayErrorCode, GatewayRefusal
from supplier_api.sandbox.gateway.config import SupplierAccount
from supplier_api.sandbox.gateway.model import Document

TENANT = "Tenant"
REQUIRED_HEADERS = ("X-Request-ID", "X-Conversation-ID")
# How testers choose an outcome at the supplier.
SCENARIO_HEADERS = ("X-Scenario", "X-Problem-Code", "X-Kci-Delay")
VISIBLE_ASCII = re.compile(rf"[!-~]{{1,{HEADER_MAX}}}")


def caller(access: PartyAuth, side: Side) -> Party:
    """Return whose token the current request bears. Raises Refusal (401), or WrongSide."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise BadToken
        return access.party(side, token.strip())
    except BadToken:
        told = "Authorization: expected a bearer token of this gateway that has not ended"
        raise GatewayRefusal(401, GatewayErrorCode.NOT_AUTHORISED, [told]) from None


def check_admin(access: PartyAuth) -> None:
    """Raise Refusal (401), or WrongSide, unless the current request may use the admin door.

    Raises Invalid for parameters behind the question mark: none is known there.

    From this machine it needs no token, as long as the process listens on loopback only. The name
    that it was called by must be this machine's, too: a page of another site cannot choose it.
    """
    environ = request.environ
    called_by = request.host.rsplit(":", 1)[0]
    here = (request.remote_addr or "", str(environ.get("SERVER_NAME", "")), called_by)
    if not all(_is_loopback(name) for name in here):
        caller(access, Side.ADMIN)
    if request.args:
        raise Invalid([f"{name[:HEADER_MAX]}: unknown; expected none" for name in request.args])


def check_headers() -> None:
    """Raise Malformed or Invalid when the headers of the current request are not as required."""
    _refuse(*_header_findings(request))


def document(load: Callable[[object], Document], *, with_headers: bool = True) -> Document:
    """Return the current request's body as `load` reads it, its headers checked as well.

    Raises Malformed with all that is missing or of a wrong type, or else Invalid with all the rest.
    """
    malformed, invalid = _header_findings(request) if with_headers else ([], [])
    try:
        read = load(read_json(_body(request)))
    except Malformed as error:
        malformed += error.messages
    except Invalid as error:
        invalid += error.messages
    else:
        _refuse(malformed, invalid)
        return read
    raise Malformed(malformed) if malformed else Invalid(invalid)


def origin(supplier: SupplierAccount) -> Origin:
    """Return where the KCI comes from that the current request brings; its headers are checked.

    The published call names no tenant. Our own supplier does, in the sandbox, in a header.
    Raises Invalid.
    """
    tenant = request.headers.get(TENANT, "").strip()
    if tenant and not VISIBLE_ASCII.fullmatch(tenant):
        raise Invalid([f"{TENANT}: expected 1 to {HEADER_MAX} visible ASCII characters"])
    return Origin(supplier, request.headers["X-Conversation-ID"].strip(), tenant or None)


def headers_for_supplier() -> dict[str, str]:
    """Return the headers of the current request that its supplier gets as they are."""
    names = ("X-Conversation-ID", *SCENARIO_HEADERS)
    return {name: request.headers[name] for name in names if name in request.headers}


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"


def _header_findings(incoming: Request) -> tuple[list[str], list[str]]:
    # Blanks alone are taken off: what else a text may call white is no visible ASCII character.
    values = {name: incoming.headers.get(name, "").strip(" \t") for name in REQUIRED_HEADERS}
    missing = [f"{name}: missing" for name, value in values.items() if not value]
    wrong = [
        f"{name}: expected 1 to {HEADER_MAX} visible ASCII characters"
        for name, value in values.items()
        if value and not VISIBLE_ASCII.fullmatch(value)
    ]
    wrong += [
        f"{name}: expected ASCII characters"
        for name in SCENARIO_HEADERS
        if not incoming.headers.get(name, "").isascii()
    ]
    return missing, wrong


def _body(incoming: Request) -> bytes:
    if incoming.mimetype != "application/json":
        raise Malformed(["Content-Type: expected application/json"])
    try:
        return incoming.get_data(cache=False)
    except RequestEntityTooLarge:
        raise Malformed([f"body: longer than {incoming.max_content_length} bytes"]) from None


def _refuse(malformed: list[str], invalid: list[str]) -> None:
    if malformed:
        raise Malformed(malformed)
    if invalid:
        raise Invalid(invalid)
