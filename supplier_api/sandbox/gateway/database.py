"""The gateway's SQLite file: checked when it is opened, written by one transaction at a time."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, make_url, select
from sqlalchemy.exc import DBAPIError

from supplier_api.files import make_private, sqlite_path
from supplier_api.logging import get_logger
from supplier_api.sandbox.gateway.tables import SCHEMA, meta, metadata

log = get_logger(__name__)

T = TypeVar("T")

READING = "sandbox_reading"
# The file is ours alone, so a lock is held by a stray tool at most: milliseconds.
BUSY_TIMEOUT = 5000
MEND = "it holds test data alone: move it away if it is broken"


class DatabaseUnusable(Exception):
    """The file cannot be used; the text names it."""


class GatewayDatabase:
    """Transactions on one SQLite file. Safe for use by many threads of one process."""

    def __init__(self, url: str) -> None:
        """Open the file, made new when there is none, or none of this version's schema.

        A file of another schema is kept beside the new one: it is test data, not worth a migration.
        Raises DatabaseUnusable, and OSError where the file cannot be made.
        """
        try:
            self._open(url)
        except (DBAPIError, sqlite3.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise DatabaseUnusable(f"{sqlite_path(url)}: {cause}; {MEND}") from error

    def _open(self, url: str) -> None:
        if file := sqlite_path(url):
            make_private(file)
        _move_other_schema_aside(url)
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


def _move_other_schema_aside(url: str) -> None:
    name = make_url(url).database
    file = Path(name) if name else None
    if file is None or not file.exists():
        return
    found = _schema_of(file)
    if found in (None, str(SCHEMA)):
        return
    aside = _free_name(file, f"schema-{found}")
    # SQLite keeps what is not in the file yet beside it, under the file's name.
    for suffix in ("", "-wal", "-shm"):
        part = file.with_name(file.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    log.warning("sandbox data of another schema moved aside", schema=found, file=str(aside))


def _schema_of(file: Path) -> str | None:
    """Return which schema the file says it has, None if it says nothing."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        try:
            row = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
        except sqlite3.OperationalError:
            return None
    return str(row[0]) if row else None


def _free_name(file: Path, addition: str) -> Path:
    """Return a name beside the file that nothing has yet."""
    aside = file.with_name(f"{file.name}.{addition}")
    number = 1
    while aside.exists():
        number += 1
        aside = file.with_name(f"{file.name}.{addition}-{number}")
    return aside


def _prepare_schema(connection: Connection) -> None:
    metadata.create_all(connection)
    if connection.scalar(select(meta.c.value).where(meta.c.name == "schema")) is None:
        connection.execute(insert(meta).values(name="schema", value=str(SCHEMA)))


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
