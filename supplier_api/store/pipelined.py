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
# Waits for locks are rounded down to this: a connection seldom has to be told another one.
STEP_MS = 100
BEGIN = ("BEGIN", None)


class Direct:
    """What SQLite is told, it does at once: it is in the same process."""

    def __init__(self, raw: Any) -> None:
        """Talk over sqlite3's connection `raw`."""
        self.ask = self.tell = raw.execute
        self.ask_many = raw.executemany


class Pipelined:
    """What one connection to PostgreSQL has to be told."""

    def __init__(self, raw: Any) -> None:
        """Talk over psycopg's connection `raw`, which must be in autocommit."""
        self._raw = raw
        # One for all: what it returns is read before the next statement is run.
        self._cursor = raw.cursor()
        self._waiting: list[tuple[str, Any]] = []
        # Whether anything was said in this transaction.
        self._said = False
        # What the connection has as its lock_timeout, and what it has once it has committed.
        self._wait_ms: int | None = None
        self._next_wait_ms: int | None = None

    def begin(self, wait_ms: int) -> None:
        """Begin a transaction that waits up to so many milliseconds for each lock."""
        wait_ms = wait_ms // STEP_MS * STEP_MS or wait_ms
        self._waiting, self._said = [BEGIN], False
        if wait_ms != self._wait_ms:
            self._waiting.append((f"SET lock_timeout={wait_ms}", None))
        # A setting is taken back with its transaction.
        self._wait_ms, self._next_wait_ms = None, wait_ms

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
            self._wait_ms = self._next_wait_ms
