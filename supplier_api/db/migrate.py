"""Schema revisions: which one a database has, which one this code needs, and the upgrade.

Revisions are numbers (0001, 0002) and compared as such: code runs on its own revision or a later
one, because a later one only adds what older code can ignore until a release after.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from supplier_api.db.connection_info import CONNECT
from supplier_api.db.errors import (
    SchemaTooOld,
    StoreBusy,
    StoreUnavailable,
    damaged,
    store_error,
)
from supplier_api.files import make_private

T = TypeVar("T")

MIGRATIONS = Path(__file__).parent / "migrations"
DIGITS = 4  # of a revision, with which the name of its file begins
# One upgrade at a time on PostgreSQL.
_ADVISORY_LOCK = 0x5A7A6E5
ANOTHER_UPGRADE = 0.2  # seconds between two checks whether another upgrade is over
# A transaction that waits for a lock blocks all later ones that need the table.
LOCK_TIMEOUT_MS = 2000
# A concurrent index build waits for the transactions under way; that blocks nobody.
BUILD_TIMEOUT_MS = 30_000
TRIES = 5
PAUSE = 1.0  # seconds between two tries
_LOCK_TIMEOUT = "55P03"
_INVALID = """
    SELECT 1 FROM pg_index JOIN pg_class ON pg_class.oid = pg_index.indexrelid
    JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
    WHERE relname = :name AND nspname = current_schema() AND NOT indisvalid
"""


def head() -> str:
    """Return the revision that this code brings a database to."""
    return max(file.name[:DIGITS] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def current(connection: Connection) -> str | None:
    """Return the database's revision, or None for one that was never upgraded."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def require(engine: Engine) -> str:
    """Return the database's revision if this code can work on it.

    Raises SchemaTooOld, which names the command to run, and StoreUnavailable.
    """
    found = _read(engine)
    if found is None or int(found) < int(head()):
        has = f"has schema {found}" if found else "has no schema yet"
        raise SchemaTooOld(
            f"the database {has}, this version needs {head()}: run `supplier-api db upgrade`"
        )
    return found


def upgrade(url: str) -> tuple[str | None, str]:
    """Bring the database at `url` to this code's revision; return its revision before and after.

    Does nothing if it has that revision. On SQLite it refuses while another process holds the file
    (StoreBusy). On PostgreSQL it waits for locks briefly and tries again, and builds indexes beside
    the writers, so that a running system is never stopped for long. Raises StoreBusy when it did
    not get its locks.
    """
    engine = _engine(url)
    try:
        before = _read(engine)
        if before is not None and int(before) >= int(head()):
            return before, before
        if make_url(url).get_backend_name() == "sqlite":
            _upgrade_sqlite(engine)
        else:
            _upgrade_postgresql(engine)
        return before, head()
    except DBAPIError as error:
        cause = damaged(error.orig) or f"the upgrade could not be done: {error.orig}"
        raise StoreUnavailable(cause) from error
    finally:
        engine.dispose()


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        return create_engine(url, poolclass=NullPool)
    return create_engine(url, poolclass=NullPool, connect_args=CONNECT)


def _read(engine: Engine) -> str | None:
    file = _file(engine)
    if file and not file.exists():
        # To connect would make an empty one.
        return None
    try:
        with engine.connect() as connection:
            _require_utf8(connection)
            return current(connection)
    except DBAPIError as error:
        raise store_error(error) from error


def _require_utf8(connection: Connection) -> None:
    """Refuse a database that counts bytes where the contract counts characters."""
    if connection.dialect.name == "sqlite":
        return
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        expected = "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
        raise StoreUnavailable(f"the database's encoding is {encoding}; expected UTF8: {expected}")


def _file(engine: Engine) -> Path | None:
    """Return the file of an SQLite database, or None for another engine."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    return Path(engine.url.database)


def _upgrade_sqlite(engine: Engine) -> None:
    if file := _file(engine):
        make_private(file)
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        # One transaction over all migrations, which sqlite3 by itself would not keep open.
        raw.isolation_level = None
        try:
            raw.execute("PRAGMA journal_mode=WAL")
            raw.execute("PRAGMA locking_mode=EXCLUSIVE")
            raw.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if cause := damaged(error):
                raise StoreUnavailable(cause) from error
            raise StoreBusy(
                f"another process works on this database: stop it, then upgrade ({error})"
            ) from error
        _run(connection)
        connection.commit()


def _upgrade_postgresql(engine: Engine) -> None:
    def step() -> None:
        with engine.connect() as connection, _alone(connection):
            connection.execute(text(f"SET lock_timeout={LOCK_TIMEOUT_MS}"))
            # Each migration is a transaction of its own, and one that builds indexes is none.
            connection.commit()
            _run(connection)

    patiently(step)


def patiently(step: Callable[[], T]) -> T:
    """Run a step that can be repeated until it gets its locks in time; raises StoreBusy."""
    for left in reversed(range(TRIES)):
        try:
            return step()
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_TIMEOUT:
                raise
            if left == 0:
                raise StoreBusy("the tables are in use: try again at a quieter time") from error
            time.sleep(PAUSE)
    raise AssertionError("unreachable")


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    # Polled: to wait inside a statement would block the other upgrade, whose index builds wait for
    # every statement under way.
    while not connection.scalar(text(f"SELECT pg_try_advisory_lock({_ADVISORY_LOCK})")):
        connection.commit()
        time.sleep(ANOTHER_UPGRADE)
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text(f"SELECT pg_advisory_unlock({_ADVISORY_LOCK})"))
        connection.commit()


def _run(connection: Connection, revision: str = "head") -> None:
    # Imported here because few processes need it, and the import is slow.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    # The installation path may contain a %, which has a meaning in Alembic's configuration.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def build_index(name: str, table: str, columns: Sequence[str], where: str | None = None) -> None:
    """Build an index, unless it exists; for a migration that does so before all else.

    On PostgreSQL it is built outside any transaction (CONCURRENTLY). An interrupted build leaves an
    invalid index behind: that is dropped before the next try. Raises StoreBusy.
    """
    from alembic import op  # noqa: PLC0415 - slow to import

    if op.get_bind().dialect.name == "sqlite":
        op.create_index(name, table, list(columns), sqlite_where=text(where) if where else None)
        return

    def build() -> None:
        if op.get_bind().execute(text(_INVALID), {"name": name}).first():
            op.execute(text(f'DROP INDEX CONCURRENTLY "{name}"'))
        op.create_index(
            name,
            table,
            list(columns),
            postgresql_where=text(where) if where else None,
            postgresql_concurrently=True,
            if_not_exists=True,
        )

    with op.get_context().autocommit_block():
        op.execute(text(f"SET lock_timeout={BUILD_TIMEOUT_MS}"))
        patiently(build)
        op.execute(text(f"SET lock_timeout={LOCK_TIMEOUT_MS}"))
