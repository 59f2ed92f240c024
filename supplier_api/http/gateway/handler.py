"""The way every call of the gateway takes: access, operation switched on, reading, desk.

Unknown paths and wrong methods were turned away before. What stops a call on its way is raised and
answered in `errors`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypedDict

from flask import Response, g, request
from marshmallow import Schema

from supplier_api.http.bodies import empty, json_response
from supplier_api.http.gateway.dependencies import Desk, dependencies
from supplier_api.http.gateway.request_parsing import Headers, read, well_formed_headers
from supplier_api.logging import bind, get_logger
from supplier_api.problems.services import Caller, RequestAnswer

log = get_logger(__name__)

Ask = Callable[[Desk, Caller, dict[str, Any]], RequestAnswer]


class Ids(TypedDict, total=False):
    """What a line in the log is found by."""

    request_id: str
    conversation_id: str
    tenant: str
    gateway_id: int | None


class SwitchedOff(Exception):
    """The supplier does not offer this operation: 501."""


class NotKnown(Exception):
    """The request is about something that the supplier does not know: 422, not 404."""


def serve(operation: str, schema: Schema, ask: Ask) -> Response:
    """Answer the current request, which is one for `operation` with a body that `schema` checks.

    `operation` is the name that both the scope of a token and the settings know it by.
    """
    g.operation = operation
    here = dependencies()
    here.gate.admit(request.headers.get("Authorization"), operation)
    if operation not in here.server.operations:
        raise SwitchedOff(operation)
    asked = read(request, schema, here.server.max_body, extension=here.extension)
    g.gateway_id = asked.document.get("id")
    g.headers = headers = asked.headers
    caller = Caller(headers.tenant, headers.request_id, headers.conversation_id, g.times.arrived)
    with bind_request():
        return respond(ask(here.desk, caller, asked.document))


def bind_request() -> AbstractContextManager[None]:
    """Put what is known of the current request's ids on the lines logged inside the block."""
    return bind(**_ids())


def log_answer(response: Response) -> Response:
    """Log a line about each request for an operation, however it is answered."""
    if "operation" in g:
        here = dependencies()
        now, times = here.machine.monotonic(), g.times
        seconds = now - times.arrived
        log.info(
            "answered",
            **_ids(),
            operation=g.operation,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 1),
            late=seconds > here.server.answer_budget,
            since_headers_ms=round((now - times.headers) * 1000, 1),
            queued_ms=round(times.queued * 1000, 1),
        )
    return response


def _ids() -> Ids:
    """Return the ids of the current request by which its lines can be found, if they are good."""
    headers: Headers | None = g.get("headers") or well_formed_headers(request)
    if headers is None:
        return {}
    return {
        "request_id": headers.request_id,
        "conversation_id": headers.conversation_id,
        "tenant": headers.tenant,
        "gateway_id": g.get("gateway_id"),
    }


def respond(answer: RequestAnswer) -> Response:
    """Turn the desk's answer into a response; without a body it has no content type either."""
    if answer.body is None:
        return empty(answer.status)
    return json_response(answer.body, answer.status)
