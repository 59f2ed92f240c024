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

from sqlalchemy import URL

from supplier_api.clock import MachineClock
from supplier_api.logging import get_logger

log = get_logger(__name__)

POLL = 0.05  # seconds between two checks of an SQLite file
RECONNECT = 1.0  # seconds between two attempts to connect


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
        self._errors: type[Exception] = sqlite3.Error
        watch = _poll_sqlite
        if url.get_backend_name() == "postgresql":
            # With its driver, which takes 10 MB: an installation on SQLite does without.
            from supplier_api.db import postgresql_notify  # noqa: PLC0415

            self._errors = postgresql_notify.ERRORS
            watch = partial(postgresql_notify.listen, clock)
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
            except self._errors as error:
                log.warning("wakeup.lost", error=type(error).__name__)
                self._stop.wait(RECONNECT)


def _poll_sqlite(url: URL, stop: threading.Event, wake: Callable[[], None]) -> None:
    with contextlib.closing(sqlite3.connect(str(url.database))) as connection:
        seen: int | None = None
        while not stop.wait(POLL):
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                wake()
