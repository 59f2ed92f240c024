"""Every error answer of the application, shaped in one place.

| what is raised            | status and body                        |
|---------------------------|----------------------------------------|
| RequestRefused            | of its cause, in contract.refusals     |
| unknown path, wrong method| refusals.UNKNOWN_PATH and WRONG_METHOD |
| NotAuthorised, Forbidden  | the causes of the same names           |
| Unavailable, of any store | refusals.UNAVAILABLE                   |
| anything else             | refusals.FAULT                         |
"""

from collections.abc import Sequence

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from supplier_api.audit import UNKNOWN
from supplier_api.auth import AccessError, Forbidden, NotAuthorised
from supplier_api.contract import RequestRefused, refusals
from supplier_api.contract.errors import ErrorAnswer
from supplier_api.contract.schemas import ERROR
from supplier_api.db import StoreUnavailable
from supplier_api.http.gateway.handler import bind_request, dependencies, identified_caller
from supplier_api.http.openapi import DescribedApi
from supplier_api.http.request_parsing import empty, json_response
from supplier_api.logging import get_logger
from supplier_api.problems.services import Unavailable

# Seconds after which a caller may try again when the store does not say.
RETRY_AFTER = 2

log = get_logger(__name__)


class SupplierApi(DescribedApi):
    """flask-smorest with our error answers."""

    ERROR_SCHEMA = ERROR

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer what the framework raised: above all, unknown paths and wrong methods."""
        status = error.code or refusals.FAULT.answer.status
        if status >= refusals.FAULT.answer.status:
            return _fault(error)
        cause = _FRAMEWORK.get(status, refusals.UNREADABLE)
        response = _refused(cause.error())
        if allow := error.get_response().headers.get("Allow"):
            response.headers["Allow"] = allow
        return response


_FRAMEWORK = {
    cause.answer.status: cause
    for cause in (refusals.UNREADABLE, refusals.UNKNOWN_PATH, refusals.WRONG_METHOD)
}


def register_errors(app: Flask) -> None:
    """Answer what the doors, the use cases and anything unforeseen raise."""
    app.register_error_handler(NotAuthorised, _not_authorised)
    app.register_error_handler(Forbidden, _forbidden)
    app.register_error_handler(RequestRefused, _refused)
    app.register_error_handler(Unavailable, _unavailable)
    app.register_error_handler(StoreUnavailable, _store_unavailable)
    app.register_error_handler(Exception, _fault)


def _not_authorised(error: NotAuthorised) -> Response:
    return _no_access(error, refusals.NOT_AUTHORISED)


def _forbidden(error: Forbidden) -> Response:
    return _no_access(error, refusals.FORBIDDEN)


def _no_access(error: AccessError, cause: refusals.Refusal) -> Response:
    """Log who was not let in, and where: the name of the route, not what was asked of it."""
    dependencies().audit.refused(
        "access.refused",
        client=error.client or UNKNOWN,
        address=request.remote_addr,
        status=cause.answer.status,
        route=request.endpoint,
        why=str(error),
    )
    response = _refused(cause.error(why=str(error)))
    response.headers["WWW-Authenticate"] = error.challenge
    return response


def _unavailable(error: Unavailable) -> Response:
    with bind_request():
        log.warning("unavailable", why=str(error), retry_after=error.retry_after)
    return _later(error.retry_after)


def _store_unavailable(error: StoreUnavailable) -> Response:
    with bind_request():
        log.warning("store unavailable", exc_info=error)
    return _later(RETRY_AFTER)


def _later(seconds: int) -> Response:
    response = _refused(refusals.UNAVAILABLE.error())
    response.headers["Retry-After"] = str(seconds)
    return response


def _fault(error: Exception) -> Response:
    """Answer 500 with a uuid under which the log has the trace, without any value."""
    uuid = _uuid()
    with bind_request():
        log.error("supplier fault", uuid=uuid, exc_info=error)
    cause = refusals.FAULT
    return _respond(cause.answer, [cause.message()], uuid)


def _refused(error: RequestRefused) -> Response:
    return _respond(error.answer, error.messages, _uuid())


def _respond(answer: ErrorAnswer, messages: Sequence[str], uuid: str) -> Response:
    if answer.code is None:
        return empty(answer.status)
    return json_response(answer.body(messages, uuid), answer.status)


def _uuid() -> str:
    caller = identified_caller()
    if caller is None:
        return str(dependencies().id_source.uuid(""))
    return str(dependencies().id_source.uuid(caller.tenant, "error", caller.request_id))
