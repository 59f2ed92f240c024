"""Runs a WSGI application (PEP 3333) on a request that has fully arrived, and writes its answer."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from supplier_api.clock import MachineClock
from supplier_api.value_object import value_object

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

# An invalid length: an application's way to say that no byte of its answer may be sent. The server
# closes the connection instead.
NO_ANSWER = ("Content-Length", "none")
# An application's way to have the connection closed after its answer.
CLOSE = ("Connection", "close")
# The keys of a request's environ for the headers that were repeated and must not be, and for its
# path as it was written.
REPEATED = "supplier_api.repeated_headers"
RAW_PATH = "RAW_URI"
# The one for its RequestTimes.
TIMES = "supplier_api.times"
# The one for its body, unless that is too long: as a stream it would be read through two others.
BODY = "supplier_api.body"
# An application's way to have a request wait where there is nothing to tell yet: it sets this key
# to the seconds that its caller waits at most. The request is run again until it is not set.
WAIT = "supplier_api.wait"

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
WITHOUT_LENGTH = frozenset({"204", "304"})
RETRY_AFTER = [("Retry-After", "1")]  # seconds

# Headers that must not be repeated: a request with two of one would be ambiguous.
ONCE = {
    name.lower().encode(): name
    for name in (
        "Authorization",
        "Content-Type",
        "Host",
        "Tenant",
        "X-Request-ID",
        "X-Conversation-ID",
        "X-Scenario",
        "X-Problem-Code",
        "X-Kci-Delay",
    )
}
# The body is complete by now, however it was sent: its length is known.
_OF_THE_BODY = frozenset({b"transfer-encoding", b"content-length"})
_KEYS = {name: f"HTTP_{text.upper().replace('-', '_')}" for name, text in ONCE.items()}
_KEYS[b"content-type"] = "CONTENT_TYPE"


@value_object
class RequestTimes:
    """When the headers were complete, when the last byte arrived, and the wait for a thread.

    All in seconds, the first two of the machine clock's monotonic scale.
    """

    headers: float
    arrived: float
    queued: float


@dataclass(slots=True)
class ReceivedRequest:
    """A request as received. Header names are in lower case; times are monotonic seconds.

    `length` is that of its body, which is whole in `body`, or empty if it was too long.
    """

    method: str = ""
    target: bytes = b""
    version: str = "1.1"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    length: int = 0
    headers_at: float = 0.0
    arrived_at: float = 0.0
    # Until when its caller waits for something to be told.
    waits_until: float | None = None

    def path(self) -> bytes:
        """Return the path as it was written, without query and fragment."""
        return _split(self.target)[0]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Host and port of the client and of the server."""

    client: tuple[str, int]
    server: tuple[str, int]


@value_object
class RawAnswer:
    """An answer: the text of its status line, headers and the whole body.

    `cut` if nothing of it may be sent; `close` if the connection ends after it. `wait`: it tells
    nothing, and its caller waits so many seconds for more.
    """

    status: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    cut: bool = False
    close: bool = False
    wait: float = 0.0


# The answers to requests that the application never sees, by reason: it cannot be parsed; its
# headers are too long; its body did not arrive; the queue is full; it was in the queue for too
# long; the server is stopping.
REFUSALS = {
    "unreadable": RawAnswer("400 Bad Request", close=True),
    "headers-too-long": RawAnswer("431 Request Header Fields Too Large", close=True),
    "too-slow": RawAnswer("408 Request Timeout", close=True),
    "queue-full": RawAnswer("503 Service Unavailable", RETRY_AFTER, close=True),
    "queued-too-long": RawAnswer("503 Service Unavailable", RETRY_AFTER),
    "stopping": RawAnswer("503 Service Unavailable", RETRY_AFTER, close=True),
}
FAILED = RawAnswer("500 Internal Server Error")


def environ_of(request: ReceivedRequest, addresses: Addresses) -> Environ:
    """Return the environ of a request.

    Header values are decoded byte by byte (latin-1). A name with an underscore is left out: in an
    environ it would look like one with a hyphen.
    """
    raw, query = _split(request.target)
    path = unquote_to_bytes(raw) if b"%" in raw else raw
    environ: Environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.decode("latin-1"),
        RAW_PATH: raw.decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "SERVER_NAME": addresses.server[0],
        "SERVER_PORT": str(addresses.server[1]),
        "REMOTE_ADDR": addresses.client[0],
        "REMOTE_PORT": str(addresses.client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(request.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if len(request.body) == request.length:
        environ[BODY] = request.body
    _add_headers(environ, request)
    return environ


def run(application: WsgiApplication, environ: Environ) -> RawAnswer:
    """Run the application on a request and return its whole answer."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        started[:] = status, headers

    parts = application(environ, start_response)
    try:
        body = b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    status, headers = started
    cut, close = NO_ANSWER in headers, CLOSE in headers
    return RawAnswer(status, headers, body, cut, close, environ.get(WAIT, 0.0))


def _split(target: bytes) -> tuple[bytes, bytes]:
    """Return path and query of a request's target (RFC 9112, section 3.2)."""
    if not target.startswith(b"/"):
        # In absolute form, as sent to a proxy; or without a path: a host and port, or "*".
        _scheme, absolute, rest = target.partition(b"://")
        target = b"/" + rest.partition(b"/")[2] if absolute else target
    path, _, query = target.partition(b"#")[0].partition(b"?")
    return path, query


def _add_headers(environ: Environ, request: ReceivedRequest) -> None:
    repeated: list[str] = []
    for name, value in request.headers:
        if name in _OF_THE_BODY:
            environ["CONTENT_LENGTH"] = str(request.length)
            continue
        if b"_" in name:
            continue
        key = _KEYS.get(name) or f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}"
        text = value.decode("latin-1")
        if key in environ:
            environ[key] += f",{text}"
            if name in ONCE:
                repeated.append(ONCE[name])
        else:
            environ[key] = text
    if repeated:
        environ[REPEATED] = tuple(dict.fromkeys(repeated))


class AnswerWriter:
    """Writes answers, with the current date."""

    def __init__(self, clock: MachineClock) -> None:
        """Date answers by `clock`."""
        self._clock = clock
        self._second = -1
        self._date = ""

    def write(self, answer: RawAnswer, method: str, *, close: bool) -> bytes:
        """Return the bytes of an answer to a request of that method."""
        head = "".join(self._head(answer, close=close)).encode("latin-1", "replace")
        return head if method == "HEAD" else head + answer.body

    def _head(self, answer: RawAnswer, *, close: bool) -> Iterator[str]:
        code = answer.status[:3]
        yield f"HTTP/1.1 {_status_line(answer.status)}\r\n"
        has_length = code in WITHOUT_LENGTH
        for name, value in answer.headers:
            lower = name.lower()
            if lower == "connection":
                continue  # the server sets it
            has_length = has_length or lower == "content-length"
            yield f"{name}: {value}\r\n"
        if not has_length:
            yield f"Content-Length: {len(answer.body)}\r\n"
        if close:
            yield "Connection: close\r\n"
        yield f"Date: {self._now()}\r\n\r\n"

    def _now(self) -> str:
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second = second
            self._date = formatdate(self._clock.now().timestamp(), usegmt=True)
        return self._date


_PHRASES = {str(status.value): f"{status.value} {status.phrase}" for status in HTTPStatus}


def _status_line(status: str) -> str:
    """Return code and phrase as the RFC writes them: frameworks use capitals."""
    return _PHRASES.get(status[:3], status)
