"""How a worker learns at once that a transaction was committed, by whichever process.

On SQLite a thread asks the file every 50 ms whether another connection has changed it (PRAGMA
data_version, some microseconds). On PostgreSQL the process that committed sends a NOTIFY, after the
commit and outside the transaction, where it would hold up every other commit; a thread listens.

All of it is a hint: whoever waits for a bell also looks when it knows something to be due, and
every few seconds. A hint that is lost costs that time and nothing else.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from functools import partial

import psycopg
from sqlalchemy import URL

from supplier_api.clock import MachineClock
from supplier_api.db.postgresql import connect
from supplier_api.logging import get_logger

log = get_logger(__name__)

POLL = 0.05  # seconds between two looks at an SQLite file
CHANNEL = "supplier_api"
LISTEN_STEP = 0.5  # seconds after which the listener looks whether it should stop
ASK_AFTER = 5.0  # seconds of silence after which the listener sends a notice to itself
DEAF_AFTER = 10.0  # seconds of silence after which its connection is replaced
RECONNECT = 1.0  # seconds between two attempts to connect
NOTIFY_GAP = 0.01  # seconds between two notices of one process
LAST_NOTICE = 2.0  # seconds that the last notice of a process may take


class WakeEvent:
    """What one loop waits for; rung by the database, by a stop, or by another thread."""

    def __init__(self) -> None:
        """Start silent."""
        self._rung = threading.Event()

    def ring(self) -> None:
        """Wake whoever waits, or will wait next."""
        self._rung.set()

    def wait(self, seconds: float) -> bool:
        """Wait until the bell rings, at most `seconds`; return whether it did."""
        rung = self._rung.wait(seconds)
        self._rung.clear()
        return rung


class Wakeup:
    """Watches a database and rings every bell when something was committed."""

    def __init__(self, url: URL, clock: MachineClock) -> None:
        """Prepare to watch the database at `url`."""
        self._bells: list[WakeEvent] = []
        self._stop = threading.Event()
        watch = _poll_sqlite if url.get_backend_name() == "sqlite" else partial(_listen, clock)
        self._watch = partial(watch, url, self._stop, self.ring)
        self._thread = threading.Thread(target=self._run, name="wakeup", daemon=True)

    def wake_event(self) -> WakeEvent:
        """Return a new bell that rings when something was committed."""
        wake_event = WakeEvent()
        self._bells.append(wake_event)
        return wake_event

    def ring(self) -> None:
        """Ring every bell."""
        for wake_event in self._bells:
            wake_event.ring()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; returns when the thread has ended."""
        self._stop.set()
        self._thread.join()

    def alive(self) -> bool:
        """Tell whether the database is being watched."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch()
            except (sqlite3.Error, psycopg.Error) as error:
                log.warning("wakeup.lost", error=type(error).__name__)
                self._stop.wait(RECONNECT)


class Notifier:
    """Tells the workers of all processes, over PostgreSQL, that something was committed.

    `tell` costs the caller nothing: a thread of its own sends the notice, at most one each 10 ms.
    """

    def __init__(self, url: URL) -> None:
        """Prepare to send to the database at `url`."""
        self._url = url
        self._wake = threading.Event()
        self._untold = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what is still to be told, and end; a database that is frozen is not waited for."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(LAST_NOTICE)

    def tell(self) -> None:
        """Have the workers look; called after a commit."""
        self._untold = True
        self._wake.set()

    def _run(self) -> None:
        with contextlib.ExitStack() as kept:
            connection: psycopg.Connection | None = None
            stopping = False
            while not stopping:
                self._wake.wait()
                self._wake.clear()
                # In this order: what was told before the stop is seen below.
                stopping = self._stopping.is_set()
                if self._untold:
                    self._untold = False
                    connection = self._send(connection, kept)
                self._stopping.wait(NOTIFY_GAP)

    def _send(
        self, connection: psycopg.Connection | None, kept: contextlib.ExitStack
    ) -> psycopg.Connection | None:
        """Send a notice over `connection`, or a new one; return the one to keep, if any works.

        A kept connection may have been lost while nothing was said: then a new one is tried.
        """
        for given in (connection, None) if connection else (None,):
            try:
                used = given or kept.enter_context(connect(self._url))
                used.execute(f"NOTIFY {CHANNEL}")
            except psycopg.Error as error:
                log.warning("notifier.failed", error=type(error).__name__)
                kept.pop_all().close()
            else:
                return used
        return None


def _poll_sqlite(url: URL, stop: threading.Event, ring: Callable[[], None]) -> None:
    with contextlib.closing(sqlite3.connect(str(url.database))) as connection:
        seen: int | None = None
        while not stop.wait(POLL):
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                ring()


def _listen(clock: MachineClock, url: URL, stop: threading.Event, ring: Callable[[], None]) -> None:
    """Listen on a new connection; return when it has gone deaf, or on stop."""
    with connect(url) as connection:
        connection.execute(f"LISTEN {CHANNEL}")
        # Only now: what was committed before the LISTEN made no notice for us.
        ring()
        _hear(connection, clock, stop, ring)


def _hear(
    connection: psycopg.Connection,
    clock: MachineClock,
    stop: threading.Event,
    ring: Callable[[], None],
) -> None:
    """Ring for each notice. A silent connection has to hear a notice of its own."""
    heard, asked = clock.monotonic(), False
    while not stop.is_set():
        notices = list(connection.notifies(timeout=LISTEN_STEP, stop_after=1))
        now = clock.monotonic()
        if notices:
            heard, asked = now, False
            ring()
        elif now - heard > DEAF_AFTER:
            log.warning("wakeup.deaf", seconds=round(now - heard))
            return
        elif now - heard > ASK_AFTER and not asked:
            connection.execute(f"NOTIFY {CHANNEL}")
            asked = True
