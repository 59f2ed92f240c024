"""Spoils the supplier's answers to the gateway where a tester has set it so.

It stands around the whole application, where an answer can also be kept from leaving. What it can
do to a connection is what the server lets it: close it without an answer, or in the middle of one.
It cannot make the system send a reset (RST) in the place of an orderly end, since a WSGI
application never sees its connection.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask
from werkzeug.test import run_wsgi_app

from supplier_api.db import StoreUnavailable, UnitOfWork
from supplier_api.http.wsgi import NO_ANSWER
from supplier_api.logging import get_logger
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.sandbox.admin.dependencies import AdminParts
from supplier_api.sandbox.fault_injection import answers
from supplier_api.sandbox.fault_injection.active_faults import (
    ActiveFaults,
    Candidate,
    InterceptedCall,
)
from supplier_api.sandbox.fault_injection.catalogue import NO_BODY
from supplier_api.sandbox.fault_injection.model import CALLS, REASONS, TOKEN, Fault, Place
from supplier_api.sandbox.fault_injection.substitute_answers import (
    STRUCK,
    TOKEN_PATH,
    answer_instead,
    comes_after,
    stand_in,
)

POLL = 0.05  # seconds between two looks at the database
log = get_logger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]
Headers = list[tuple[str, str]]
ABOUT_BODY = frozenset({"content-type", "content-length"})


@dataclass(frozen=True, slots=True)
class Spoilt:
    """An answer on its way out; of one that is `cut` nothing leaves: the connection is closed."""

    status: str
    headers: Headers
    body: bytes
    cut: bool = False

    @property
    def code(self) -> int:
        """The status as a number."""
        return int(self.status[:3])

    def having(self, name: str, value: str) -> "Spoilt":
        """Return it with that header, in the place of any other of the name."""
        others = [header for header in self.headers if header[0].lower() != name.lower()]
        return replace(self, headers=[*others, (name, value)])


# Returns what the application answers.
Ask = Callable[[Environ], Spoilt]


def inject_answer_faults(app: Flask, parts: AdminParts) -> None:
    """Stand around `app`; what has to see the answers stands in it from before."""
    app.before_request(lambda: answer_instead(parts))
    app.wsgi_app = FaultyAnswers(app.wsgi_app, parts)  # type: ignore[method-assign]


class FaultyAnswers:
    """The application with its answers spoilt."""

    def __init__(self, app: Wsgi, parts: AdminParts) -> None:
        """Stand around `app`."""
        self._app = app
        self._parts = parts
        self._faults = ActiveFaults(parts.services.store, parts.services.machine)
        self._ways: Mapping[str, Callable[[Fault, Environ, Ask], Spoilt]] = {
            "latency": self._late,
            "hang": self._hung,
            "reset": self._unanswered,
            "truncated": self._truncated,
            "malformed": self._malformed,
            "off-contract": self._off_contract,
            "before-201": self._held_back,
            "status": self._other_status,
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, perhaps not as it should be.

        First come the faults that any call can have, then those that need an answer of a kind:
        they are counted once it is there, and only if it is one.
        """
        call = self._call(environ)
        candidates = self._faults.candidates(call) if call else []
        if call is None or not candidates:
            return self._app(environ, start_response)
        fault = self._faults.strike(candidates, lambda each: each.kind.name not in answers.KINDS)
        if fault is None:
            return self._spoil_answer(call.operation, candidates, environ, start_response)
        environ[STRUCK] = fault
        spoil = self._ways.get(fault.kind.name, self._replaced)
        return self._send(spoil(fault, environ, self._ask), start_response)

    def _spoil_answer(
        self,
        operation: str,
        candidates: Sequence[Candidate],
        environ: Environ,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        given: list[Spoilt] = []

        def answer(environ: Environ) -> Spoilt:
            if not given:
                given.append(self._ask(environ))
            return given[0]

        def fits(fault: Fault) -> bool:
            if fault.kind.name not in answers.KINDS:
                return False
            whole = answer(environ)
            return answers.can_spoil(fault, operation, whole.code, whole.body)

        fault = self._faults.strike(candidates, fits)
        if fault is None:
            # Asked at most once: what was looked at is sent.
            return self._send(answer(environ), start_response)
        environ[STRUCK] = fault
        return self._send(self._ways[fault.kind.name](fault, environ, answer), start_response)

    def _call(self, environ: Environ) -> InterceptedCall | None:
        operation = self._operation(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if operation is None:
            return None
        tenant = environ.get("HTTP_TENANT")
        conversation = environ.get("HTTP_X_CONVERSATION_ID")
        if operation != TOKEN:
            tenant, conversation = tenant or "", conversation or ""
        return InterceptedCall(Place.WEB, operation, tenant, conversation)

    def _operation(self, method: str, path: str) -> str | None:
        if method == "POST" and path == TOKEN_PATH:
            return TOKEN
        prefix = f"{self._parts.settings.server.prefix}/"
        name = path.removeprefix(prefix).partition("/")[0] if path.startswith(prefix) else ""
        return name if name in CALLS else None

    def _ask(self, environ: Environ) -> Spoilt:
        parts, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        return Spoilt(status, list(headers), b"".join(parts))

    def _unanswered(self, _fault: Fault, environ: Environ, ask: Ask) -> Spoilt:
        return replace(ask(environ), body=b"", cut=True)

    def _truncated(self, _fault: Fault, environ: Environ, ask: Ask) -> Spoilt:
        answer = ask(environ)
        whole = answer.having("Content-Length", str(len(answer.body)))
        # Closed behind it, or the gateway would wait for the rest.
        return replace(whole, body=answers.cut(answer.body)).having("Connection", "close")

    def _malformed(self, _fault: Fault, environ: Environ, ask: Ask) -> Spoilt:
        answer = ask(environ)
        return replace(answer, body=answers.garbled(answer.body))

    def _off_contract(self, fault: Fault, environ: Environ, ask: Ask) -> Spoilt:
        answer = ask(environ)
        operation = self._operation(environ["REQUEST_METHOD"], environ["PATH_INFO"]) or ""
        body = answers.off_contract(operation, answer.code, answer.body, fault.get("how"))
        assert body is not None  # or the fault would not have struck it
        return replace(answer, body=body).having("Content-Length", str(len(body)))

    def _other_status(self, fault: Fault, environ: Environ, ask: Ask) -> Spoilt:
        """Answer something else, or with another status what would have been answered."""
        if fault.get("body") or not comes_after(fault):
            return self._replaced(fault, environ, ask)
        answer = ask(environ)
        status = stand_in(fault, self._parts).status
        if fault.get("code") in NO_BODY:
            left = [each for each in answer.headers if each[0].lower() not in ABOUT_BODY]
            return Spoilt(status, left, b"")
        return replace(answer, status=status)

    def _replaced(self, fault: Fault, environ: Environ, ask: Ask) -> Spoilt:
        """Let the request be done, or not, and answer something else."""
        answer = ask(environ)
        if not comes_after(fault):
            return answer  # it is the stand-in's
        other = stand_in(fault, self._parts)
        return Spoilt(other.status, list(other.headers), other.get_data())

    def _late(self, fault: Fault, environ: Environ, ask: Ask) -> Spoilt:
        if not comes_after(fault):
            self._wait(fault, lambda: False)
        answer = ask(environ)
        if comes_after(fault):
            self._wait(fault, lambda: False)
        return answer

    def _hung(self, fault: Fault, environ: Environ, ask: Ask) -> Spoilt:
        answer = self._unanswered(fault, environ, ask)
        self._wait(fault, lambda: False)
        return answer

    def _held_back(self, fault: Fault, environ: Environ, ask: Ask) -> Spoilt:
        answer = ask(environ)
        tenant = environ.get("HTTP_TENANT", "").strip()
        gateway_id: int = json.loads(answer.body)["id"]
        self._wait(fault, lambda: self._has_told(tenant, gateway_id))
        return answer

    def _has_told(self, tenant: str, gateway_id: int) -> bool:
        """Tell whether the first KCI of a problem has been sent."""

        def work(uow: UnitOfWork) -> bool:
            problem_id = ProblemRepository(uow).find(tenant, gateway_id)
            if problem_id is None:
                return True
            rows = LaneRepository(uow).messages_of(problem_id)
            return any(row["kind"] in REASONS and row["attempts"] for row in rows)

        return self._parts.services.store.read(work)

    def _wait(self, fault: Fault, is_over: Callable[[], bool]) -> None:
        """Wait for the fault's time, or until it is over or taken away; for few at a time."""
        if not self._parts.waiting.acquire(blocking=False):
            log.warning("fault.too-many-wait", kind=fault.kind.name)
            return
        machine = self._parts.services.machine
        until, pause = machine.monotonic() + fault.get("seconds"), threading.Event()
        try:
            while (left := until - machine.monotonic()) > 0:
                if is_over() or not self._faults.stays(fault):
                    return
                pause.wait(min(POLL, left))
        except StoreUnavailable as error:
            log.warning("faults.no-database", error=str(error))
        finally:
            self._parts.waiting.release()

    def _send(self, answer: Spoilt, start_response: StartResponse) -> Iterable[bytes]:
        start_response(answer.status, [NO_ANSWER] if answer.cut else answer.headers)
        return [] if answer.cut else [answer.body]
