"""Wakes the workers of all processes over PostgreSQL: NOTIFY after a commit, and LISTEN.

Imported only where the database is PostgreSQL. What a notice means is said in `notify`.
"""

import contextlib
import threading
from collections.abc import Callable

import psycopg
from sqlalchemy import URL

from supplier_api.clock import MachineClock
from supplier_api.db.postgresql import connect
from supplier_api.logging import get_logger

log = get_logger(__name__)

ERRORS = psycopg.Error  # that `listen` raises
CHANNEL = "supplier_api"
LISTEN_STEP = 0.5  # seconds after which the listener checks whether it should stop
ASK_AFTER = 5.0  # seconds of silence after which the listener sends a notice to itself
DEAF_AFTER = 10.0  # seconds of silence after which its connection is replaced
NOTIFY_GAP = 0.01  # seconds between two notices of one process
LAST_NOTICE = 2.0  # seconds that the last notice of a process may take


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


def listen(clock: MachineClock, url: URL, stop: threading.Event, wake: Callable[[], None]) -> None:
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
