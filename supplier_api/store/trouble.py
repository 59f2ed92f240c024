"""What the drivers' errors mean to whoever works with the store.

PostgreSQL's SQLSTATE and SQLite's result code decide, not the class that a driver made of them. The
words name the cause: they are what people read in the log and in `supplier-api status`.
"""

import sqlite3
from collections.abc import Mapping

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from supplier_api.store.errors import StoreBroken, StoreBusy, StoreUnavailable

TOO_LATE = "the answer budget was used up before the commit"
READ_ONLY = "25006"
LOST = "unreachable: the connection to the database was lost"
NO_ANSWER = "no answer in time"  # of our own limit on a wait
SILENT = "unreachable: the server gives no answer"
LOCKED = "locked: others held what was needed in the database for too long"
# The cause by SQLSTATE, or by its first two characters (its class).
POSTGRESQL: Mapping[str, str] = {
    READ_ONLY: "read-only: the server takes no writes (a standby, or set to read-only)",
    "53100": "disk full: the server has no room",
    "53200": "out of memory: the server has too little",
    "53300": "unreachable: the server has too many connections",
    "57014": "cancelled: the server broke a statement off",
    "XX001": "corrupt: the server found damaged data",
    "XX002": "corrupt: the server found a damaged index",
    "08": LOST,
    "28": "unreachable: the server refuses our user or password",
    "3D": "unreachable: the server has no such database",
    "53": "out of resources: the server cannot do more",
    "57": "unreachable: the server stops or starts",
    "58": "broken: the server met an error of its system",
}
# The same by SQLite's primary result code.
SQLITE: Mapping[int, str] = {
    sqlite3.SQLITE_CANTOPEN: "unreachable: the SQLite file cannot be opened",
    sqlite3.SQLITE_CORRUPT: "corrupt: the SQLite file is damaged",
    sqlite3.SQLITE_FULL: "disk full: the SQLite file cannot grow",
    sqlite3.SQLITE_IOERR: "broken: the SQLite file cannot be read or written",
    sqlite3.SQLITE_NOTADB: "corrupt: the file is no SQLite database",
    sqlite3.SQLITE_PERM: "read-only: the SQLite file may not be written",
    sqlite3.SQLITE_READONLY: "read-only: the SQLite file or its folder cannot be written",
}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def worth_another_run(error: DBAPIError) -> bool:
    """Tell whether the same work may succeed at once, on another connection or without a rival."""
    return error.connection_invalidated or _is_contention(error.orig)


def is_stale(error: BaseException | None) -> bool:
    """Tell whether another session may do what this one cannot any more.

    One that is read-only stays so when the server is no longer, and one that was told of a
    shutdown is of no use.
    """
    state = _state(error)
    return state == READ_ONLY or state.startswith(("08", "57P"))


def is_lost(error: DBAPIError) -> bool:
    """Tell whether nobody can say what became of the statement: there was no answer to it."""
    return error.connection_invalidated and _state(error.orig) != READ_ONLY


def told(error: DBAPIError | PoolTimeout) -> Exception:
    """Turn the driver's trouble into the store's; what is a bug stays as it is."""
    if isinstance(error, PoolTimeout):
        return StoreBusy("all connections to the database are in use")
    if _is_contention(error.orig):
        return StoreBusy(LOCKED)
    if cause := _cause(error):
        return StoreBroken(cause)
    if isinstance(error, OperationalError):
        return StoreUnavailable(f"the database cannot work now ({type(error.orig).__name__})")
    return error


def _is_contention(error: BaseException | None) -> bool:
    """Tell of a deadlock, a serialization failure, or a lock that was not given in time."""
    state = _state(error)
    return state == "55P03" or state.startswith("40") or _code(error) in _BUSY


def _cause(error: DBAPIError) -> str | None:
    """Return what is wrong with the database, None if it is something else."""
    state, code = _state(error.orig), _code(error.orig)
    if cause := POSTGRESQL.get(state) or POSTGRESQL.get(state[:2]) or SQLITE.get(code):
        return cause
    if error.connection_invalidated:
        return SILENT if str(error.orig) == NO_ANSWER else LOST
    if isinstance(error, OperationalError) and not state and code < 0:
        # PostgreSQL's driver has no code for what happens before there is a session.
        first, _, _ = str(error.orig).partition("\n")
        return f"unreachable: {first}"
    return None


def _state(error: BaseException | None) -> str:
    """Return PostgreSQL's SQLSTATE, empty where there is none."""
    return getattr(error, "sqlstate", None) or ""


def _code(error: BaseException | None) -> int:
    """Return SQLite's primary result code, -1 where there is none."""
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF if code >= 0 else code
