"""A gateway that takes KCIs, remembers each arrival, and answers as a test wants."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs

from tests.waiting import PATIENCE

CLIENT = {"grant_type": ["client_credentials"], "client_id": ["c"], "client_secret": ["s"]}
HANG = 0  # in place of a status: no answer at all
RETRY_AFTER = 3000  # seconds that a 429 asks for
# What comes with a 422: the published envelope.
REFUSAL = {
    "uuid": "87432dfb-2e47-4532-a1b7-4b113d48867d",
    "code": "INVALID_REQUEST",
    "messages": ["text: not what the tenant may be told"],
}


@dataclass(frozen=True)
class Arrival:
    """A KCI as it came in, and the status that it was answered."""

    body: bytes = field(repr=False)
    problem: int
    number: int
    id: str
    reason: str
    status: int = 204

    @property
    def taken(self) -> bool:
        """Tell whether the gateway has it now: it took it, or said that it had it already."""
        return 200 <= self.status < 300 or self.status == 409

    @property
    def document(self) -> dict[str, Any]:
        """Return the KCI."""
        return cast("dict[str, Any]", json.loads(self.body))


def arrival(body: bytes, status: int = 204) -> Arrival:
    """Return what `body` says, as an arrival."""
    kci = json.loads(body)
    problem, number = kci["serviceProblem"]["id"], kci["sequenceNumber"]
    return Arrival(body, problem, number, kci["id"], kci["reasonCode"], status)


class Gateway:
    """Answers each KCI with the status that `answer` chooses, one choice at a time."""

    def __init__(self, answer: Callable[[Arrival], int] = lambda _: 204, port: int = 0) -> None:
        """Listen on this port, or a free one; serves from `start` on."""
        self._answer = answer
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._answering = threading.Event()
        self._answering.set()
        self._arrivals: list[Arrival] = []
        self.tokens = 0
        self._server = _Server(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def settings(self) -> dict[str, object]:
        """Return what a supplier has to know to send here."""
        return {
            "GATEWAY__KCI_URL": f"{self.url}/kcis",
            "GATEWAY__TOKEN_URL": f"{self.url}/token",
            "GATEWAY__CLIENT_ID": "c",
            "GATEWAY__CLIENT_SECRET": "s",
        }

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Serve no more; calls that hang are let go."""
        self._closing.set()
        self._answering.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def hold(self) -> None:
        """Take what comes, and answer it only after `let_go`."""
        self._answering.clear()

    def let_go(self) -> None:
        """Answer what was held, and what comes."""
        self._answering.set()

    def arrivals(self, problem: int | None = None) -> list[Arrival]:
        """Return what has arrived up to now, or what of it is about one problem."""
        with self._changed:
            return [each for each in self._arrivals if problem in {None, each.problem}]

    def wait_for(
        self, is_so: Callable[[list[Arrival]], bool], what: str, patience: float = PATIENCE
    ) -> None:
        """Return as soon as what has arrived `is_so`; fail after `patience` seconds."""
        with self._changed:
            assert self._changed.wait_for(lambda: is_so(self._arrivals), patience), (
                f"waited {patience:.0f} s in vain for: {what}; {len(self._arrivals)} arrived"
            )

    def answers(self, answer: Callable[[Arrival], int]) -> None:
        """Answer otherwise from now on."""
        self._answer = answer

    # What the handler calls.

    def grant(self, form: dict[str, list[str]]) -> str | None:
        """Return a new token; None for an unknown client."""
        if form != CLIENT:
            return None
        with self._changed:
            self.tokens += 1
            return f"token-{self.tokens}"

    def take(self, body: bytes, authorization: str | None) -> int:
        """Remember a KCI and return the status that answers it."""
        with self._changed:
            if authorization not in {f"Bearer token-{n}" for n in range(1, self.tokens + 1)}:
                return 401
            status = self._answer(arrival(body))
            self._arrivals.append(arrival(body, status))
            self._changed.notify_all()
        (self._closing if status == HANG else self._answering).wait()
        return status


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, gateway: Gateway, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.gateway = gateway

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a supplier that is killed breaks its connections."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves in one piece

    def do_POST(self) -> None:
        gateway = cast("_Server", self.server).gateway
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/token":
            token = gateway.grant(parse_qs(body.decode()))
            granted = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
            self._reply(200 if token else 401, json.dumps(granted).encode())
            return
        status = gateway.take(body, self.headers["Authorization"])
        if status == HANG:
            self.close_connection = True
        else:
            self._reply(status, json.dumps(REFUSAL).encode() if status == 422 else b"")

    def _reply(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", str(RETRY_AFTER))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""
