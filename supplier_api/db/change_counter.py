"""Tells whether anything was committed since it was asked before, whoever did it."""

import threading

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from supplier_api.clock import MachineClock
from supplier_api.db.connection_info import READ_WAIT_MS, WAIT_MS
from supplier_api.db.errors import store_error

# Both engines count commits anyway: nothing is written for this. SQLite tells a connection of the
# commits of all others; PostgreSQL gives each transaction that writes a number.
QUERIES = {
    "sqlite": text("PRAGMA data_version"),
    "postgresql": text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text"),
}
FRESH = 0.2  # seconds for which an answer is given again


class ChangeCounter:
    """A connection that only counts; used by several threads at once."""

    def __init__(self, engine: Engine, machine: MachineClock) -> None:
        """Take a connection of `engine` when it is first asked."""
        self._engine = engine
        self._machine = machine
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._last = ""
        self._until = float("-inf")

    def read(self) -> str:
        """Return what the database counts; raises StoreUnavailable."""
        with self._lock:
            if self._machine.monotonic() >= self._until:
                self._last = self._ask()
                self._until = self._machine.monotonic() + FRESH
            return self._last

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            self._drop()

    def _ask(self) -> str:
        """Ask once more if the connection turns out to be lost."""
        for left in reversed(range(2)):
            try:
                return self._count()
            except (DBAPIError, PoolTimeout) as error:
                self._drop()
                lost = isinstance(error, DBAPIError) and error.connection_invalidated
                if left == 0 or not lost:
                    raise store_error(error) from error
        raise AssertionError("unreachable")

    def _count(self) -> str:
        if self._connection is None:
            self._connection = self._engine.connect()
            self._connection.info[WAIT_MS] = READ_WAIT_MS
        with self._connection.begin():
            return str(self._connection.execute(QUERIES[self._engine.dialect.name]).scalar())

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
