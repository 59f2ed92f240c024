"""One thread that ends every network call whose time is up.

The time-outs of sockets, and so those of requests, are for a single read: a receiver that sends one
byte every few seconds would hold its caller for ever. Closing a socket does not wake a thread that
reads from it; shutting the connection down does.
"""

import contextlib
import math
import socket
import threading
from collections.abc import Iterator
from contextvars import ContextVar

from supplier_api.clock import MachineClock


class SocketHandle:
    """A second handle on a connection, by which another thread can shut it down.

    It stays valid whatever the connection's owner does with its own, and when TLS is started on the
    connection later. A call that uses it may last longer than the owner.
    """

    def __init__(self, connection: socket.socket) -> None:
        """Make a handle on `connection`."""
        self._socket = socket.fromfd(connection.fileno(), connection.family, connection.type)
        self._owned = True
        self._used = False

    def use(self) -> None:
        """Keep it open for a call."""
        self._used = True

    def let_go(self) -> None:
        """Note that the call no longer uses it."""
        self._used = False
        self._close_if_done()

    def give_up(self) -> None:
        """Note that its owner has closed the connection."""
        self._owned = False
        self._close_if_done()

    def shut_down(self) -> None:
        """Shut the connection down, unless it is broken already."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _close_if_done(self) -> None:
        if not self._owned and not self._used:
            self._socket.close()


class CallTimedOutError(OSError):
    """The call's time was up before it had a connection."""


class TimedCall:
    """A network call of one thread, with the moment at which it must be over."""

    def __init__(self, clock: MachineClock, seconds: float) -> None:
        """Begin a call that may take `seconds`."""
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: SocketHandle | None = None
        self.ends = clock.monotonic() + seconds
        self.timed_out = False

    def left(self) -> float:
        """Return how many seconds are left, at least 0."""
        return max(0.0, self.ends - self._clock.monotonic())

    def seize(self, connection: SocketHandle) -> None:
        """Note that the call uses `connection`; raises CallTimedOutError if its time is up."""
        with self._lock:
            if self.timed_out:
                raise CallTimedOutError
            if connection is not self._connection:
                self._let_go()
                self._connection = connection
                connection.use()

    def end(self) -> None:
        """Release the connection: the next call may use it."""
        with self._lock:
            self._let_go()

    def cut(self) -> None:
        """Shut down the connection, now or as soon as there is one."""
        with self._lock:
            self.timed_out = True
            if self._connection is not None:
                self._connection.shut_down()

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.let_go()
            self._connection = None


_current: ContextVar[TimedCall | None] = ContextVar("supplier_api_call", default=None)


def seize(connection: SocketHandle) -> None:
    """Register `connection` for the current thread's call, if there is one."""
    call = _current.get()
    if call is not None:
        call.seize(connection)


class Watchdog:
    """The thread, and the calls that it watches."""

    def __init__(self, clock: MachineClock) -> None:
        """Prepare to watch calls by `clock`."""
        self._clock = clock
        self._changed = threading.Condition()
        self._calls: set[TimedCall] = set()
        self._stopping = False
        # Until when the thread sleeps: only a call that ends sooner has to wake it.
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
        """Return whether the thread runs."""
        return self._thread.is_alive()

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[TimedCall]:
        """End whatever the block does on the network once `seconds` have passed."""
        call = TimedCall(self._clock, seconds)
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
