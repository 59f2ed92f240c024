"""The least that a Flask application can be, on the server that serves ours: the yardstick."""

import sys
from collections.abc import Callable

from flask import Flask, Response, request

from supplier_api.http import server

LIMITS = server.ServerLimits(threads=16, room=512, patience=60.0, max_body=262_145, reserved={})


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


def serve(make: Callable[[], Flask], port: int) -> None:
    """Serve the application that `make` returns, as ours is, until SIGTERM."""
    listening = server.HttpServer(make(), LIMITS, "127.0.0.1", port)
    server.serve(listening, ready=lambda: None)


if __name__ == "__main__":
    serve(application, int(sys.argv[1]))
