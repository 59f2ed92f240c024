"""Makes the database ready for `supplier-api run`, and says in one line what was done."""

import contextlib
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

from supplier_api.cli.local import near
from supplier_api.clock import SystemMachineClock
from supplier_api.db import Store, migrate
from supplier_api.files import sqlite_path
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.repository import ProblemRepository


def prepare_database(url: str) -> str:
    """Create or upgrade the database at `url` and return what there is now.

    An SQLite file with an older schema is copied before it is upgraded. Raises StoreBusy while
    another process works on it.
    """
    copy = _copy_if_old(url)
    before, schema = migrate.upgrade(url)
    store = Store(url, SystemMachineClock())
    try:
        problems, undelivered = store.read(
            lambda unit: (ProblemRepository(unit).count(), LaneRepository(unit).count_undelivered())
        )
    finally:
        store.close()
    if before is None:
        state = f"schema {schema} created"
    elif before == schema:
        state = f"schema {schema}, {_problems(problems)}, {undelivered} undelivered"
    else:
        kept = f" (as it was: {near(copy)})" if copy else ""
        state = f"schema {before} upgraded to {schema}{kept}, {_problems(problems)}"
    return f"{_where(url)}, {state}"


def _problems(count: int) -> str:
    return "1 problem" if count == 1 else f"{count} problems"


def _copy_if_old(url: str) -> Path | None:
    """Copy an SQLite file that is going to be upgraded; return the copy."""
    file = sqlite_path(url)
    if file is None or not file.is_file():
        return None
    with contextlib.closing(sqlite3.connect(file)) as source:
        revision = _revision(source)
        if revision is None or int(revision) >= int(migrate.head()):
            return None
        copy = file.with_name(f"{file.stem}-{revision}{file.suffix}")
        with contextlib.closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    return copy


def _revision(connection: sqlite3.Connection) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError:
        return None  # an empty file, or a broken one, of which the upgrade tells
    return None if row is None else str(row[0])


def _where(url: str) -> str:
    file = sqlite_path(url)
    if file is None:
        parts = urlsplit(url)
        return f"{parts.scheme.partition('+')[0]} {parts.hostname or ''}{parts.path}"
    version = ".".join(sqlite3.sqlite_version.split(".")[:2])
    return f"{near(file)}, SQLite {version} WAL"
