"""A server that stands between two others, and may do to a call whatever a network can."""

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import urlsplit

# Of one connection only, or worked out anew.
NOT_PASSED_ON = {"connection", "content-length", "date", "host", "keep-alive", "server"}
CUT_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: what is closed is reset
NO_ANSWER = (OSError, http.client.HTTPException)


@dataclass(frozen=True)
class Call:
    """A request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def conversation(self) -> str:
        """Return the conversation that the request belongs to."""
        return self.headers.get("X-Conversation-ID", "")


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Broken(Enum):
    """What becomes of a call that is not answered."""

    RESET = "reset"  # the connection is cut, as by a process that died
    HUNG = "hung"  # nothing comes, and much later the connection ends


class Proxy:
    """Gives each call to `handle`, in a thread of its own connection."""

    def __init__(self, handle: Callable[[Call], Reply | Broken], hang: float = 0.0) -> None:
        """Listen on a free port, and serve from `start` on; what hangs does so for `hang` s."""
        self._server = _Server(handle, hang)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Serve no more; calls that hang are let go."""
        self._server.closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def pass_on(call: Call, url: str, patience: float) -> Reply:
    """Send the call to the server at `url`, on a connection of its own, and return its answer.

    Raises one of NO_ANSWER.
    """
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=patience)
    try:
        return _exchange(connection, call)
    finally:
        connection.close()


class Road:
    """Connections to one server that stay open, one for each thread."""

    def __init__(self, url: str, patience: float) -> None:
        """Wait `patience` seconds for an answer."""
        self._netloc = urlsplit(url).netloc
        self._patience = patience
        self._of_thread = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        """Close all connections."""
        for connection in self._opened:
            connection.close()

    def pass_on(self, call: Call) -> Reply:
        """Send the call and return the answer; raises one of NO_ANSWER.

        A call that can be repeated: the server may have closed the connection meanwhile.
        """
        connection: http.client.HTTPConnection | None
        connection = getattr(self._of_thread, "connection", None)
        if connection is not None:
            try:
                return _exchange(connection, call)
            except NO_ANSWER:
                connection.close()
        connection = http.client.HTTPConnection(self._netloc, timeout=self._patience)
        self._of_thread.connection = connection
        self._opened.append(connection)
        return _exchange(connection, call)


def _exchange(connection: http.client.HTTPConnection, call: Call) -> Reply:
    connection.request(call.method, call.path, call.body, _passed_on(call.headers))
    answer = connection.getresponse()
    return Reply(answer.status, _passed_on(dict(answer.getheaders())), answer.read())


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in NOT_PASSED_ON}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handle: Callable[[Call], Reply | Broken], hang: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.handle = handle
        self.hang = hang
        self.closing = threading.Event()

    def shutdown_request(self, request: Any) -> None:
        """Close without a farewell, which would go before the reset."""
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: callers that are killed break their connections."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves in one piece

    def do_POST(self) -> None:
        server = cast("_Server", self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        reply = server.handle(Call(self.command, self.path, dict(self.headers), body))
        if reply is Broken.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CUT_AT_ONCE)
            self.close_connection = True
        elif reply is Broken.HUNG:
            server.closing.wait(server.hang)
            self.close_connection = True
        else:
            self._answer(reply)

    do_GET = do_PATCH = do_POST  # noqa: N815 - the library's names

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""
