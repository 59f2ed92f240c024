"""A gateway that takes every KCI, costs next to nothing, and runs in a process of its own.

    python -m scripts.benchmarks.kci_receiver PORT [DELAY]

Answers each POST with 204, after DELAY seconds (0), or with a token where the path is that of a
token endpoint. GET /arrivals answers what has come since the last such question: one line for each
POST, its X-Conversation-ID and the moment on the monotonic scale of the machine.
"""

import asyncio
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.request import urlopen

from scripts.benchmarks.processes import HOST, LOAD_CORES, free_port, running, wait_for

TOKEN = b'{"access_token": "token", "expires_in": 3600, "token_type": "Bearer"}'
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
CONVERSATION = re.compile(rb"(?i)\r\nx-conversation-id: *([^\r]*)")


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver that runs."""

    port: int

    @property
    def url(self) -> str:
        """Where KCIs go."""
        return f"http://{HOST}:{self.port}/kcis"

    def settings(self) -> dict[str, str]:
        """Return an installation's settings that send KCIs here."""
        token_url = f"http://{HOST}:{self.port}/token"
        return {"GATEWAY__KCI_URL": self.url, "GATEWAY__TOKEN_URL": token_url}

    def arrivals(self) -> list[tuple[str, float]]:
        """Return conversation and moment of what has arrived since the last question."""
        with urlopen(f"http://{HOST}:{self.port}/arrivals", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return [(name, float(moment)) for name, moment in (line.rsplit(" ", 1) for line in lines)]


@contextmanager
def receiving(delay: float = 0.0) -> Iterator[Receiver]:
    """Run a receiver that takes `delay` seconds for each KCI."""
    port = free_port()
    words = [sys.executable, "-m", "scripts.benchmarks.kci_receiver", str(port), str(delay)]
    with running(words, cores=LOAD_CORES):
        wait_for(f"http://{HOST}:{port}/arrivals")
        yield Receiver(port)


class _Connection(asyncio.Protocol):
    delay = 0.0
    arrivals: list[tuple[bytes, float]]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer a request that is complete; one at a time is under way on a connection."""
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        found = LENGTH.search(head)
        if separator and len(rest) >= (int(found[1]) if found else 0):
            self._buffer = b""
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if head.startswith(b"GET"):
            lines = [name + b" %.6f\n" % moment for name, moment in self.arrivals]
            self.arrivals.clear()
            self._transport.write(_ok(b"".join(lines)))
        elif b"token" in head.partition(b"\r\n")[0]:
            self._transport.write(_ok(TOKEN))
        else:
            found = CONVERSATION.search(head)
            self.arrivals.append((found[1] if found else b"", time.monotonic()))
            asyncio.get_running_loop().call_later(self.delay, self._take)

    def _take(self) -> None:
        self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


def _ok(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    _Connection.delay = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    _Connection.arrivals = []
    asyncio.run(_serve(int(sys.argv[1])))
