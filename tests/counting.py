"""Counts what a piece of work costs: calls and SQL of the calling thread, never time."""

import inspect
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import psycopg
from sqlalchemy import event
from sqlalchemy.pool import Pool

import supplier_api

PACKAGE = f"{Path(supplier_api.__file__).parent}/"
# Both are Python functions, through which everything goes that is sent to PostgreSQL.
PSYCOPG = (psycopg.Cursor.execute.__code__, psycopg.Cursor.executemany.__code__)
BEGIN = "BEGIN"
AROUND = (BEGIN, "COMMIT", "ROLLBACK")


@dataclass
class Cost:
    """What was counted."""

    # Of the functions in supplier_api: `problems/create.py CreateProblem.run`.
    functions: Counter[str] = field(default_factory=Counter)
    # All that the database was told. On SQLite one with many rows is there once for each row.
    sql: list[str] = field(default_factory=list)

    @property
    def statements(self) -> list[str]:
        """Return the statements inside transactions; settings of a transaction are some, too."""
        return [text for text in self.sql if not text.startswith(AROUND)]

    def numbers(self) -> dict[str, int]:
        """Return how many of each."""
        return {
            "calls": self.functions.total(),
            "statements": len(self.statements),
            "transactions": sum(1 for text in self.sql if text.startswith(BEGIN)),
        }

    def __str__(self) -> str:
        calls = [f"{count:4} {name}" for name, count in sorted(self.functions.items())]
        return "\n".join([*calls, *(" ".join(text.split())[:100] for text in self.sql)])


class _Counter:
    """Counts what one thread does."""

    def __init__(self) -> None:
        self.cost = Cost()
        self._thread = threading.get_ident()

    def profile(self, frame: FrameType, what: str, _argument: object) -> None:
        """Count a call; for sys.setprofile."""
        code = frame.f_code
        if what != "call":
            return
        if code in PSYCOPG:
            self.cost.sql.append(str(frame.f_locals["query"]))
        elif code.co_filename.startswith(PACKAGE) and _has_a_name(code):
            name = f"{code.co_filename.removeprefix(PACKAGE)} {code.co_qualname}"
            self.cost.functions[name] += 1

    def taken(self, raw: Any, *_: object) -> None:
        """Count what SQLite runs on a connection that was taken from a pool."""
        if isinstance(raw, sqlite3.Connection):
            raw.set_trace_callback(self._run)

    def given_back(self, raw: Any, *_: object) -> None:
        """Count no more on it."""
        if isinstance(raw, sqlite3.Connection):
            raw.set_trace_callback(None)

    def _run(self, text: str) -> None:
        if threading.get_ident() == self._thread:
            self.cost.sql.append(text)


def _has_a_name(code: CodeType) -> bool:
    return not (code.co_name.startswith("<") or code.co_flags & inspect.CO_GENERATOR)


@contextmanager
def counting() -> Iterator[Cost]:
    """Yield what this thread does in the `with` block; complete at its end.

    Comprehensions, lambdas and generators are not counted, what they call is: how often they are
    entered differs from one version of Python to the next.
    """
    counter, before = _Counter(), sys.getprofile()
    listeners = (("checkout", counter.taken), ("checkin", counter.given_back))
    for name, listener in listeners:
        event.listen(Pool, name, listener)
    sys.setprofile(counter.profile)
    try:
        yield counter.cost
    finally:
        sys.setprofile(before)
        for name, listener in listeners:
            event.remove(Pool, name, listener)
