"""Spoils the supplier's answers to the gateway where a tester has set it so.

It stands around the whole application, where an answer can also be kept from leaving. What it can do
to a connection is what the server lets it: close it without an answer, or in the middle of one. It
cannot make the system send a reset (RST) in the place of an orderly end, since a WSGI application
never sees its connection.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from flask import Flask, Response, request
from werkzeug.test import run_wsgi_app

from supplier_api.access import GrantError, NotAuthorised
from supplier_api.access.gate import REALM
from supplier_api.admin_api.parts import AdminParts
from supplier_api.desk.faults import FaultsInForce, Struck
from supplier_api.faults import answers
from supplier_api.faults.model import CALLS, TOKEN, Fault, Place
from supplier_api.faults.parameters import When
from supplier_api.observability import get_logger
from supplier_api.problems.codes import ErrorCode
from supplier_api.store import StoreUnavailable, UnitOfWork
from supplier_api.wire import read_json
from supplier_api.web import empty

# Where a request carries the fault that struck it.
STRUCK = "supplier_api.fault"
TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path
POLL = 0.05  # seconds between two looks at the database
log = get_logger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]
Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Spoilt:
    """An answer on its way out; `cut` closes the connection behind its body, or in its place."""

    status: str
    headers: Headers
    body: bytes
    cut: bool = False

    def having(self, name: str, value: str) -> "Spoilt":
        """Return it with that header, in the place of any other of the name."""
        others = [header for header in self.headers if header[0].lower() != name.lower()]
        return replace(self, headers=[*others, (name, value)])


def spoil_answers(app: Flask, parts: AdminParts) -> None:
    """Stand around `app`; what has to see the answers stands in it from before."""
    app.before_request(lambda: _stand_in(parts))
    app.wsgi_app = FaultyAnswers(app.wsgi_app, parts)  # type: ignore[method-assign]


class FaultyAnswers:
    """The application with its answers spoilt."""

    def __init__(self, app: Wsgi, parts: AdminParts) -> None:
        """Stand around `app`. At most half of the server's threads are kept waiting."""
        self._app = app
        self._parts = parts
        self._faults = FaultsInForce(parts.office.store, parts.office.machine)
        self._waiting = threading.BoundedSemaphore(max(1, parts.settings.server.threads // 2))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, perhaps not as it should be."""
        fault = self._strike(environ)
        if fault is None:
            return self._app(environ, start_response)
        environ[STRUCK] = fault
        return self._send(self._spoilt(fault, environ), start_response)

    def _strike(self, environ: Environ) -> Fault | None:
        operation = self._operation(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if operation is None:
            return None
        tenant = environ.get("HTTP_TENANT")
        conversation = environ.get("HTTP_X_CONVERSATION_ID")
        if operation != TOKEN:
            tenant, conversation = tenant or "", conversation or ""
        return self._faults.next(Struck(Place.WEB, operation, tenant, conversation))

    def _operation(self, method: str, path: str) -> str | None:
        if method == "POST" and path == TOKEN_PATH:
            return TOKEN
        prefix = f"{self._parts.settings.server.prefix}/"
        name = path.removeprefix(prefix).partition("/")[0] if path.startswith(prefix) else ""
        return name if name in CALLS else None

    def _spoilt(self, fault: Fault, environ: Environ) -> Spoilt:
        match fault.kind.name:
            case "latency":
                return self._late(fault, environ)
            case "hang":
                return self._hung(fault, environ)
            case "before-201":
                return self._held_back(fault, environ)
            case "reset":
                return replace(self._ask(environ), body=b"", cut=True)
            case "truncated":
                answer = self._ask(environ)
                whole = answer.having("Content-Length", str(len(answer.body)))
                return replace(whole, body=answers.cut(answer.body)).having("Connection", "close")
            case "malformed":
                return self._changed(environ, answers.garbled)
            case "off-contract":
                how = fault.get("how")
                return self._changed(environ, lambda body: answers.off_contract(body, how))
            case _:
                return self._replaced(fault, environ)

    def _ask(self, environ: Environ) -> Spoilt:
        parts, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        return Spoilt(status, list(headers), b"".join(parts))

    def _changed(self, environ: Environ, change: Callable[[bytes], bytes]) -> Spoilt:
        answer = self._ask(environ)
        body = change(answer.body)
        changed = replace(answer, body=body)
        return changed.having("Content-Length", str(len(body))) if body else changed

    def _replaced(self, fault: Fault, environ: Environ) -> Spoilt:
        """Let the request be done, or not, and answer something else."""
        answer = self._ask(environ)
        if not _comes_after(fault):
            return answer  # it is the stand-in's
        other = stand_in(fault, self._parts)
        return Spoilt(other.status, list(other.headers), other.get_data())

    def _late(self, fault: Fault, environ: Environ) -> Spoilt:
        if not _comes_after(fault):
            self._wait(fault, lambda: False)
        answer = self._ask(environ)
        if _comes_after(fault):
            self._wait(fault, lambda: False)
        return answer

    def _hung(self, fault: Fault, environ: Environ) -> Spoilt:
        answer = self._ask(environ)
        self._wait(fault, lambda: False)
        return replace(answer, body=b"", cut=True)

    def _held_back(self, fault: Fault, environ: Environ) -> Spoilt:
        answer = self._ask(environ)
        if answer.status.startswith("201"):
            tenant, document: Any = environ.get("HTTP_TENANT", ""), read_json(answer.body)
            self._wait(fault, lambda: self._has_told(tenant.strip(), document["id"]))
        return answer

    def _has_told(self, tenant: str, gateway_id: int) -> bool:
        """Tell whether the first KCI of a problem has been sent."""

        def work(uow: UnitOfWork) -> bool:
            problem_id = uow.problems.find(tenant, gateway_id)
            if problem_id is None:
                return True
            rows = uow.lanes.messages_of(problem_id)
            told = [row for row in rows if "reasonCode" in row["body"] and row["attempts"]]
            return bool(told)

        return self._parts.office.store.read(work)

    def _wait(self, fault: Fault, is_over: Callable[[], bool]) -> None:
        """Wait for the fault's time, or until it is over or taken away; for few at a time."""
        if not self._waiting.acquire(blocking=False):
            log.warning("fault.too-many-wait", kind=fault.kind.name)
            return
        machine = self._parts.office.machine
        until, pause = machine.monotonic() + fault.get("seconds"), threading.Event()
        try:
            while (left := until - machine.monotonic()) > 0:
                if is_over() or not self._faults.stays(fault):
                    return
                pause.wait(min(POLL, left))
        except StoreUnavailable as error:
            log.warning("faults.no-database", error=str(error))
        finally:
            self._waiting.release()

    def _send(self, answer: Spoilt, start_response: StartResponse) -> Iterable[bytes]:
        if answer.cut:
            # A length that is none: the server finds that it cannot answer, and closes.
            start_response(answer.status, [("Content-Length", "none")])
            return _Nothing()
        start_response(answer.status, answer.headers)
        return [answer.body]


class _Nothing:
    """A body that is no list: of a list the server would count the length itself."""

    def __iter__(self) -> Iterator[bytes]:
        """Return no part."""
        return iter(())

    def close(self) -> None:
        """Have nothing to close."""


def _comes_after(fault: Fault) -> bool:
    """Tell whether the desk does the request before the fault strikes."""
    has_choice = any(parameter.name == "when" for parameter in fault.kind.parameters)
    return has_choice and bool(fault.get("when") == When.AFTER)


def _stand_in(parts: AdminParts) -> Response | None:
    """Answer the current request in the desk's place, where it must not be done."""
    fault: Fault | None = request.environ.get(STRUCK)
    if fault is None or fault.kind.name == "latency" or _comes_after(fault):
        return None
    return stand_in(fault, parts) if fault.kind.name in STAND_INS else None


def stand_in(fault: Fault, parts: AdminParts) -> Response:
    """Return what is answered in the place of the desk's answer."""
    return STAND_INS[fault.kind.name](fault, parts)


def _server_error(_fault: Fault, parts: AdminParts) -> Response:
    return parts.refuse(500, ErrorCode.SUPPLIER_FAULT, "an error of the supplier, made on purpose")


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
        raise GrantError("invalid_client", "refused on purpose", 401)
    raise _not_authorised("the token is not valid")


def _not_authorised(why: str) -> NotAuthorised:
    challenge = f'{REALM}, error="invalid_token", error_description="{why}"'
    return NotAuthorised(f"Authorization: {why}", challenge)


STAND_INS: dict[str, Callable[[Fault, AdminParts], Response]] = {
    "500": _server_error,
    "503": _unavailable,
    "hang": _nothing,
    "reset": _nothing,
    "expired-token": _token_expired,
    "refused-token": _token_refused,
}
