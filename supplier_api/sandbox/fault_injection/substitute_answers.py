"""What is answered in the desk's place, where a fault wants a request not to be done."""

from collections.abc import Callable, Mapping
from typing import NoReturn

from flask import Response, request

from supplier_api.auth import GrantError, NotAuthorised
from supplier_api.auth.tokens import REALM
from supplier_api.contract.codes import ErrorCode
from supplier_api.http.responses import empty
from supplier_api.sandbox.admin.dependencies import AdminParts
from supplier_api.sandbox.fault_injection.model import Fault
from supplier_api.sandbox.fault_injection.parameters import When

# Where a request carries the fault that struck it.
STRUCK = "supplier_api.fault"
TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path


def comes_after(fault: Fault) -> bool:
    """Tell whether the desk does the request before the fault strikes."""
    has_choice = any(parameter.name == "when" for parameter in fault.kind.parameters)
    return has_choice and bool(fault.get("when") == When.AFTER)


def answer_instead(parts: AdminParts) -> Response | None:
    """Answer the current request in the desk's place, where it must not be done."""
    fault: Fault | None = request.environ.get(STRUCK)
    if fault is None or comes_after(fault):
        return None
    return stand_in(fault, parts) if fault.kind.name in STAND_INS else None


def stand_in(fault: Fault, parts: AdminParts) -> Response:
    """Return what is answered in the place of the desk's answer."""
    return STAND_INS[fault.kind.name](fault, parts)


def _server_error(_fault: Fault, parts: AdminParts) -> Response:
    return parts.refuse(500, ErrorCode.SUPPLIER_FAULT, "an error of the supplier, made on purpose")


def _forbidden(_fault: Fault, _parts: AdminParts) -> Response:
    return empty(403)


def _not_implemented(_fault: Fault, parts: AdminParts) -> Response:
    told = "an operation that is switched off, on purpose"
    return parts.refuse(501, ErrorCode.NOT_IMPLEMENTED, told)


def _any_status(fault: Fault, _parts: AdminParts) -> Response:
    response = empty(fault.get("code"))
    if fault.get("body"):
        response.set_data(fault.get("body"))
        response.headers["Content-Type"] = fault.get("type")
    return response


def _unavailable(fault: Fault, _parts: AdminParts) -> Response:
    response = empty(503)
    response.headers["Retry-After"] = str(fault.get("retryAfter"))
    return response


def _nothing(_fault: Fault, _parts: AdminParts) -> Response:
    """Return what stands for no answer at all; the connection is closed in its place."""
    return empty(503)


def _token_expired(_fault: Fault, _parts: AdminParts) -> NoReturn:
    raise _not_authorised("the token has expired")


def _token_refused(_fault: Fault, _parts: AdminParts) -> NoReturn:
    if request.path == TOKEN_PATH:
        raise GrantError("invalid_client", "refused on purpose", status=401)
    raise _not_authorised("the token is not valid")


def _not_authorised(why: str) -> NotAuthorised:
    challenge = f'{REALM}, error="invalid_token", error_description="{why}"'
    return NotAuthorised(f"Authorization: {why}", challenge)


STAND_INS: Mapping[str, Callable[[Fault, AdminParts], Response]] = {
    "403": _forbidden,
    "500": _server_error,
    "501": _not_implemented,
    "status": _any_status,
    "503": _unavailable,
    "hang": _nothing,
    "reset": _nothing,
    "expired-token": _token_expired,
    "refused-token": _token_refused,
}
