"""A gateway as far as its tenants see it, over HTTP; it says what a test has it say."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Document = dict[str, Any]
RAISED = {"id": 7, "status": "RECEIVED_BY_GATEWAY", "updates": []}


class TenantsGateway(ThreadingHTTPServer):
    """`answers` are its next answers to calls but those for tokens; `calls` are what came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, Document]] = []
        self.calls: list[tuple[str, str, Document, dict[str, str]]] = []
        self.problem: Document = dict(RAISED)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: TenantsGateway

    def do_GET(self) -> None:
        self._reply(200, self.server.problem)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("access-token"):
            self._reply(200, {"access_token": "a-token", "expires_in": 3600})
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.calls.append((self.command, self.path, json.loads(body), headers))
        self._reply(*(self.server.answers.pop(0) if self.server.answers else (201, RAISED)))

    def do_PATCH(self) -> None:
        self.do_POST()

    def _reply(self, status: int, document: Document) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[TenantsGateway]:
    """Yield a gateway that listens on loopback."""
    gateway = TenantsGateway()
    thread = Thread(target=gateway.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield gateway
    gateway.shutdown()
    gateway.server_close()
    thread.join()
