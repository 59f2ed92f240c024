"""The way every call of the gateway takes: access, operation switched on, reading; then the answer.

Unknown paths and wrong methods were turned away before. What stops a call on its way is raised and
answered in `errors`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypedDict, cast

from flask import Request, Response, current_app, g
from flask.globals import request_ctx
from marshmallow import Schema

from supplier_api.audit import Audit
from supplier_api.auth import AccessTokens, ClientCredentials, KeyRing
from supplier_api.clock import MachineClock
from supplier_api.contract import MessageError, load, read_json, refusals
from supplier_api.contract.headers import CONVERSATION_ID, REQUEST_ID, TENANT
from supplier_api.http.api_docs import TryClient
from supplier_api.http.request_parsing import (
    Findings,
    empty,
    json_response,
    read_body,
    read_headers,
)
from supplier_api.http.wsgi import TIMES, RequestTimes
from supplier_api.ids import IdSource
from supplier_api.logging import bind, get_logger
from supplier_api.operations.metrics import ProcessMetrics
from supplier_api.problems.change import change_problem
from supplier_api.problems.create import create_problem
from supplier_api.problems.resolution import answer_resolution
from supplier_api.problems.rule_evaluation import RULE_BOOK_ONLY, OutcomeSource, RuleEvaluator
from supplier_api.problems.services import Caller, RequestAnswer, Services
from supplier_api.rules.model import Operation
from supplier_api.settings import ServerSettings
from supplier_api.value_object import value_object

EXTENSION = "supplier_api.http.gateway"
# The key of the application's extensions for when the gateway's last call was answered.
LAST_CALL = "supplier_api.last_call"

log = get_logger(__name__)


class LoggedIds(TypedDict, total=False):
    """What a line in the log is found by."""

    request_id: str
    conversation_id: str
    tenant: str
    gateway_id: int | None


@dataclass(frozen=True, slots=True)
class RequestExtension:
    """What a sandbox reads of a request besides.

    `parameters` are its headers, as OpenAPI describes them. `read` gets the request and its
    document (empty if that could not be read), and raises MessageError with what is wrong.
    """

    parameters: Sequence[Mapping[str, Any]]
    read: Callable[[Request, Mapping[str, Any]], None]


class GatewayRequests:
    """The four operations of the gateway.

    Each takes the caller and the validated request document and returns the answer to send. All
    raise services.Unavailable when nothing was stored within the answer budget.
    """

    def __init__(
        self, services: Services, rules: RuleEvaluator, outcomes: OutcomeSource = RULE_BOOK_ONLY
    ) -> None:
        """Decide by `rules`, and by what `outcomes` lays over them."""
        self._services = services
        self._rules = rules
        self._outcomes = outcomes

    def raise_problem(self, caller: Caller, document: Mapping[str, Any]) -> RequestAnswer:
        """Decide on a new service problem: 201, 202 or 422 (*supplier-create*)."""
        with self._in_time(caller):
            return create_problem(self._services, self._rules, self._outcomes, caller, document)

    def amend(self, caller: Caller, document: Mapping[str, Any]) -> RequestAnswer:
        """Decide on an amendment of a problem: 201, 202 or 422 (*supplier-amend*)."""
        return self._change(caller, Operation.AMENDMENT, document)

    def cancel(self, caller: Caller, document: Mapping[str, Any]) -> RequestAnswer:
        """Decide on the cancellation of a problem: 201, 202 or 422."""
        return self._change(caller, Operation.CANCELLATION, document)

    def settle(self, caller: Caller, reference: str, document: Mapping[str, Any]) -> RequestAnswer:
        """Record the tenant's answer to a resolution: 200 or 422."""
        with self._in_time(caller):
            return answer_resolution(self._services, caller, reference, document)

    def _change(
        self, caller: Caller, kind: Operation, document: Mapping[str, Any]
    ) -> RequestAnswer:
        with self._in_time(caller):
            return change_problem(
                self._services, self._rules, self._outcomes, caller, kind, document
            )

    def _in_time(self, caller: Caller) -> AbstractContextManager[None]:
        """Bound every wait for the database by the answer budget of this request."""
        return self._services.store.until(caller.entered + self._services.policy.answer_budget)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """All that the views need; bound in one place, when the application is made.

    `use_cases` decide on the calls, `metrics` count the answers. `extension` is what a sandbox
    reads of a request besides. `try_clients` are those that the page /docs calls as, for anybody to
    read.
    """

    use_cases: GatewayRequests
    tokens: AccessTokens
    credentials: ClientCredentials
    ring: KeyRing
    server: ServerSettings
    machine: MachineClock
    id_source: IdSource
    audit: Audit
    metrics: ProcessMetrics
    extension: RequestExtension | None = None
    try_clients: Sequence[TryClient] = ()


@value_object
class AdmittedCall:
    """A call that may be decided on: by which use cases, who asks, and for what."""

    use_cases: GatewayRequests
    caller: Caller
    document: dict[str, Any]


@dataclass(slots=True)
class CurrentCall:
    """The current request for an operation, as far as it is known, for its log line and errors."""

    operation: str
    times: RequestTimes
    caller: Caller | None = None
    gateway_id: int | None = None


def dependencies() -> Dependencies:
    """Return the parts of the application that handles the current request."""
    return cast("Dependencies", current_app.extensions[EXTENSION])


def admit(operation: str, schema: Schema) -> AdmittedCall:
    """Return the current request, which is one for `operation` with a body that `schema` checks.

    `operation` is the name that both the scope of a token and the settings know it by. Raises
    auth.AccessError, RequestRefused, Malformed with everything that cannot be read in headers and
    body, else Invalid with every broken constraint in either.
    """
    incoming, here = request_ctx.request, dependencies()
    call = g.call = CurrentCall(operation, _times(incoming, here))
    here.tokens.admit(incoming.headers.get("Authorization"), operation)
    if operation not in here.server.operations:
        raise refusals.SWITCHED_OFF.error()
    found = Findings()
    caller = found.reading(lambda: _caller(incoming, call.times))
    body = found.reading(lambda: load(schema, read_json(read_body(incoming, here.server.max_body))))
    if here.extension:
        read_more = here.extension.read
        found.reading(lambda: read_more(incoming, body or {}))
    if caller is None or body is None or found.any():
        raise found.worst()
    call.caller, call.gateway_id = caller, body.get("id")
    return AdmittedCall(here.use_cases, caller, body)


def identified_caller() -> Caller | None:
    """Return who makes the current request, or None if anything is wrong with its headers."""
    call: CurrentCall | None = g.get("call")
    if call and call.caller:
        return call.caller
    incoming = request_ctx.request
    try:
        return _caller(incoming, _times(incoming, dependencies()))
    except MessageError:
        return None


def bind_request() -> AbstractContextManager[None]:
    """Put what is known of the current request's ids on the lines logged inside the block."""
    return bind(**_ids())


def respond(answer: RequestAnswer) -> Response:
    """Turn a use case's answer into a response; without a body it has no content type either."""
    if answer.body is None:
        return empty(answer.status)
    return json_response(answer.body, answer.status)


def log_answer(response: Response) -> Response:
    """Log and count each request for an operation, however it is answered, and note when."""
    call: CurrentCall | None = g.get("call")
    if call:
        extensions = current_app.extensions
        here: Dependencies = extensions[EXTENSION]
        extensions[LAST_CALL] = here.machine.now()
        now, times = here.machine.monotonic(), call.times
        seconds, since_headers = now - times.arrived, now - times.headers
        here.metrics.answered(response.status_code, since_headers)
        log.info(
            "answered",
            **_ids(),
            operation=call.operation,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 1),
            late=seconds > here.server.answer_budget,
            since_headers_ms=round(since_headers * 1000, 1),
            queued_ms=round(times.queued * 1000, 1),
        )
    return response


def _times(incoming: Request, here: Dependencies) -> RequestTimes:
    """Return when a request came in: under another server than ours, now."""
    times: RequestTimes | None = incoming.environ.get(TIMES)
    if times is None:
        now = here.machine.monotonic()
        times = RequestTimes(headers=now, arrived=now, queued=0.0)
    return times


def _caller(incoming: Request, times: RequestTimes) -> Caller:
    """Return who calls. Raises Malformed if any header is missing or blank, else Invalid."""
    values = read_headers(incoming, (REQUEST_ID, CONVERSATION_ID, TENANT))
    return Caller(values[TENANT], values[REQUEST_ID], values[CONVERSATION_ID], times.arrived)


def _ids() -> LoggedIds:
    """Return the ids of the current request by which its lines can be found, if they are good."""
    call: CurrentCall | None = g.get("call")
    caller = identified_caller()
    if caller is None:
        return {}
    return {
        "request_id": caller.request_id,
        "conversation_id": caller.conversation_id,
        "tenant": caller.tenant,
        "gateway_id": call.gateway_id if call else None,
    }
