"""Runs a WSGI application (PEP 3333) on a request that has fully arrived."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

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


@dataclass(slots=True)
class Request:
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

    def path(self) -> bytes:
        """Return the path as it was written, without query and fragment."""
        return _split(self.target)[0]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Host and port of the client and of the server."""

    client: tuple[str, int]
    server: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: the text of its status line, headers and the whole body.

    `cut` if nothing of it may be sent; `close` if the connection ends after it.
    """

    status: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    cut: bool = False
    close: bool = False


def environ_of(request: Request, addresses: Addresses) -> Environ:
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
    _add_headers(environ, request)
    return environ


def run(application: WsgiApplication, environ: Environ) -> Answer:
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
    return Answer(status, headers, body, cut=NO_ANSWER in headers, close=CLOSE in headers)


def _split(target: bytes) -> tuple[bytes, bytes]:
    """Return path and query of a request's target (RFC 9112, section 3.2)."""
    if not target.startswith(b"/"):
        # In absolute form, as sent to a proxy; or without a path: a host and port, or "*".
        _scheme, absolute, rest = target.partition(b"://")
        target = b"/" + rest.partition(b"/")[2] if absolute else target
    path, _, query = target.partition(b"#")[0].partition(b"?")
    return path, query


def _add_headers(environ: Environ, request: Request) -> None:
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
