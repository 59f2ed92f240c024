"""The least that a Flask application can be, on the server that serves ours: the yardstick."""

import sys

from flask import Flask, Response, request
from granian import Granian
from granian.constants import Interfaces

from supplier_api.cli.serve import BACKLOG

THREADS = 16


def application() -> Flask:
    """Return an application whose one route reads a body and answers a constant."""
    app = Flask("bare", static_folder=None)

    @app.post("/bare")
    def bare() -> Response:
        request.get_data(cache=False)
        return Response(b'{"status": "taken"}', 201, content_type="application/json")

    @app.get("/ready")
    def ready() -> str:
        return "ready"

    return app


def serve(factory: str, port: int) -> None:
    """Serve the application that `factory` (MODULE:FUNCTION) makes, as ours is, until SIGTERM."""
    Granian(
        factory,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=THREADS,
        backpressure=THREADS,
        backlog=BACKLOG,
        log_enabled=False,
        factory=True,
    ).serve()


if __name__ == "__main__":
    serve("scripts.benchmarks.bare:application", int(sys.argv[1]))
