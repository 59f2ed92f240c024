"""A load generator: one thread, raw sockets, HTTP/1.1 connections that stay open.

`load` starts it as a process of its own, which reads an Aim as JSON from standard input, calls for
so many seconds, and writes a Load as JSON. It knows just enough HTTP for a server that states the
length of each body.
"""

import json
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from scripts.benchmarks.processes import HOST, LOAD_CORES, ROOT, pin

CONNECTIONS = 16
LATEST = 30.0  # seconds after which an answer that is missing ends the measurement


@dataclass(frozen=True, slots=True)
class Aim:
    """Whom the load generator calls, and how.

    `request` is a whole HTTP request with %(id)d, %(service)d and %(tenant)d to fill in, which
    keep its length. Ids count from `first`. With `texts` there is %(text)s, too, another one in
    each request, and there are only so many requests. Each of the `connections` calls again as
    soon as it is answered.
    """

    port: int
    request: str
    seconds: float
    first: int = 0
    services: int = 1
    connections: int = CONNECTIONS
    texts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load: answers a second, their number, and their number by status."""

    rate: float
    count: int
    statuses: Mapping[str, int]

    def only(self, status: int) -> "Load":
        """Return itself; raises RuntimeError if anything but `status` was answered."""
        if set(self.statuses) - {str(status)}:
            raise RuntimeError(f"answers other than {status}: {dict(self.statuses)}")
        return self


def load(aim: Aim, cores: frozenset[int] = LOAD_CORES) -> Load:
    """Put load on a server from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benchmarks.load", *map(str, cores)],
        input=json.dumps(asdict(aim)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Load(**json.loads(done.stdout))


@dataclass(eq=False)
class Connection:
    """One connection, and the request that waits for its answer on it."""

    socket: socket.socket
    received: bytearray = field(default_factory=bytearray)


class Generator:
    """Keeps all connections of an Aim busy."""

    def __init__(self, aim: Aim) -> None:
        """Connect."""
        self._aim = aim
        self._template = aim.request.encode()
        self._next = aim.first
        self._statuses: Counter[str] = Counter()
        self._selector = selectors.DefaultSelector()
        # Each in its turn: a server closes those that rest for long.
        self._idle = deque(self._connect() for _ in range(aim.connections))
        self._busy = 0

    def run(self) -> Load:
        """Call until the time is over and every answer has come."""
        began = time.perf_counter()
        ends = began + self._aim.seconds
        while True:
            now = time.perf_counter()
            if now < ends and not self._exhausted():
                self._send()
            elif not self._busy:
                break
            elif now > ends + LATEST:
                raise TimeoutError(f"{self._busy} requests were never answered")
            for key, _ in self._selector.select(1.0):
                self._receive(key.data)
        count = self._statuses.total()
        return Load(count / (time.perf_counter() - began), count, dict(self._statuses))

    def _connect(self) -> Connection:
        connection = Connection(socket.create_connection((HOST, self._aim.port)))
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        return connection

    def _send(self) -> None:
        while self._idle and not self._exhausted():
            self._idle.popleft().socket.sendall(self._request())
            self._busy += 1

    def _exhausted(self) -> bool:
        return bool(self._aim.texts) and self._next - self._aim.first >= len(self._aim.texts)

    def _request(self) -> bytes:
        number, services = self._next, self._aim.services
        self._next += 1
        values: dict[bytes, int | bytes] = {
            b"id": number,
            b"service": number % services,
            b"tenant": number // services,
        }
        if self._aim.texts:
            values[b"text"] = self._aim.texts[number - self._aim.first].encode()
        return self._template % values

    def _receive(self, connection: Connection) -> None:
        data = connection.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed a connection")
        connection.received += data
        head, found, body = connection.received.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._statuses[head[9:12].decode()] += 1
        connection.received.clear()
        self._busy -= 1
        self._idle.append(connection)


def _length(head: bytearray) -> int:
    found = head.lower().partition(b"\r\ncontent-length:")[2]
    return int(found.partition(b"\r\n")[0] or 0)


def main() -> None:
    """Read the aim, put the load on from the cores that are named, write what came of it."""
    pin(frozenset(map(int, sys.argv[1:])))()
    given: dict[str, Any] = json.load(sys.stdin)
    result = Generator(Aim(**given)).run()
    json.dump({name: getattr(result, name) for name in Load.__slots__}, sys.stdout)


if __name__ == "__main__":
    main()
