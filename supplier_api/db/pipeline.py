"""Sends statements to PostgreSQL together: each waits for the next whose result is needed.

A round trip costs more than most statements do. So the BEGIN, and every statement whose result is
not needed, is queued until a result is needed or the transaction ends; then all go in one pipeline,
in order. An error of a queued statement is raised by the statement with which it is sent, at the
latest by the COMMIT.
"""

from collections.abc import Sequence
from typing import Any

# The key of a connection's `info` for its DirectConnection or PipelinedConnection.
PIPE = "pipe"
BEGIN = ("BEGIN", None)
# The longest time between two statements of a transaction. A process that hangs, or whose machine
# is gone, would keep its locks until TCP notices.
IDLE_SECONDS = 20.0
# Every setting is for the transaction alone: behind a connection pooler the session belongs to
# another client afterwards.
_LIMITS = (
    "SELECT set_config('lock_timeout', %s, true),"
    " set_config('idle_in_transaction_session_timeout', %s, true)"
)
# Queries on the queue need few rows, from an index that has them in order. The planner may choose
# otherwise, because statistics of a queue's length are soon outdated: it would read and sort all
# due rows, or even the whole table. With the first two settings it overestimates the cost of small
# tables so much that it would compile the statement (JIT), which takes longer than running it.
_BY_INDEX = (
    "SELECT set_config('enable_bitmapscan', 'off', true),"
    " set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)"
)


class DirectConnection:
    """Runs every statement at once: SQLite is in the same process."""

    def __init__(self, raw: Any) -> None:
        """Run statements on sqlite3's connection `raw`."""
        self.execute = self.queue = raw.execute
        self.execute_many = raw.executemany

    def by_index(self) -> None:
        """Do nothing: SQLite uses the indexes anyway."""


class PipelinedConnection:
    """Queues the statements of one connection to PostgreSQL."""

    def __init__(self, raw: Any) -> None:
        """Run statements on psycopg's connection `raw`, which must be in autocommit."""
        self._raw = raw
        # One cursor for all: its result is read before the next statement is run.
        self._cursor = raw.cursor()
        self._waiting: list[tuple[str, Any]] = []
        # Whether this transaction has a statement, and whether it is set to use indexes.
        self._used = False
        self._by_index = False

    def begin(self, wait_ms: int) -> None:
        """Begin a transaction that waits up to `wait_ms` milliseconds for each lock."""
        self._used = self._by_index = False
        idle_ms = int(IDLE_SECONDS * 1000)
        self._waiting = [BEGIN, (_LIMITS, (str(wait_ms), str(idle_ms)))]

    def by_index(self) -> None:
        """Have the rest of the transaction use indexes, whatever the statistics say."""
        if not self._by_index:
            self._by_index = True
            self._waiting.append((_BY_INDEX, None))

    def queue(self, text: str, values: Any) -> None:
        """Queue a statement whose result is not needed."""
        self._used = True
        self._waiting.append((text, values))

    def execute(self, text: str, values: Any) -> Any:
        """Run a statement after all queued ones; return its cursor. Raises psycopg's Error.

        The cursor is valid until the next statement.
        """
        self._used = True
        if not self._waiting:
            return self._cursor.execute(text, values)
        waiting, self._waiting = self._waiting, []
        with self._raw.pipeline():
            for queued in waiting:
                self._cursor.execute(*queued)
            return self._cursor.execute(text, values)

    def execute_many(self, text: str, rows: Sequence[Any]) -> Any:
        """Run a statement with each row of values; return the cursor. Raises psycopg's Error."""
        self.flush()
        self._used = True
        self._cursor.executemany(text, rows)
        return self._cursor

    def flush(self) -> None:
        """Run all queued statements. Raises psycopg's Error."""
        if self._waiting:
            self.execute(*self._waiting.pop())

    def commit(self) -> None:
        """End the transaction, with all queued statements. Raises psycopg's Error."""
        if self._used:
            self.execute("COMMIT", None)
