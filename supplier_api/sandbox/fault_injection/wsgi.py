"""Spoils the supplier's answers to the gateway where a tester has set it so.

It wraps the whole application, where an answer can also be kept from leaving. What it can
do to a connection is what the server lets it: close it without an answer, or in the middle of one.
It cannot make the system send a reset (RST) in the place of an orderly end, since a WSGI
application never sees its connection.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import NoReturn

from flask import Flask, Response, request

from supplier_api.auth import GrantError, NotAuthorised
from supplier_api.auth.tokens import REALM
from supplier_api.clock import Scale
from supplier_api.contract.codes import ErrorCode
from supplier_api.db import StoreUnavailable, UnitOfWork
from supplier_api.http.gateway.tokens import TOKEN_PATH
from supplier_api.http.request_parsing import empty
from supplier_api.http.wsgi import (
    NO_ANSWER,
    Environ,
    RawAnswer,
    StartResponse,
    WsgiApplication,
    run,
)
from supplier_api.logging import get_logger
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.timer_repository import ALL
from supplier_api.sandbox.admin.parts import AdminParts
from supplier_api.sandbox.fault_injection.active_faults import (
    ActiveFaults,
    InterceptedCall,
    StoredFault,
)
from supplier_api.sandbox.fault_injection.answers import SPOILING
from supplier_api.sandbox.fault_injection.catalogue import NO_BODY
from supplier_api.sandbox.fault_injection.model import (
    CALLS,
    REASONS,
    STRUCK,
    TOKEN,
    InjectedFault,
    Place,
    When,
)
from supplier_api.sandbox.scenarios.source import ScenarioRepository
from supplier_api.sandbox.tenant_settings import (
    CallSettings,
    TenantSettingRepository,
    WhatIsSet,
    read_scales,
)

# Of these nothing leaves but the end of the connection.
UNANSWERED = frozenset({"hang", "reset"})
ABOUT_BODY = frozenset({"content-type", "content-length"})
log = get_logger(__name__)


def inject_answer_faults(app: Flask, parts: AdminParts) -> None:
    """Wrap `app`; what has to see the real answers has wrapped it before."""
    app.before_request(lambda: _answer_instead(parts))
    app.wsgi_app = FaultyAnswers(app.wsgi_app, parts)  # type: ignore[method-assign]


class FaultyAnswers:
    """The application with its answers spoilt."""

    def __init__(self, app: WsgiApplication, parts: AdminParts) -> None:
        """Wrap `app`."""
        self._app = app
        self._parts = parts
        self._faults = ActiveFaults(parts.services.store, parts.services.machine)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, perhaps not as it should be.

        First come the faults that any call can have, then those that need an answer of a kind:
        they are counted once it is there, and only if it is one.
        """
        call = self._call(environ)
        if call is None:
            return self._app(environ, start_response)
        settings, candidates = self._look(call)
        if not candidates:
            with settings.hold() if settings else nullcontext():
                return self._app(environ, start_response)
        fault = self._faults.strike(candidates, lambda each: each.kind.name not in SPOILING)
        if fault is None:
            answer = self._struck_by_answer(candidates, call.operation, environ)
        else:
            environ[STRUCK] = fault
            answer = self._struck(fault, environ)
        start_response(answer.status, [NO_ANSWER] if answer.cut else answer.headers)
        return [] if answer.cut else [answer.body]

    def _struck(self, fault: InjectedFault, environ: Environ) -> RawAnswer:
        """Let the request be done, or not, and return what leaves in the end."""
        name, after = fault.kind.name, _comes_after(fault)
        if name == "latency" and not after:
            self._wait(fault)
        answer = run(self._app, environ)
        if name in UNANSWERED:
            answer = replace(answer, body=b"", cut=True)
        elif after and (other := _substitute(fault, self._parts)):
            answer = _replaced(fault, answer, other)
        if name == "hang" or (name == "latency" and after):
            self._wait(fault)
        return answer

    def _struck_by_answer(
        self, candidates: Sequence[StoredFault], operation: str, environ: Environ
    ) -> RawAnswer:
        """Return the answer with what one of these makes of it, if one can."""
        answer = run(self._app, environ)

        def spoilt(fault: InjectedFault) -> RawAnswer | None:
            spoil = SPOILING.get(fault.kind.name)
            return spoil(fault, operation, answer) if spoil else None

        fault = self._faults.strike(candidates, lambda each: spoilt(each) is not None)
        if fault is None:
            return answer
        environ[STRUCK] = fault
        if fault.kind.name == "before-201":
            tenant = environ.get("HTTP_TENANT", "").strip()
            gateway_id: int = json.loads(answer.body)["id"]
            self._wait(fault, lambda: self._has_sent(tenant, gateway_id))
        return spoilt(fault) or answer

    def _call(self, environ: Environ) -> InterceptedCall | None:
        operation = self._operation(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if operation is None:
            return None
        tenant = environ.get("HTTP_TENANT")
        conversation = environ.get("HTTP_X_CONVERSATION_ID")
        if operation != TOKEN:
            tenant, conversation = tenant or "", conversation or ""
        return InterceptedCall(Place.WEB, operation, tenant, conversation)

    def _look(self, call: InterceptedCall) -> tuple[CallSettings | None, list[StoredFault]]:
        """Return what testers have set for a call, if it says whose it is, with its faults."""

        def read(
            uow: UnitOfWork, is_set: WhatIsSet
        ) -> tuple[CallSettings | None, list[StoredFault]]:
            return _settings(uow, is_set, call), self._faults.candidates(uow, is_set, call)

        return self._faults.look(read) or (None, [])

    def _operation(self, method: str, path: str) -> str | None:
        if method == "POST" and path == TOKEN_PATH:
            return TOKEN
        prefix = f"{self._parts.settings.server.prefix}/"
        name = path.removeprefix(prefix).partition("/")[0] if path.startswith(prefix) else ""
        return name if name in CALLS else None

    def _has_sent(self, tenant: str, gateway_id: int) -> bool:
        """Tell whether the first KCI of a problem has been sent."""

        def work(uow: UnitOfWork) -> bool:
            problem_id = ProblemRepository(uow).find(tenant, gateway_id)
            if problem_id is None:
                return True
            rows = LaneRepository(uow).messages_of(problem_id)
            return any(row["kind"] in REASONS and row["attempts"] for row in rows)

        return self._parts.services.store.read(work)

    def _wait(self, fault: InjectedFault, is_over: Callable[[], bool] = lambda: False) -> None:
        """Wait for the fault's time, or until it is over or taken away; for few at a time."""
        try:
            self._parts.wait_until(
                lambda: is_over() or not self._faults.stays(fault), fault.get("seconds")
            )
        except StoreUnavailable as error:
            log.warning("faults.no-database", error=str(error))


def _settings(uow: UnitOfWork, is_set: WhatIsSet, call: InterceptedCall) -> CallSettings | None:
    tenant, conversation_id = call.tenant, call.conversation_id or ""
    if not tenant:
        return None
    return CallSettings(
        tenant,
        conversation_id,
        scales=read_scales(uow) if is_set.clocks else {ALL: Scale()},
        seed=TenantSettingRepository(uow).seed(tenant) if is_set.seeds else None,
        scenarios=ScenarioRepository(uow).defaults(tenant, conversation_id)
        if is_set.scenarios
        else [],
    )


def _comes_after(fault: InjectedFault) -> bool:
    """Tell whether the request is done before the fault strikes."""
    has_choice = any(parameter.name == "when" for parameter in fault.kind.parameters)
    return has_choice and bool(fault.get("when") == When.AFTER)


def _answer_instead(parts: AdminParts) -> Response | None:
    """Answer the current request where it must not be done."""
    fault: InjectedFault | None = request.environ.get(STRUCK)
    return None if fault is None or _comes_after(fault) else _substitute(fault, parts)


def _replaced(fault: InjectedFault, answer: RawAnswer, other: Response) -> RawAnswer:
    """Return what is answered after the request was done: `other`, or its status alone."""
    if fault.kind.name != "status" or fault.get("body"):
        return RawAnswer(other.status, list(other.headers), other.get_data())
    if fault.get("code") in NO_BODY:
        left = [each for each in answer.headers if each[0].lower() not in ABOUT_BODY]
        return RawAnswer(other.status, left, b"")
    return replace(answer, status=other.status)


def _substitute(fault: InjectedFault, parts: AdminParts) -> Response | None:
    """Return what is answered in the place of the application's answer; None to let that be.

    It may raise NotAuthorised and GrantError, which are answered as they are elsewhere.
    """
    make = SUBSTITUTES.get(fault.kind.name)
    return make(fault, parts) if make else None


def _any_status(fault: InjectedFault, _parts: AdminParts) -> Response:
    response = empty(fault.get("code"))
    if fault.get("body"):
        response.set_data(fault.get("body"))
        response.headers["Content-Type"] = fault.get("type")
    return response


def _unavailable(fault: InjectedFault, _parts: AdminParts) -> Response:
    response = empty(503)
    response.headers["Retry-After"] = str(fault.get("retryAfter"))
    return response


def _token_expired(_fault: InjectedFault, _parts: AdminParts) -> NoReturn:
    raise _not_authorised("the token has expired")


def _token_refused(_fault: InjectedFault, _parts: AdminParts) -> NoReturn:
    if request.path == TOKEN_PATH:
        raise GrantError("invalid_client", "refused on purpose", status=401)
    raise _not_authorised("the token is not valid")


def _not_authorised(why: str) -> NotAuthorised:
    challenge = f'{REALM}, error="invalid_token", error_description="{why}"'
    return NotAuthorised(f"Authorization: {why}", challenge)


SUBSTITUTES: Mapping[str, Callable[[InjectedFault, AdminParts], Response]] = {
    "403": lambda _fault, _parts: empty(403),
    "500": lambda _fault, parts: parts.refuse(
        500, ErrorCode.SUPPLIER_FAULT, "an error of the supplier, made on purpose"
    ),
    "501": lambda _fault, parts: parts.refuse(
        501, ErrorCode.NOT_IMPLEMENTED, "an operation that is switched off, on purpose"
    ),
    "503": _unavailable,
    "status": _any_status,
    # They stand for no answer at all; the connection is closed in their place.
    "hang": lambda _fault, _parts: empty(503),
    "reset": lambda _fault, _parts: empty(503),
    "expired-token": _token_expired,
    "refused-token": _token_refused,
}
