"""Serves an application in a thread of the test, as its own process would."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from supplier_api.clock import MachineClock
from supplier_api.http.server import HttpServer, Limits

HOST = "127.0.0.1"
LIMITS: Mapping[str, Any] = {
    "threads": 8,
    "room": 64,
    "patience": 10.0,
    "max_body": 262_145,
    "reserved": {"health": ("/health/",), "token": ("/oauth2/",)},
}


@contextmanager
def served(
    application: Any, clock: MachineClock | None = None, **limits: Any
) -> Iterator[HttpServer]:
    """Serve an application on a free port while the block runs, with these limits or others."""
    server = HttpServer(application, Limits(**{**LIMITS, **limits}), HOST, 0, clock=clock)
    loop, ready = asyncio.new_event_loop(), threading.Event()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(server.run_until_stopped(ready.set))
    )
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        server.stop()
        thread.join()
        loop.close()


def url_of(server: HttpServer) -> str:
    """Return the address of a server."""
    return f"http://{HOST}:{server.port}"
