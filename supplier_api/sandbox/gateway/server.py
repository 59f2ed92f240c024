"""Serves the gateway: the same server as the supplier's, and what calls suppliers and tenants."""

from flask import Flask

from supplier_api.http.server import HttpServer, ServerLimits
from supplier_api.http.server import serve as serve_http
from supplier_api.logging import get_logger
from supplier_api.sandbox.gateway.assembly import SandboxGateway

log = get_logger(__name__)

THREADS = 16
QUEUE = 512  # requests that may wait for a thread
PATIENCE = 10.0  # seconds that they may wait
# Paths that are answered while every thread for requests is busy.
RESERVED = {"health": ("/health/",), "token": ("/auth/",)}


def build_server(app: Flask, host: str, port: int) -> HttpServer:
    """Return what listens for the gateway; raises OSError when it cannot listen there."""
    gateway: SandboxGateway = app.extensions["sandbox"]
    limits = ServerLimits(THREADS, QUEUE, PATIENCE, gateway.config.max_body, RESERVED)
    return HttpServer(app, limits, host, port)


def serve(app: Flask, host: str, port: int) -> None:
    """Answer requests, call suppliers and tenants until SIGTERM or SIGINT; then end in order.

    Raises OSError when the address cannot be listened on. For the main thread only.
    """
    gateway: SandboxGateway = app.extensions["sandbox"]
    server = build_server(app, host, port)
    gateway.start()
    bound, chosen = server.address
    try:
        serve_http(server, lambda: log.info("sandbox gateway ready", host=bound, port=chosen))
    finally:
        gateway.close()
