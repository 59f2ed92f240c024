"""The store's errors, and how the drivers' errors are mapped to them.

PostgreSQL's SQLSTATE and SQLite's result code decide, not the exception class of the driver. The
texts name the cause: people read them in the log and in `supplier-api status`.
"""

import sqlite3
from collections.abc import Mapping

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout


class StoreUnavailable(Exception):
    """Nothing was changed; the same work may succeed later.

    The gateway gets 503 with Retry-After; delivery tries again.
    """


class StoreBusy(StoreUnavailable):
    """Other transactions held what the work needed for longer than it could wait."""


class StoreBroken(StoreUnavailable):
    """The database itself fails, whatever the work; the text names the cause.

    It cannot be reached, is read-only or corrupt, the disk is full, and the like.
    """


class CommitUnknown(StoreUnavailable):
    """The connection was lost at the COMMIT, and there was no time to find out whether it happened.

    The work may be stored after all: for this error alone, "nothing was changed" does not hold.
    """


class Gone(StoreUnavailable):
    """A row no longer exists: all that was stored for its tenant has been deleted meanwhile."""


class NeverStored(Exception):
    """Raised by work that finds nothing to do: nothing is stored, and it counts as done."""


class SchemaTooOld(Exception):
    """The database's schema is older than this code needs; the message names the command."""


TOO_LATE = "the answer budget was used up before the commit"
_REACH = "the database cannot be reached: "
_USE = "the database cannot be used: "
_WRITE = "the database cannot be written: "
LOST = f"{_REACH}the connection was lost"
NO_ANSWER = "no answer in time"  # of our own limit on a wait
DISK_FULL = f"{_WRITE}disk full"
LOCKED = "the database is locked: others held what was needed for too long"
READ_ONLY = "25006"
# The cause by SQLSTATE, or by its first two characters (its class).
POSTGRESQL: Mapping[str, str] = {
    READ_ONLY: f"{_WRITE}read-only (a standby, or set so)",
    "53100": DISK_FULL,
    "53200": f"{_USE}out of memory",
    "53300": f"{_REACH}too many connections",
    "57014": f"{_USE}it broke the statement off",
    "XX001": f"{_USE}corrupt data",
    "XX002": f"{_USE}corrupt index",
    "08": LOST,
    "28": f"{_REACH}our user or password is refused",
    "3D": f"{_REACH}there is none of that name",
    "53": f"{_USE}out of resources",
    "57": f"{_REACH}the server stops or starts",
    "58": f"{_USE}an error of its system",
}
# The same by SQLite's primary result code.
SQLITE: Mapping[int, str] = {
    sqlite3.SQLITE_CANTOPEN: f"{_REACH}the file cannot be opened",
    sqlite3.SQLITE_CORRUPT: f"{_USE}the file is corrupt",
    sqlite3.SQLITE_FULL: DISK_FULL,
    sqlite3.SQLITE_IOERR: f"{_USE}the file cannot be read or written (input/output error)",
    sqlite3.SQLITE_NOTADB: f"{_USE}the file is corrupt, or no SQLite database",
    sqlite3.SQLITE_PERM: f"{_WRITE}read-only (the file, or its folder)",
    sqlite3.SQLITE_READONLY: f"{_WRITE}read-only (the file, or its folder)",
}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def worth_another_run(error: DBAPIError) -> bool:
    """Return whether the same work may succeed at once, on a new connection or after a deadlock."""
    return error.connection_invalidated or _is_contention(error.orig)


def is_stale(error: BaseException | None) -> bool:
    """Return whether another session may do what this one cannot any more.

    A session that is read-only stays so after the server has become writable, and one that was
    notified of a shutdown is of no use.
    """
    state = _state(error)
    return state == READ_ONLY or state.startswith(("08", "57P"))


def is_lost(error: DBAPIError) -> bool:
    """Return whether the result of the statement is unknown because no answer came."""
    return error.connection_invalidated and _state(error.orig) != READ_ONLY


def store_error(error: DBAPIError | PoolTimeout) -> Exception:
    """Return the store's error for the driver's; an error that is a bug is returned as it is."""
    if isinstance(error, PoolTimeout):
        return StoreBusy("all connections to the database are in use")
    if _is_contention(error.orig):
        return StoreBusy(LOCKED)
    if cause := _cause(error):
        return StoreBroken(cause)
    if isinstance(error, OperationalError):
        return StoreUnavailable(f"the database cannot work now ({type(error.orig).__name__})")
    return error


def damaged(error: BaseException | None) -> str | None:
    """Return what is wrong with a file that SQLite cannot read as a database; None otherwise."""
    code = _code(error)
    return SQLITE[code] if code in _DAMAGED else None


def _is_contention(error: BaseException | None) -> bool:
    """Return whether it is a deadlock, a serialization failure, or a lock wait that timed out."""
    state = _state(error)
    return state == "55P03" or state.startswith("40") or _code(error) in _BUSY


def _cause(error: DBAPIError) -> str | None:
    """Return what is wrong with the database; None if the error is about something else."""
    state, code = _state(error.orig), _code(error.orig)
    if cause := POSTGRESQL.get(state) or POSTGRESQL.get(state[:2]) or SQLITE.get(code):
        return cause
    if error.connection_invalidated:
        return f"{_REACH}{NO_ANSWER}" if str(error.orig) == NO_ANSWER else LOST
    if isinstance(error, OperationalError) and not state and code < 0:
        # PostgreSQL's driver has no code for what happens before there is a session.
        first, _, _ = str(error.orig).partition("\n")
        return f"{_REACH}{first}"
    return None


def _state(error: BaseException | None) -> str:
    """Return PostgreSQL's SQLSTATE, empty where there is none."""
    return getattr(error, "sqlstate", None) or ""


def _code(error: BaseException | None) -> int:
    """Return SQLite's primary result code, -1 where there is none."""
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF if code >= 0 else code
