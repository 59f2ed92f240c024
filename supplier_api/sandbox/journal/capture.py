"""Records every call that comes in, as it came, and as its answer leaves."""

import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import quote

from flask import Flask, request
from werkzeug.datastructures import EnvironHeaders
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from supplier_api.clock import MachineClock
from supplier_api.http.wsgi import Environ, RawAnswer, StartResponse, WsgiApplication, run
from supplier_api.sandbox.fault_injection.model import STRUCK, TOKEN, InjectedFault
from supplier_api.sandbox.journal.entries import (
    JournalEntry,
    incoming_entry,
)
from supplier_api.sandbox.journal.recorder import Recorder

# The calls of testers and monitors are not what is tested.
NOT_RECORDED = re.compile(r"/(admin|docs|health|metrics|openapi\.json)(/|$)")
UNKNOWN = "unknown"
# Where a request carries what the application notes of it.
NOTES = "supplier_api.notes"

_IN_PATH = "/:@!$&'()*+,;="
_IN_QUERY = _IN_PATH + "?%"


@dataclass(slots=True)
class _Notes:
    """What only the application can tell of a request."""

    operation: str = UNKNOWN
    name: str | None = None
    body: bytes = b""


def keep_requests(app: Flask) -> None:
    """Note what comes in at `app`; registered before whatever may answer a request at once."""

    @app.before_request
    def note() -> None:
        notes: _Notes | None = request.environ.get(NOTES)
        if notes is None:
            return
        notes.operation = TOKEN if request.blueprint == "tokens" else request.blueprint or UNKNOWN
        notes.name = next(iter((request.view_args or {}).values()), None)
        # Kept by the framework for whoever reads it next; what cannot be read is judged there.
        with contextlib.suppress(ClientDisconnected, RequestEntityTooLarge):
            notes.body = request.get_data()


def record_calls(app: Flask, recorder: Recorder, machine: MachineClock) -> None:
    """Record each call to `app` but the testers' own; wraps all else."""
    app.wsgi_app = _Recording(app.wsgi_app, recorder, machine)  # type: ignore[method-assign]


class _Recording:
    """The application, with its calls recorded before their answers leave."""

    def __init__(self, app: WsgiApplication, recorder: Recorder, machine: MachineClock) -> None:
        self._app = app
        self._recorder = recorder
        self._machine = machine

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if NOT_RECORDED.match(environ["PATH_INFO"]):
            return self._app(environ, start_response)
        at, began = self._machine.now(), self._machine.monotonic()
        environ[NOTES] = _Notes()
        answer = run(self._app, environ)
        milliseconds = round((self._machine.monotonic() - began) * 1000, 1)
        if not answer.wait:  # it is run again, until there is something to tell
            self._recorder.record(_entry(environ, at, milliseconds, answer))
        start_response(answer.status, answer.headers)
        return [answer.body]


def _entry(
    environ: Environ, at: datetime, milliseconds: float, answer: RawAnswer
) -> Callable[[], JournalEntry]:
    """Return what makes the entry of a call that took so long and was answered so."""
    notes: _Notes = environ[NOTES]
    fault: InjectedFault | None = environ.get(STRUCK)
    return partial(
        incoming_entry,
        at=at,
        milliseconds=milliseconds,
        operation=notes.operation,
        method=environ["REQUEST_METHOD"],
        url=_url(environ),
        headers=list(EnvironHeaders(environ).items()),
        body=notes.body,
        status=None if answer.cut else int(answer.status[:3]),
        answer_headers=[] if answer.cut else answer.headers,
        answer_body=answer.body,
        name=notes.name,
        deliberate=fault.plain() if fault else None,
    )


def _url(environ: Environ) -> str:
    """Return path and query, written as in a URL (RFC 3986)."""
    path = quote(environ["PATH_INFO"], _IN_PATH, encoding="latin-1")
    search = quote(environ.get("QUERY_STRING", ""), _IN_QUERY, encoding="latin-1")
    return f"{path}?{search}" if search else path
