"""A receiver that costs next to nothing: takes every POST, in a process of its own.

    python -m scripts.benchmarks.sink PORT [DELAY]

Answers each POST with 204, after DELAY seconds (0), or with a token where the
path is that of a token endpoint. GET /arrivals answers what has come since the last such question:
one line for each POST, its X-Conversation-ID and the moment on the monotonic scale of the machine.
"""

import asyncio
import re
import sys
import time

TOKEN = b'{"access_token": "token", "expires_in": 3600, "token_type": "Bearer"}'
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
CONVERSATION = re.compile(rb"(?i)\r\nx-conversation-id: *([^\r]*)")


class Sink(asyncio.Protocol):
    """One connection."""

    delay = 0.0
    arrivals: list[tuple[bytes, float]]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete; one at a time is under way on a connection."""
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        found = LENGTH.search(head)
        if len(rest) < (int(found[1]) if found else 0):
            return
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
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self._take)
            else:
                self._take()

    def _take(self) -> None:
        self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


def _ok(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    Sink.delay = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    Sink.arrivals = []
    asyncio.run(_serve(int(sys.argv[1])))
