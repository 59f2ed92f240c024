"""Takes down every call that comes in, for the journal: as it came, and as its answer leaves."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Flask, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wrappers import Request

from supplier_api.admin_api.faulty_answers import NO_LENGTH
from supplier_api.admin_api.stand_ins import STRUCK
from supplier_api.clock import MachineClock
from supplier_api.faults.model import TOKEN, Fault
from supplier_api.journal.incoming import Served, taken_down
from supplier_api.journal.recorder import Recorder

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
        notes = environ[NOTES] = _Notes()
        answer: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            answer[:] = status, list(headers)
            return start_response(status, headers, *more)

        body = _Whole(self._app(environ, start))
        asked, (status, headers) = Request(environ), answer
        fault: Fault | None = environ.get(STRUCK)
        served = Served(
            at=at,
            milliseconds=round((self._machine.monotonic() - began) * 1000, 1),
            operation=notes.operation,
            method=asked.method,
            url=_url(environ),
            headers=list(asked.headers.items()),
            body=notes.body,
            status=None if NO_LENGTH in headers else int(status[:3]),
            answer_headers=[] if NO_LENGTH in headers else headers,
            answer_body=b"".join(body),
            name=notes.name,
            deliberate=fault.plain() if fault else None,
        )
        self._recorder.record(partial(taken_down, served))
        return body


def _url(environ: Environ) -> str:
    """Return path and query, written as in a URL (RFC 3986)."""
    path = quote(environ["PATH_INFO"], _IN_PATH, encoding="latin-1")
    search = quote(environ.get("QUERY_STRING", ""), _IN_QUERY, encoding="latin-1")
    return f"{path}?{search}" if search else path


class _Whole:
    """A body that was read whole; no list, of which the server would count the length itself."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._parts = list(body)
        self._close = getattr(body, "close", None)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    def close(self) -> None:
        if self._close:
            self._close()
