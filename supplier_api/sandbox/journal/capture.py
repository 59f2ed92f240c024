"""Records every call that comes in, as it came, and as its answer leaves."""

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Flask, request
from werkzeug.datastructures import EnvironHeaders
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from supplier_api import contract
from supplier_api.clock import MachineClock
from supplier_api.contract.limits import HEADER_MAX, ID_MAX, ID_MIN
from supplier_api.http.wsgi import Environ, RawAnswer, StartResponse, WsgiApplication, run
from supplier_api.sandbox.fault_injection.model import STRUCK, TOKEN, InjectedFault
from supplier_api.sandbox.journal.entries import (
    Decided,
    JournalDirection,
    JournalEntry,
    document_in,
    http_part,
    ids_in,
    without_secrets,
)
from supplier_api.sandbox.journal.recorder import Recorder
from supplier_api.sandbox.journal.violations import ReadRequest, read_request

# The calls of testers and monitors are not what is tested.
NOT_RECORDED = re.compile(r"/(admin|docs|health|metrics|openapi\.json)(/|$)")
UNKNOWN = "unknown"
# Where a request carries what the application notes of it.
NOTES = "supplier_api.notes"
# What the rule book calls the requests that it decides on.
DECIDED = {
    "service-problems": "problem",
    "service-problem-amendments": "amendment",
    "service-problem-cancellations": "cancellation",
}
# Where a request names the problem that it is about.
PROBLEM_ID = {
    "service-problems": "id",
    "service-problem-amendments": "serviceProblemId",
    "service-problem-cancellations": "serviceProblemId",
}

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
            headers = EnvironHeaders(environ).to_wsgi_list()
            self._recorder.record(partial(_entry, environ, headers, at, milliseconds, answer))
        start_response(answer.status, answer.headers)
        return [answer.body]


def _entry(
    environ: Environ,
    headers: Sequence[tuple[str, str]],
    at: datetime,
    milliseconds: float,
    answer: RawAnswer,
) -> JournalEntry:
    """Return what is kept of a call as it came in, and of what left in answer."""
    notes: _Notes = environ[NOTES]
    fault: InjectedFault | None = environ.get(STRUCK)
    by_name = {each.lower(): value for each, value in headers}
    read = read_request(notes.operation, by_name, notes.body)
    request_id = _short(by_name.get("x-request-id"))
    names = (notes.name, request_id, *ids_in(read.data, document_in(answer.body)))
    return JournalEntry(
        at=at,
        direction=JournalDirection.IN,
        operation=notes.operation,
        tenant=_short(by_name.get("tenant")) or "",
        method=environ["REQUEST_METHOD"],
        url=without_secrets(_url(environ)),
        request=http_part(headers, notes.body),
        answer=http_part([] if answer.cut else answer.headers, answer.body),
        status=None if answer.cut else int(answer.status[:3]),
        milliseconds=milliseconds,
        conversation_id=_short(by_name.get("x-conversation-id")),
        request_id=request_id,
        ids=tuple(each for each in names if each),
        deliberate=fault.plain() if fault else None,
        remarks=tuple(remark.plain() for remark in read.violations),
        problem_id=_problem_id(notes.operation, read.data),
        about=notes.name,
        decided=_decided(notes.operation, read),
    )


def _problem_id(operation: str, document: Mapping[str, Any]) -> int | None:
    value = document.get(PROBLEM_ID.get(operation, ""))
    return value if isinstance(value, int) and ID_MIN <= value <= ID_MAX else None


def _decided(operation: str, read: ReadRequest) -> Decided | None:
    document = read.document
    if operation not in DECIDED or document is None:
        return None
    fingerprints = tuple(contract.fingerprint(document, version) for version in contract.VERSIONS)
    return Decided(DECIDED[operation], str(document["id"]), fingerprints)


def _short(value: str | None) -> str | None:
    return value.strip()[:HEADER_MAX] if value and value.strip() else None


def _url(environ: Environ) -> str:
    """Return path and query, written as in a URL (RFC 3986)."""
    path = quote(environ["PATH_INFO"], _IN_PATH, encoding="latin-1")
    search = quote(environ.get("QUERY_STRING", ""), _IN_QUERY, encoding="latin-1")
    return f"{path}?{search}" if search else path
