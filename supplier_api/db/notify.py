"""Wakes the workers of all processes as soon as a transaction is committed by any of them.

On SQLite a thread asks the file every 50 ms whether another connection has changed it (PRAGMA
data_version, some microseconds). On PostgreSQL the process that committed sends a NOTIFY, after the
commit and outside the transaction, where it would hold up every other commit; a thread listens.

A notification is only a hint: a loop that waits also looks when it knows something to be due, and
every few seconds. A lost notification costs that time and nothing else.
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

POLL = 0.05  # seconds between two checks of an SQLite file
CHANNEL = "supplier_api"
LISTEN_STEP = 0.5  # seconds after which the listener checks whether it should stop
ASK_AFTER = 5.0  # seconds of silence after which the listener sends a notice to itself
DEAF_AFTER = 10.0  # seconds of silence after which its connection is replaced
RECONNECT = 1.0  # seconds between two attempts to connect
NOTIFY_GAP = 0.01  # seconds between two notices of one process
LAST_NOTICE = 2.0  # seconds that the last notice of a process may take


class WakeEvent:
    """What one loop waits for; set by the database watcher, by a stop, or by another thread."""

    def __init__(self) -> None:
        """Start unset."""
        self._event = threading.Event()

    def set(self) -> None:
        """Wake the thread that waits, or that waits next."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait until the event is set, at most `seconds`; return whether it was, and clear it."""
        was_set = self._event.wait(seconds)
        self._event.clear()
        return was_set


class Wakeup:
    """Watches a database and sets every WakeEvent when something was committed."""

    def __init__(self, url: URL, clock: MachineClock) -> None:
        """Prepare to watch the database at `url`."""
        self._wake_events: list[WakeEvent] = []
        self._stop = threading.Event()
        watch = _poll_sqlite if url.get_backend_name() == "sqlite" else partial(_listen, clock)
        self._watch = partial(watch, url, self._stop, self.wake_all)
        self._thread = threading.Thread(target=self._run, name="wakeup", daemon=True)

    def wake_event(self) -> WakeEvent:
        """Return a new event that is set when something was committed."""
        wake_event = WakeEvent()
        self._wake_events.append(wake_event)
        return wake_event

    def wake_all(self) -> None:
        """Set every event."""
        for wake_event in self._wake_events:
            wake_event.set()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; returns when the thread has ended."""
        self._stop.set()
        self._thread.join()

    def alive(self) -> bool:
        """Return whether the database is being watched."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch()
            except (sqlite3.Error, psycopg.Error) as error:
                log.warning("wakeup.lost", error=type(error).__name__)
                self._stop.wait(RECONNECT)


class Notifier:
    """Notifies the workers of all processes, over PostgreSQL, that something was committed.

    `notify` costs the caller nothing: a thread of its own sends the notice, at most one each 10 ms.
    """

    def __init__(self, url: URL) -> None:
        """Prepare to send to the database at `url`."""
        self._url = url
        self._wake = threading.Event()
        self._pending = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send the notice that is pending, and end; do not wait long for a frozen database."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(LAST_NOTICE)

    def notify(self) -> None:
        """Wake the workers; called after a commit."""
        self._pending = True
        self._wake.set()

    def _run(self) -> None:
        with contextlib.ExitStack() as kept:
            connection: psycopg.Connection | None = None
            stopping = False
            while not stopping:
                self._wake.wait()
                self._wake.clear()
                # In this order: a notice requested before the stop is seen below.
                stopping = self._stopping.is_set()
                if self._pending:
                    self._pending = False
                    connection = self._send(connection, kept)
                self._stopping.wait(NOTIFY_GAP)

    def _send(
        self, connection: psycopg.Connection | None, kept: contextlib.ExitStack
    ) -> psycopg.Connection | None:
        """Send a notice over `connection`, or a new one; return the one to keep, if any works.

        A kept connection may have been lost while idle: then a new one is tried.
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


def _poll_sqlite(url: URL, stop: threading.Event, wake: Callable[[], None]) -> None:
    with contextlib.closing(sqlite3.connect(str(url.database))) as connection:
        seen: int | None = None
        while not stop.wait(POLL):
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                wake()


def _listen(clock: MachineClock, url: URL, stop: threading.Event, wake: Callable[[], None]) -> None:
    """Listen on a new connection; return when it receives nothing any more, or on stop."""
    with connect(url) as connection:
        connection.execute(f"LISTEN {CHANNEL}")
        # Only now: a commit before the LISTEN made no notice for us.
        wake()
        _wait_for_notices(connection, clock, stop, wake)


def _wait_for_notices(
    connection: psycopg.Connection,
    clock: MachineClock,
    stop: threading.Event,
    wake: Callable[[], None],
) -> None:
    """Wake for each notice. A silent connection has to receive a notice of its own."""
    heard, asked = clock.monotonic(), False
    while not stop.is_set():
        notices = list(connection.notifies(timeout=LISTEN_STEP, stop_after=1))
        now = clock.monotonic()
        if notices:
            heard, asked = now, False
            wake()
        elif now - heard > DEAF_AFTER:
            log.warning("wakeup.deaf", seconds=round(now - heard))
            return
        elif now - heard > ASK_AFTER and not asked:
            connection.execute(f"NOTIFY {CHANNEL}")
            asked = True
