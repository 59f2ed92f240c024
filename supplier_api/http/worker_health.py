"""/health of a worker, as WSGI without a framework: a worker loads none."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from http import HTTPStatus

import orjson

from supplier_api.contract import refusals
from supplier_api.http.server import HttpServer, ServerLimits
from supplier_api.http.serving import serving
from supplier_api.http.wsgi import Environ, StartResponse
from supplier_api.operations import readiness
from supplier_api.operations.readiness import OK, RETRY_AFTER, HealthAnswer
from supplier_api.problems.services import Services

METHODS = ("GET", "HEAD")
THREADS, ROOM = 2, 32
PATIENCE = 3.0  # seconds that a request may wait for a thread


class WorkerHealth:
    """Answers /health/live and /health/ready; errors are those of every other door."""

    def __init__(self, services: Services, host: str, port: int) -> None:
        """Listen on an address; raises OSError if that is not possible. Port 0 takes a free one."""
        self._services = services
        self._healthy: Callable[[], bool] = lambda: False
        self._alive: Callable[[], bool] = lambda: False
        limits = ServerLimits(THREADS, ROOM, PATIENCE, max_body=0, reserved={})
        self._server = HttpServer(self, limits, host, port)
        self._serving = ExitStack()
        self.address = self._server.address

    def start(self, healthy: Callable[[], bool]) -> None:
        """Answer as `healthy` says whether every part of the worker runs; returns at once.

        Raises what keeps it from beginning.
        """
        self._healthy = healthy
        self._alive = self._serving.enter_context(serving(self._server))

    def alive(self) -> bool:
        """Return whether it still answers."""
        return self._alive()

    def stop(self) -> None:
        """Answer nothing more."""
        self._serving.close()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        headers = [("Content-Type", "application/json")]
        answer_of = {"/health/live": self._live, "/health/ready": self._ready}
        asked = answer_of.get(environ["PATH_INFO"])
        if asked is None:
            answer = self._refused(refusals.UNKNOWN_PATH)
        elif environ["REQUEST_METHOD"] not in METHODS:
            answer = self._refused(refusals.WRONG_METHOD)
            headers.append(("Allow", ", ".join(METHODS)))
        else:
            answer = asked()
            if answer.status != OK:
                headers.append(("Retry-After", str(RETRY_AFTER)))
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [orjson.dumps(answer.body)]

    def _live(self) -> HealthAnswer:
        if self._healthy():
            return readiness.live()
        return readiness.unavailable(worker="a part of it does not run")

    def _ready(self) -> HealthAnswer:
        live = self._live()
        return readiness.ready(self._services) if live.status == OK else live

    def _refused(self, cause: refusals.Refusal) -> HealthAnswer:
        uuid = str(self._services.id_source.uuid(""))
        return HealthAnswer(cause.answer.status, cause.answer.body([cause.message()], uuid))
