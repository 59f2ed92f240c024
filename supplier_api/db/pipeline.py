"""Statements travel to PostgreSQL together: each waits for the next whose answer is needed.

A journey there and back costs more than most statements do. So the BEGIN, and whatever needs no
answer, is kept until something is asked or the transaction ends, and then leaves with it in one
pipeline, in the order in which it was said. What goes wrong with a statement is raised by the one
with which it left, at the latest by the COMMIT.
"""

from collections.abc import Sequence
from typing import Any

# Where a connection's `info` has its Direct or Pipelined.
PIPE = "pipe"
BEGIN = ("BEGIN", None)
# Between two statements of a transaction. A process that stands still, or whose machine is gone,
# would keep its locks for as long as the network believes in it.
IDLE_SECONDS = 20.0
# All that is set holds for the transaction alone: behind a connection pooler the session belongs to
# somebody else afterwards.
_LIMITS = (
    "SELECT set_config('lock_timeout', %s, true),"
    " set_config('idle_in_transaction_session_timeout', %s, true)"
)
# Few rows of a queue are asked for, by an index that has them in order. The planner may think
# otherwise, since no statistics of a queue's length are true for long: it would read all that is
# due and sort it, or even the whole table. With these, it believes that to read a table of three
# rows takes long enough to compile the statement first, which takes longer than any runs.
_BY_INDEX = (
    "SELECT set_config('enable_bitmapscan', 'off', true),"
    " set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)"
)


class DirectConnection:
    """What SQLite is told, it does at once: it is in the same process."""

    def __init__(self, raw: Any) -> None:
        """Talk over sqlite3's connection `raw`."""
        self.ask = self.tell = raw.execute
        self.ask_many = raw.executemany

    def by_index(self) -> None:
        """Take it as it comes: SQLite knows no better than the indexes."""


class PipelinedConnection:
    """What one connection to PostgreSQL has to be told."""

    def __init__(self, raw: Any) -> None:
        """Talk over psycopg's connection `raw`, which must be in autocommit."""
        self._raw = raw
        # One for all: what it returns is read before the next statement is run.
        self._cursor = raw.cursor()
        self._waiting: list[tuple[str, Any]] = []
        # Whether anything was said in this transaction, and whether it goes by indexes.
        self._said = False
        self._by_index = False

    def begin(self, wait_ms: int) -> None:
        """Begin a transaction that waits up to so many milliseconds for each lock."""
        self._said = self._by_index = False
        idle_ms = int(IDLE_SECONDS * 1000)
        self._waiting = [BEGIN, (_LIMITS, (str(wait_ms), str(idle_ms)))]

    def by_index(self) -> None:
        """Have the rest of the transaction read by indexes, whatever the statistics say."""
        if not self._by_index:
            self._by_index = True
            self._waiting.append((_BY_INDEX, None))

    def tell(self, text: str, values: Any) -> None:
        """Have a statement run that needs no answer."""
        self._said = True
        self._waiting.append((text, values))

    def ask(self, text: str, values: Any) -> Any:
        """Run a statement after all that waits; return its cursor. Raises psycopg's Error.

        The cursor is good until the next statement.
        """
        self._said = True
        if not self._waiting:
            return self._cursor.execute(text, values)
        waiting, self._waiting = self._waiting, []
        with self._raw.pipeline():
            for told in waiting:
                self._cursor.execute(*told)
            return self._cursor.execute(text, values)

    def ask_many(self, text: str, rows: Sequence[Any]) -> Any:
        """Run a statement with each row of values; return the cursor. Raises psycopg's Error."""
        self.leave()
        self._said = True
        self._cursor.executemany(text, rows)
        return self._cursor

    def leave(self) -> None:
        """Run all that waits. Raises psycopg's Error."""
        if self._waiting:
            self.ask(*self._waiting.pop())

    def commit(self) -> None:
        """End the transaction, with all that waits. Raises psycopg's Error."""
        if self._said:
            self.ask("COMMIT", None)
