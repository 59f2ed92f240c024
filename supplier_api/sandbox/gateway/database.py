"""The gateway's own SQLite file: how it is opened, and the values that it keeps by name."""

import contextlib
import sqlite3
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable, UnitOfWork
from supplier_api.files import make_private, sqlite_path
from supplier_api.logging import get_logger
from supplier_api.sandbox.gateway.model import GatewayRow, Setting

log = get_logger(__name__)

MEND = "it holds test data alone: move it away if it is broken"
# Raised with every change of a table. A file of another number is moved aside: it is test data.
SCHEMA = 2


class DatabaseUnusable(Exception):
    """The file cannot be used; the text names it."""


def open_database(url: str, machine: MachineClock) -> Store:
    """Open the file, made new when there is none, or none of this version's schema.

    A file of another schema is kept beside the new one: it is test data, not worth a migration.
    Raises DatabaseUnusable, and OSError where the file cannot be made.
    """
    file = sqlite_path(url)
    if file:
        make_private(file)
    store = Store(url, machine)
    try:
        if file:
            _move_other_schema_aside(file)
        store.write(_prepare_schema)
    except (StoreUnavailable, DBAPIError, sqlite3.Error) as error:
        store.close()
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise DatabaseUnusable(f"{file}: {cause}; {MEND}") from error
    return store


def _move_other_schema_aside(file: Path) -> None:
    found = _schema_of(file)
    if found in (None, str(SCHEMA)):
        return
    aside = _free_name(file, f"schema-{found}")
    # SQLite keeps what is not in the file yet beside it, under the file's name.
    for suffix in ("", "-wal", "-shm"):
        part = file.with_name(file.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    make_private(file)
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


def _prepare_schema(uow: UnitOfWork) -> None:
    GatewayRow.metadata.create_all(uow.connection)
    if value(uow.connection, "schema") is None:
        keep_value(uow.connection, "schema", str(SCHEMA))


def value(connection: Connection, name: str) -> str | None:
    """Return the value that is kept under a name."""
    return connection.scalar(select(Setting.value).where(Setting.name == name))


def values(connection: Connection, prefix: str) -> dict[str, str]:
    """Return the values of all names that begin so, by the rest of the name."""
    query = select(Setting.name, Setting.value).where(Setting.name.startswith(prefix))
    return {name.removeprefix(prefix): value for name, value in connection.execute(query)}


def keep_value(connection: Connection, name: str, value: str) -> None:
    """Keep a value under a name, in the place of an earlier one."""
    kept = sqlite.insert(Setting).values(name=name, value=value)
    connection.execute(kept.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def delete_values(connection: Connection, names: Collection[str]) -> None:
    """Forget what is kept under these names."""
    connection.execute(delete(Setting).where(Setting.name.in_(names)))
