"""An HTTP proxy on loopback that answers CONNECT as the test sets and records the requests."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Opens tunnels to one port of loopback, or none."""

    def __init__(self, answer: bytes, onward: int | None) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._onward = onward
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Return where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def close(self) -> None:
        """Take no more, and cut what is open."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for end in (*self._ends, self._listener):
            end.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._ends.append(client)
                if head := client.recv(65536):
                    self._take(client, head)

    def _take(self, client: socket.socket, head: bytes) -> None:
        self.asked.append(head)
        client.sendall(self._answer)
        if self._onward is None:
            client.shutdown(socket.SHUT_RDWR)
            return
        server = socket.create_connection(("127.0.0.1", self._onward))
        self._ends.append(server)
        for pair in ((client, server), (server, client)):
            threading.Thread(target=_relay, args=pair, daemon=True).start()


def _relay(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def proxying(answer: bytes, onward: int | None = None) -> Iterator[Proxy]:
    """Yield a proxy with this answer; a tunnel that it opens leads to the port `onward`."""
    with contextlib.closing(Proxy(answer, onward)) as proxy:
        yield proxy
