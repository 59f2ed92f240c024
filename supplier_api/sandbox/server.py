"""Serves the gateway: one process, one thread for each connection.

Werkzeug's server and not granian: granian answers WSGI from a child process, which outlives a
parent that is killed and leaves the sender no moment to finish its calls; here all live and end
together. And a caller that is slow, or kept waiting, takes its own thread and nobody else's.
"""

import signal
import socket
import threading
from types import FrameType

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from supplier_api.observability import get_logger
from supplier_api.sandbox.assembly import Gateway

log = get_logger(__name__)

BACKLOG = 128  # connections that may wait to be accepted
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # answers `Expect: 100-continue`
    timeout = 60  # seconds that a caller may be silent

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: a line for each call is the affair of whoever makes the call."""


def serve(app: Flask, host: str, port: int) -> None:
    """Answer requests and send to suppliers until SIGTERM or SIGINT; then end in order.

    Raises OSError when the address cannot be listened on. For the main thread only.
    """
    gateway: Gateway = app.extensions["sandbox"]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Bound here: werkzeug would end the process where it cannot bind.
    with socket.create_server((host, port), family=family, backlog=BACKLOG) as listening:
        server = make_server(
            host, port, app, threaded=True, request_handler=_Handler, fd=listening.fileno()
        )
    _stop_on_signals(server)
    gateway.sender.start()
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
