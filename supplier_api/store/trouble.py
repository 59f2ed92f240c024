"""What the drivers' errors mean to whoever works with the store."""

import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from supplier_api.store.errors import StoreBusy, StoreUnavailable

# Deadlock, serialization failure, lock time-out: run the work again.
CONTENTION = {"40P01", "40001", "55P03"}
# What is wrong with an SQLite file, by the primary result code.
DAMAGED = {
    sqlite3.SQLITE_CORRUPT: "corrupt: the SQLite file is damaged",
    sqlite3.SQLITE_NOTADB: "corrupt: the file is no SQLite database",
}
TOO_LATE = "the answer budget was used up before the commit"


def worth_another_run(error: DBAPIError) -> bool:
    """Tell whether the same work may succeed at once, on another connection or without a rival."""
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in CONTENTION


def told(error: DBAPIError | PoolTimeout) -> Exception:
    """Turn the driver's trouble into the store's; what is a bug stays as it is."""
    if isinstance(error, PoolTimeout):
        return StoreBusy("all connections to the database are in use")
    if cause := damaged(error.orig):
        return StoreUnavailable(cause)
    text = str(error.orig)
    if getattr(error.orig, "sqlstate", None) in CONTENTION or "database is locked" in text:
        return StoreBusy("the database's locks were held for too long")
    if error.connection_invalidated:
        return StoreUnavailable("the connection to the database was lost")
    if isinstance(error, OperationalError):
        return StoreUnavailable(f"the database cannot work now ({type(error.orig).__name__})")
    return error


def damaged(error: BaseException | None) -> str | None:
    """Return what is wrong with an SQLite file that cannot be read as one, None if it is not."""
    return DAMAGED.get(getattr(error, "sqlite_errorcode", -1) & 0xFF)
