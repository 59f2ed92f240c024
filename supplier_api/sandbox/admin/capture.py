"""Takes down every call that comes in, for the journal: as it came, and as its answer leaves."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Flask, request
from werkzeug.datastructures import EnvironHeaders
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from supplier_api.clock import MachineClock
from supplier_api.http.wsgi import NO_ANSWER
from supplier_api.sandbox.fault_injection.model import TOKEN, Fault
from supplier_api.sandbox.fault_injection.substitute_answers import STRUCK
from supplier_api.sandbox.journal.entries import JournalEntry, incoming_entry
from supplier_api.sandbox.journal.recorder import Recorder

# The calls of testers and monitors are not what is tested.
NOT_RECORDED = re.compile(r"/(admin|docs|health|metrics|openapi\.json)(/|$)")
UNKNOWN = "unknown"
# Where a request carries what the application notes of it.
NOTES = "supplier_api.notes"

_IN_PATH = "/:@!$&'()*+,;="
_IN_QUERY = _IN_PATH + "?%"
Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]


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
    """Record each call at any door of `app` but the testers' own; stands around all else."""
    app.wsgi_app = _Recording(app.wsgi_app, recorder, machine)  # type: ignore[method-assign]


class _Recording:
    """The application, with its calls taken down before their answers leave."""

    def __init__(self, app: Wsgi, recorder: Recorder, machine: MachineClock) -> None:
        self._app = app
        self._recorder = recorder
        self._machine = machine

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if NOT_RECORDED.match(environ["PATH_INFO"]):
            return self._app(environ, start_response)
        at, began = self._machine.now(), self._machine.monotonic()
        environ[NOTES] = _Notes()
        answer: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            answer[:] = status, list(headers)
            return start_response(status, headers, *more)

        body = self._app(environ, start)
        parts = list(body)
        milliseconds = round((self._machine.monotonic() - began) * 1000, 1)
        status, headers = answer
        entry = _entry(environ, at, milliseconds, status, headers, b"".join(parts))
        self._recorder.record(entry)
        return body if isinstance(body, list) else _Again(parts, body)


def _entry(
    environ: Environ,
    at: datetime,
    milliseconds: float,
    status: str,
    headers: list[tuple[str, str]],
    body: bytes,
) -> Callable[[], JournalEntry]:
    """Return what makes the entry of a call that took so long and was answered so."""
    notes: _Notes = environ[NOTES]
    fault: Fault | None = environ.get(STRUCK)
    unanswered = NO_ANSWER in headers
    return partial(
        incoming_entry,
        at=at,
        milliseconds=milliseconds,
        operation=notes.operation,
        method=environ["REQUEST_METHOD"],
        url=_url(environ),
        headers=list(EnvironHeaders(environ).items()),
        body=notes.body,
        status=None if unanswered else int(status[:3]),
        answer_headers=[] if unanswered else headers,
        answer_body=body,
        name=notes.name,
        deliberate=fault.plain() if fault else None,
    )


def _url(environ: Environ) -> str:
    """Return path and query, written as in a URL (RFC 3986)."""
    path = quote(environ["PATH_INFO"], _IN_PATH, encoding="latin-1")
    search = quote(environ.get("QUERY_STRING", ""), _IN_QUERY, encoding="latin-1")
    return f"{path}?{search}" if search else path


class _Again:
    """A body that was read, to be read again."""

    def __init__(self, parts: Iterable[bytes], body: Iterable[bytes]) -> None:
        self._parts = parts
        self._close = getattr(body, "close", None)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    def close(self) -> None:
        if self._close:
            self._close()
