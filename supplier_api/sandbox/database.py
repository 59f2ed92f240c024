"""The gateway's SQLite file: checked when it is opened, written by one transaction at a time."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, select

from supplier_api.sandbox.tables import SCHEMA, meta, metadata

T = TypeVar("T")

READING = "sandbox_reading"
# The file is ours alone, so a lock is held by a stray tool at most: milliseconds.
BUSY_TIMEOUT = 5000


class SchemaMismatch(Exception):
    """The file was made by another version of the gateway."""


class Database:
    """Transactions on one SQLite file. Safe for use by many threads of one process."""

    def __init__(self, url: str) -> None:
        """Open the file, made new when there is none. Raises SchemaMismatch."""
        self._engine = _engine(url)
        # Writers queue here instead of polling the file's lock.
        self._writer = threading.Lock()
        try:
            self.write(_prepare_schema)
        except BaseException:
            self.close()
            raise

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and return its result once that is durable."""
        with self._writer, self._engine.begin() as connection:
            return work(connection)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on one consistent view of the file; it must not write."""
        with self._engine.connect().execution_options(**{READING: True}) as connection:
            return work(connection)

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()


def _prepare_schema(connection: Connection) -> None:
    metadata.create_all(connection)
    found = connection.scalar(select(meta.c.value).where(meta.c.name == "schema"))
    if found is None:
        connection.execute(insert(meta).values(name="schema", value=str(SCHEMA)))
    elif found != str(SCHEMA):
        raise SchemaMismatch(
            f"the sandbox gateway's file has schema {found}, this version needs {SCHEMA}: "
            f"move {connection.engine.url.database} away to start with an empty one"
        )


def _engine(url: str) -> Engine:
    # isolation_level None: transactions begin where this file says so, not where sqlite3 guesses.
    engine = create_engine(url, connect_args={"isolation_level": None, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_connection(connection: Any, _record: object) -> None:
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get(READING)
    # A writer takes the lock at once: a later upgrade from a read could only fail.
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
