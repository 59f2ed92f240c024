"""One thread that ends every network call whose time is up.

The time-outs of sockets, and so those of requests, hold for a single read: a receiver that sends
one byte every few seconds holds its caller for ever. Closing a socket does not wake a thread that
reads from it; shutting the connection down does.
"""

import contextlib
import math
import socket
import threading
from collections.abc import Iterator
from contextvars import ContextVar

from supplier_api.clock import MachineClock


class CallTimedOutError(OSError):
    """The call's time was up before it had a connection."""


class Call:
    """A network call of one thread, with the moment at which it must be over."""

    def __init__(self, clock: MachineClock, seconds: float) -> None:
        """Begin a call that may take `seconds`."""
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self.ends = clock.monotonic() + seconds
        self.timed_out = False

    def left(self) -> float:
        """Return how many seconds are left, at least 0."""
        return max(0.0, self.ends - self._clock.monotonic())

    def seize(self, connection: socket.socket) -> None:
        """Note that the call uses `connection`; raises CallTimedOutError if its time is up.

        What is kept is a second handle on it: valid whatever the caller does with its own, and the
        same for a connection that TLS is laid over later.
        """
        with self._lock:
            if self.timed_out:
                raise CallTimedOutError
            self._let_go()
            self._connection = socket.fromfd(
                connection.fileno(), connection.family, connection.type
            )

    def end(self) -> None:
        """Give up the connection: it may be used by the next call."""
        with self._lock:
            self._let_go()

    def cut(self) -> None:
        """Shut down the connection, now or as soon as there is one."""
        with self._lock:
            self.timed_out = True
            if self._connection is not None:
                # It may have broken down by itself.
                with contextlib.suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_current: ContextVar[Call | None] = ContextVar("supplier_api_call", default=None)


def seize(connection: socket.socket) -> None:
    """Put `connection` under the watch of the current thread's call, if there is one."""
    call = _current.get()
    if call is not None:
        call.seize(connection)


class Watchdog:
    """The thread, and the calls that it watches."""

    def __init__(self, clock: MachineClock) -> None:
        """Prepare to watch calls by `clock`."""
        self._clock = clock
        self._changed = threading.Condition()
        self._calls: set[Call] = set()
        self._stopping = False
        # Up to when the thread sleeps: only a call that ends sooner has to wake it.
        self._looks_at = math.inf
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; calls under way are no longer ended."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def alive(self) -> bool:
        """Tell whether calls are being watched."""
        return self._thread.is_alive()

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[Call]:
        """End whatever the body does on the network when `seconds` have passed."""
        call = Call(self._clock, seconds)
        with self._changed:
            self._calls.add(call)
            if call.ends < self._looks_at:
                self._changed.notify()
        token = _current.set(call)
        try:
            yield call
        finally:
            _current.reset(token)
            with self._changed:
                self._calls.discard(call)
            call.end()

    def _run(self) -> None:
        with self._changed:
            while not self._stopping:
                for call in [call for call in self._calls if call.left() == 0]:
                    self._calls.discard(call)
                    call.cut()
                self._looks_at = min((call.ends for call in self._calls), default=math.inf)
                self._changed.wait(min((call.left() for call in self._calls), default=None))
