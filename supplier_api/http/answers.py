"""How answers are written (RFC 9112), and the server's own answers."""

from collections.abc import Iterator
from email.utils import formatdate
from http import HTTPStatus

from supplier_api.clock import MachineClock
from supplier_api.http.wsgi import Answer

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
WITHOUT_LENGTH = frozenset({"204", "304"})
RETRY_AFTER = [("Retry-After", "1")]  # seconds

# The answers to requests that the application never sees, by reason: it cannot be parsed; its
# headers are too long; its body did not arrive; the queue is full; it was in the queue for too
# long; the server is stopping.
REFUSALS = {
    "unreadable": Answer("400 Bad Request", close=True),
    "headers-too-long": Answer("431 Request Header Fields Too Large", close=True),
    "too-slow": Answer("408 Request Timeout", close=True),
    "queue-full": Answer("503 Service Unavailable", RETRY_AFTER, close=True),
    "queued-too-long": Answer("503 Service Unavailable", RETRY_AFTER),
    "stopping": Answer("503 Service Unavailable", RETRY_AFTER, close=True),
}
FAILED = Answer("500 Internal Server Error")


class Writer:
    """Writes answers, with the current date."""

    def __init__(self, clock: MachineClock) -> None:
        """Date answers by `clock`."""
        self._clock = clock
        self._second = -1
        self._date = ""

    def write(self, answer: Answer, method: str, *, close: bool) -> bytes:
        """Return the bytes of an answer to a request of that method."""
        head = "".join(self._head(answer, close=close)).encode("latin-1", "replace")
        return head if method == "HEAD" else head + answer.body

    def _head(self, answer: Answer, *, close: bool) -> Iterator[str]:
        code = answer.status[:3]
        yield f"HTTP/1.1 {_status_line(answer.status)}\r\n"
        has_length = code in WITHOUT_LENGTH
        for name, value in answer.headers:
            lower = name.lower()
            if lower == "connection":
                continue  # the server sets it
            has_length = has_length or lower == "content-length"
            yield f"{name}: {value}\r\n"
        if not has_length:
            yield f"Content-Length: {len(answer.body)}\r\n"
        if close:
            yield "Connection: close\r\n"
        yield f"Date: {self._now()}\r\n\r\n"

    def _now(self) -> str:
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second = second
            self._date = formatdate(self._clock.now().timestamp(), usegmt=True)
        return self._date


_PHRASES = {str(status.value): f"{status.value} {status.phrase}" for status in HTTPStatus}


def _status_line(status: str) -> str:
    """Return code and phrase as the RFC writes them: frameworks use capitals."""
    return _PHRASES.get(status[:3], status)
