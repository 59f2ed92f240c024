"""Serves an application in a thread of the test, as its own process would."""

import asyncio
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from supplier_api.clock import MachineClock, ManualMachineClock
from supplier_api.http.server import GRACE, HttpServer, ServerLimits
from tests.waiting import PATIENCE

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
    application: Any, clock: MachineClock | None = None, *, host: str = HOST, **limits: Any
) -> Iterator[HttpServer]:
    """Serve an application on a free port while the block runs, with these limits or others."""
    server = HttpServer(application, ServerLimits(**{**LIMITS, **limits}), host, 0, clock=clock)
    loop, ready = asyncio.new_event_loop(), threading.Event()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(server.run_until_stopped(ready.set))
    )
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield server
    finally:
        server.stop()
        thread.join(GRACE)
        while isinstance(clock, ManualMachineClock) and thread.is_alive():
            # A test that failed has left requests at work, and their time does not pass.
            clock.advance(GRACE)
            thread.join(0.1)
        thread.join()
        loop.close()


def url_of(server: HttpServer) -> str:
    """Return the address of a server."""
    return f"http://{HOST}:{server.address[1]}"


class Caller:
    """One connection of a caller who writes his requests by hand."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self._socket = socket.create_connection((HOST, port), timeout=PATIENCE)
        self._read = self._socket.makefile("rb")

    def send(self, *lines: str | bytes, body: bytes = b"") -> "Caller":
        """Send a request line, headers and a body."""
        head = [line.encode() if isinstance(line, str) else line for line in lines]
        self._socket.sendall(b"\r\n".join([*head, b"", body]))
        return self

    def write(self, data: bytes) -> "Caller":
        """Send some bytes."""
        self._socket.sendall(data)
        return self

    def line(self) -> bytes:
        """Return the next line that comes."""
        return self._read.readline()

    def rest(self) -> bytes:
        """Return all that comes until the connection is closed."""
        return self._read.read()

    def is_answered(self, patience: float) -> bool:
        """Tell whether anything comes within some seconds."""
        return bool(select.select([self._socket], [], [], patience)[0])

    def stop_sending(self) -> "Caller":
        """Say that nothing more will come."""
        self._socket.shutdown(socket.SHUT_WR)
        return self

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers (in small letters) and body of the next answer; 0 for the end."""
        first = self._read.readline()
        if not first:
            return 0, {}, b""
        headers: dict[str, str] = {}
        while line := self._read.readline().strip().decode():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(first.split()[1]), headers, self._read.read(int(headers["content-length"]))

    def close(self) -> None:
        """Hang up."""
        self._read.close()
        self._socket.close()
