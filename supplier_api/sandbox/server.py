"""Serves the gateway: one process, one thread for each connection.

Werkzeug's server and not granian: granian answers WSGI from a child process, which outlives a
parent that is killed and leaves the sender no moment to finish its calls; here all live and end
together. And a caller that is slow, or kept waiting, takes its own thread and nobody else's.
"""

import signal
import socket
import threading
from http import HTTPStatus
from io import BytesIO
from types import FrameType

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.test import run_wsgi_app

from supplier_api.observability import get_logger
from supplier_api.sandbox.assembly import Gateway

log = get_logger(__name__)

BACKLOG = 128  # connections that may wait to be accepted
BODY_MAX = 1_048_576  # bytes; the application refuses less
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Handler(WSGIRequestHandler):
    """Answers the requests of one connection, which stays open between them.

    Werkzeug closes it after each, since it cannot tell where a body ends that nobody has read. Here
    the body is read before the application is asked. Where its length is not plainly said, or too
    long, the connection is answered and closed as Werkzeug does it.
    """

    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds that a caller may be silent
    disable_nagle_algorithm = True  # an answer's second packet would wait for the caller

    def run_wsgi(self) -> None:
        """Answer one request."""
        length = self._body_length()
        if length is None:
            super().run_wsgi()
            return
        environ = self.make_environ()
        environ["wsgi.input"] = BytesIO(self.rfile.read(length))
        parts, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        body = b"".join(parts)
        code = int(status.split(maxsplit=1)[0])
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        if "Content-Length" not in headers and code not in WITHOUT_BODY:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: a line for each call is the affair of whoever makes the call."""

    def log_error(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Log nothing: that a caller was silent or made no sense is answered or seen by it."""

    def _body_length(self) -> int | None:
        """Return the length of the request's body, None if it cannot be taken at its word."""
        said = self.headers.get_all("Content-Length", ["0"])
        plain = len(said) == 1 and said[0].isascii() and said[0].isdigit() and len(said[0]) < 10
        if not plain or "Transfer-Encoding" in self.headers or int(said[0]) > BODY_MAX:
            return None
        return int(said[0])


def serve(app: Flask, host: str, port: int) -> None:
    """Answer requests, call suppliers and tenants until SIGTERM or SIGINT; then end in order.

    Raises OSError when the address cannot be listened on. For the main thread only.
    """
    gateway: Gateway = app.extensions["sandbox"]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Bound here: werkzeug would end the process where it cannot bind.
    with socket.create_server((host, port), family=family, backlog=BACKLOG) as listening:
        server = make_server(
            host, port, app, threaded=True, request_handler=Handler, fd=listening.fileno()
        )
    _stop_on_signals(server)
    gateway.start()
    log.info("sandbox gateway ready", host=host, port=server.port)
    try:
        server.serve_forever()
    finally:
        server.server_close()
        gateway.close()


def _stop_on_signals(server: BaseWSGIServer) -> None:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        # shutdown() waits for the loop that this very thread is in.
        threading.Thread(target=server.shutdown, daemon=True).start()

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
