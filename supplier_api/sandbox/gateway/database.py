"""The gateway's own SQLite file: its tables, and how it is opened.

Dates that tenants see are kept as written on the wire; `arrived` and `marked_on` are machine time.
"""

import contextlib
import sqlite3
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    delete,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable, UnitOfWork
from supplier_api.files import make_private, sqlite_path
from supplier_api.logging import get_logger

log = get_logger(__name__)

MEND = "it holds test data alone: move it away if it is broken"
# Raised with every change of a table. A file of another number is moved aside: it is test data.
SCHEMA = 2

metadata = MetaData()


def _problem_id() -> Column[int]:
    return Column("problem_id", ForeignKey("problem.id"), nullable=False, index=True)


meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

# `document` is what the tenant sent, with the service it stands for. The KCI `next_number` is
# expected next; beyond `final_number` none is taken any more.
problem = Table(
    "problem",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("supplier", String, nullable=False),
    Column("conversation_id", String, nullable=False),
    Column("status", String, nullable=False),
    Column("reference", String),
    Column("document", JSON, nullable=False),
    Column("next_number", Integer, nullable=False),
    Column("final_number", Integer),
    Column("created", String, nullable=False),
    Column("updated", String, nullable=False),
    sqlite_autoincrement=True,
)

# A tenant's amendment or cancellation; `document` is what the tenant sent.
change = Table(
    "change",
    metadata,
    Column("id", Integer, primary_key=True),
    _problem_id(),
    Column("kind", String, nullable=False),
    Column("status", String, nullable=False),
    Column("document", JSON, nullable=False),
    sqlite_autoincrement=True,
)

# A request to the supplier, from the tenant's answer on until the supplier's is settled.
# `subject_id` is the change or the resolution that it is about.
call = Table(
    "call",
    metadata,
    Column("id", Integer, primary_key=True),
    _problem_id(),
    Column("kind", String, nullable=False),
    Column("subject_id", Integer),
    Column("state", String, nullable=False, index=True),
    Column("path", String, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", JSON, nullable=False),
)

kci = Table(
    "kci",
    metadata,
    Column("supplier", String, primary_key=True),
    Column("id", String, primary_key=True),
    _problem_id(),
    Column("number", Integer, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("body", JSON, nullable=False),
    Column("received_on", String, nullable=False),
    Column("arrived", String, nullable=False),
    UniqueConstraint("problem_id", "number"),
)

# Numbers that were waited for in vain, from `first` to `last`.
gap = Table(
    "gap",
    metadata,
    Column("id", Integer, primary_key=True),
    _problem_id(),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("marked_on", String, nullable=False),
)

resolution = Table(
    "resolution",
    metadata,
    Column("id", Integer, primary_key=True),
    _problem_id(),
    Column("reference", String, nullable=False),
    Column("document", JSON, nullable=False),
    UniqueConstraint("problem_id", "reference"),
    sqlite_autoincrement=True,
)

# The tenant's updates, in the order in which they took effect. `delivered_on` is set when one was
# delivered to the tenant's own URL.
tenant_update = Table(
    "tenant_update",
    metadata,
    Column("id", Integer, primary_key=True),
    _problem_id(),
    Column("resolution_id", ForeignKey("resolution.id")),
    Column("document", JSON, nullable=False),
    Column("delivered_on", String),
)
Index(
    "tenant_update_undelivered",
    tenant_update.c.problem_id,
    sqlite_where=tenant_update.c.delivered_on.is_(None),
)

# What goes with a problem, each before what it refers to.
ABOUT_A_PROBLEM = (tenant_update, resolution, gap, kci, call, change)


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
    metadata.create_all(uow.connection)
    if value(uow.connection, "schema") is None:
        keep_value(uow.connection, "schema", str(SCHEMA))


def value(connection: Connection, name: str) -> str | None:
    """Return the value that `meta` has under a name."""
    return connection.scalar(select(meta.c.value).where(meta.c.name == name))


def values(connection: Connection, prefix: str) -> dict[str, str]:
    """Return the values of all names in `meta` that begin so, by the rest of the name."""
    rows = connection.execute(select(meta).where(meta.c.name.startswith(prefix)))
    return {row.name.removeprefix(prefix): row.value for row in rows}


def keep_value(connection: Connection, name: str, value: str) -> None:
    """Keep a value in `meta` under a name, in the place of an earlier one."""
    kept = sqlite.insert(meta).values(name=name, value=value)
    connection.execute(kept.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def delete_values(connection: Connection, names: Collection[str]) -> None:
    """Forget what `meta` has under these names."""
    connection.execute(delete(meta).where(meta.c.name.in_(names)))
