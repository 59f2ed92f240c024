"""Every error answer of the application, shaped in one place.

| what is raised            | status | body                       |
|---------------------------|--------|----------------------------|
| unknown path              | 404    | NOT_FOUND                  |
| wrong method              | 405    | INVALID_REQUEST            |
| NotAuthorised             | 401    | NOT_AUTHORISED             |
| Forbidden                 | 403    | none                       |
| SwitchedOff               | 501    | NOT_IMPLEMENTED            |
| Malformed                 | 400    | MALFORMED_REQUEST          |
| Invalid                   | 422    | INVALID_REQUEST            |
| NotKnown                  | 422    | NOT_FOUND                  |
| Unavailable, of any store | 503    | none                       |
| anything else             | 500    | SUPPLIER_FAULT             |
"""

from collections.abc import Sequence

from flask import Flask, Response, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from supplier_api.audit import UNKNOWN
from supplier_api.auth import AccessError, Forbidden, NotAuthorised
from supplier_api.contract import Invalid, Malformed, envelope
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.schemas import ERROR
from supplier_api.db import StoreUnavailable
from supplier_api.http.gateway.handler import (
    NotKnown,
    SwitchedOff,
    bind_request,
    dependencies,
    identified_caller,
)
from supplier_api.http.responses import empty, json_response
from supplier_api.logging import get_logger
from supplier_api.problems.errors import Unavailable

# Seconds after which a caller may try again when the store does not say.
RETRY_AFTER = 2

log = get_logger(__name__)


class SupplierApi(Api):
    """flask-smorest with our error answers."""

    DEFAULT_ERROR_RESPONSE_NAME = None
    ERROR_SCHEMA = ERROR

    def _register_pagination_header(self) -> None:
        """Describe no pages: nothing here comes in pages."""

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer what the framework raised: above all, unknown paths and wrong methods."""
        status = error.code or 500
        code, message = _FRAMEWORK.get(status, _FRAMEWORK[400])
        if status >= 500:
            return _fault(error)
        response = _refuse(status if status in _FRAMEWORK else 400, code, [message])
        if allow := error.get_response().headers.get("Allow"):
            response.headers["Allow"] = allow
        return response


_FRAMEWORK = {
    400: (ErrorCode.MALFORMED_REQUEST, "the request cannot be read"),
    404: (ErrorCode.NOT_FOUND, "there is nothing at this path"),
    405: (ErrorCode.INVALID_REQUEST, "this path does not know this method"),
}


def register_errors(app: Flask) -> None:
    """Answer what the doors, the use cases and anything unforeseen raise."""
    app.register_error_handler(NotAuthorised, _not_authorised)
    app.register_error_handler(Forbidden, _forbidden)
    app.register_error_handler(SwitchedOff, _switched_off)
    app.register_error_handler(Malformed, _malformed)
    app.register_error_handler(Invalid, _invalid)
    app.register_error_handler(NotKnown, _not_known)
    app.register_error_handler(Unavailable, _unavailable)
    app.register_error_handler(StoreUnavailable, _store_unavailable)
    app.register_error_handler(Exception, _fault)


def _audit(error: AccessError, status: int) -> None:
    """Log who was not let in, and where: the name of the route, not what was asked of it."""
    dependencies().audit.refused(
        "access.refused",
        client=error.client or UNKNOWN,
        address=request.remote_addr,
        status=status,
        route=request.endpoint,
        why=str(error),
    )


def _not_authorised(error: NotAuthorised) -> Response:
    _audit(error, 401)
    response = _refuse(401, ErrorCode.NOT_AUTHORISED, [str(error)])
    response.headers["WWW-Authenticate"] = error.challenge
    return response


def _forbidden(error: Forbidden) -> Response:
    _audit(error, 403)
    response = empty(403)
    response.headers["WWW-Authenticate"] = error.challenge
    return response


def _switched_off(_: SwitchedOff) -> Response:
    message = "this operation is not offered by this supplier"
    return _refuse(501, ErrorCode.NOT_IMPLEMENTED, [message])


def _malformed(error: Malformed) -> Response:
    return _refuse(400, ErrorCode.MALFORMED_REQUEST, error.messages)


def _invalid(error: Invalid) -> Response:
    return _refuse(422, ErrorCode.INVALID_REQUEST, error.messages)


def _not_known(error: NotKnown) -> Response:
    return _refuse(422, ErrorCode.NOT_FOUND, [str(error)])


def _unavailable(error: Unavailable) -> Response:
    with bind_request():
        log.warning("unavailable", why=str(error), retry_after=error.retry_after)
    return _later(error.retry_after)


def _store_unavailable(error: StoreUnavailable) -> Response:
    with bind_request():
        log.warning("store unavailable", exc_info=error)
    return _later(RETRY_AFTER)


def _later(seconds: int) -> Response:
    response = empty(503)
    response.headers["Retry-After"] = str(seconds)
    return response


def _fault(error: Exception) -> Response:
    """Answer 500 with a uuid under which the log has the trace, without any value."""
    uuid = _uuid()
    with bind_request():
        log.error("supplier fault", uuid=uuid, exc_info=error)
    message = "an error of the supplier; please quote the uuid"
    return json_response(envelope(ErrorCode.SUPPLIER_FAULT, [message], uuid), 500)


def _refuse(status: int, code: ErrorCode, messages: Sequence[str]) -> Response:
    return json_response(envelope(code, messages, _uuid()), status)


def _uuid() -> str:
    caller = identified_caller()
    if caller is None:
        return str(dependencies().chance.uuid(""))
    return str(dependencies().chance.uuid(caller.tenant, "error", caller.request_id))
