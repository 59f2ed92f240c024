"""A gateway on loopback that answers as the test sets and records what it received."""

import contextlib
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson

# What the sink does with a request; it may answer, hang, or break off.
Reaction = Callable[["Handler"], None]


@dataclass(frozen=True)
class Request:
    """A request as it came in; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: tuple[str, int]


@dataclass
class Sink:
    """The requests received, and the reactions to the next KCIs and token requests."""

    scheme: str = "http"
    port: int = 0
    kcis: list[Request] = field(default_factory=list)
    tokens: list[Request] = field(default_factory=list)
    others: list[Request] = field(default_factory=list)
    kci_reactions: deque[Reaction] = field(default_factory=deque)
    token_reactions: deque[Reaction] = field(default_factory=deque)
    get_reactions: deque[Reaction] = field(default_factory=deque)
    options_reactions: deque[Reaction] = field(default_factory=deque)
    # What it says the time is; empty for the time that it is.
    date: str = ""
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    let_go: threading.Event = field(default_factory=threading.Event)
    cut_off: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


class Server(ThreadingHTTPServer):
    """The listening socket and the sink behind it."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, sink: Sink) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sink = sink


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        sink = self.server.sink
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        request = Request(self.path, headers, body, self.client_address)
        if self.path.endswith("/access-token"):
            sink.tokens.append(request)
            reactions, usual = sink.token_reactions, grant(f"token-{len(sink.tokens)}")
        else:
            sink.kcis.append(request)
            reactions, usual = sink.kci_reactions, answer(204)
        reaction = reactions.popleft() if reactions else usual
        sink.arrived.release()
        reaction(self)

    def do_GET(self) -> None:
        self._other(self.server.sink.get_reactions, answer(200))

    def do_OPTIONS(self) -> None:
        self._other(self.server.sink.options_reactions, answer(405))

    def _other(self, reactions: deque[Reaction], usual: Reaction) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.sink.others.append(Request(self.path, headers, b"", self.client_address))
        (reactions.popleft() if reactions else usual)(self)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.server.sink.date or super().date_time_string(timestamp)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Log nothing."""


def answer(status: int, body: bytes = b"", **headers: str) -> Reaction:
    """Answer with a status; `Retry_After="5"` is the header Retry-After."""

    def react(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if status != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return react


def refusal(status: int, code: str, *messages: str) -> Reaction:
    """Answer with the published error envelope."""
    body = orjson.dumps({"uuid": "1", "code": code, "messages": messages})
    return answer(status, body, Content_Type="application/json")


def grant(token: str, expires_in: int = 3600) -> Reaction:
    """Answer with a token."""
    body = {"access_token": token, "expires_in": expires_in, "token_type": "Bearer"}
    return answer(200, orjson.dumps(body), Content_Type="application/json")


def hang(handler: Handler) -> None:
    """Answer nothing until the test is over."""
    handler.server.sink.let_go.wait(60)
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """Begin an answer and send a byte now and then, but never a status; note when that is cut."""
    handler.close_connection = True
    sink = handler.server.sink
    try:
        handler.wfile.write(b"HTTP/1.1 ")
        for _ in range(250):
            if sink.let_go.wait(0.02):
                break
            handler.wfile.write(b" ")
    except OSError:
        sink.cut_off.set()


def break_off(handler: Handler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


def cut_body(handler: Handler) -> None:
    """Promise more of a body than is sent."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    handler.close_connection = True


def raw(*bursts: bytes) -> Reaction:
    """Write these bytes and leave the connection open; a burst is one packet."""

    def react(handler: Handler) -> None:
        for burst in bursts:
            handler.wfile.write(burst)

    return react


@contextlib.contextmanager
def serving(tls: Path | None = None) -> Iterator[Sink]:
    """Yield a sink on a free port of loopback; with `tls`, the certificate and its key, by TLS."""
    sink = Sink("https" if tls else "http")
    with Server(sink) as server:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        sink.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield sink
        finally:
            sink.let_go.set()
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    """Yield an address at which nobody listens, nor will."""
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
