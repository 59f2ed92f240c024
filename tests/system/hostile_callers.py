"""Callers who hold connections and want nothing good, on raw sockets, from one thread."""

import selectors
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

from tests.waiting import PATIENCE

HOST = "127.0.0.1"
KEPT_ALIVE = 1000
HALF_HEADERS = 200
DRIPPING = 200
PREFACES = 100
HALF_CLOSED = 100
LONG_POLLS = 50
ALL = KEPT_ALIVE + HALF_HEADERS + DRIPPING + PREFACES + HALF_CLOSED
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"


class HostileCallers:
    """Opens all connections at once and keeps them open, until it is left."""

    def __init__(self, port: int, post: str, *, polls: str | None = None) -> None:
        """Aim at a port; `post` is a path that takes bodies, `polls` one that waits."""
        self._port = port
        head = f"{post} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        body = f"POST {head}Content-Length: 1000\r\n\r\n{{".encode()
        live = f"GET /health/live HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
        self._kinds = [
            (KEPT_ALIVE, live),
            (HALF_HEADERS, b"POST /service-problems HTTP/1.1\r\nHost: exam"),
            (DRIPPING, body),
            (PREFACES, PREFACE),
            (HALF_CLOSED, live),
        ]
        if polls:
            poll = f"GET {polls} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
            self._kinds.append((LONG_POLLS, poll))
        self._sockets: list[socket.socket] = []
        self._dripping: list[socket.socket] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read_and_drip)

    def __enter__(self) -> "HostileCallers":
        """Open all of them, and go on to drip."""
        for number, (count, sent) in enumerate(self._kinds):
            for _ in range(count):
                made = socket.create_connection((HOST, self._port), timeout=PATIENCE)
                made.sendall(sent)
                self._sockets.append(made)
                if number == 2:
                    self._dripping.append(made)
                elif number == 4:
                    made.shutdown(socket.SHUT_WR)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close all of them."""
        self._stop.set()
        self._thread.join()
        for made in self._sockets:
            made.close()

    def _read_and_drip(self) -> None:
        """Read what comes, and send a byte a second where a body is to come."""
        with selectors.DefaultSelector() as selector:
            for made in self._sockets:
                made.settimeout(0)
                selector.register(made, selectors.EVENT_READ)
            due = time.monotonic()
            while not self._stop.is_set():
                for key, _ in selector.select(0.1):
                    with suppress(OSError):
                        if key.fileobj.recv(65_536):  # type: ignore[union-attr]
                            continue
                    selector.unregister(key.fileobj)
                if time.monotonic() >= due:
                    due += 1
                    for made in self._dripping:
                        with suppress(OSError):
                            made.send(b" ")


def threads_and_sockets(pid: int) -> tuple[int, int]:
    """Return how many threads and how many open sockets a process has (Linux)."""
    folder = Path("/proc") / str(pid)
    sockets = 0
    for link in (folder / "fd").iterdir():
        with suppress(OSError):
            sockets += str(link.readlink()).startswith("socket:")
    return len(list((folder / "task").iterdir())), sockets
