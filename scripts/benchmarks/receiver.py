"""A gateway that takes every KCI, in a thread of the measuring process: for what is no race."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from scripts.benchmarks.common import HOST

TOKEN = json.dumps({"access_token": "token", "token_type": "Bearer", "expires_in": 3600}).encode()


class Receiver:
    """Notes the moment of each KCI."""

    def __init__(self) -> None:
        """Listen on a free port, and serve."""
        moments: list[float] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                token = self.path == "/token"
                self.send_response(200 if token else 204)
                if token:
                    self.send_header("Content-Length", str(len(TOKEN)))
                else:
                    moments.append(time.monotonic())
                self.end_headers()
                self.wfile.write(TOKEN if token else b"")

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._moments = moments
        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        url = f"http://{HOST}:{self._server.server_port}"
        self.kci_url, self.token_url = f"{url}/kcis", f"{url}/token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def arrivals(self) -> list[float]:
        """Return the monotonic moments of what has arrived since the last question."""
        moments = self._moments[:]
        self._moments.clear()
        return moments

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
