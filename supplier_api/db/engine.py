"""The engine and its transactions: each piece of work is one transaction, or nothing.

Work is given as a function, so that the store can run it again after a deadlock or a lost
connection (its first statement is the key that tells whether it was already done), and so that
several pieces of work can share one durable commit on SQLite without knowing of each other.
"""

import contextlib
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from supplier_api.clock import MachineClock
from supplier_api.db import postgresql
from supplier_api.db.error_mapping import (
    DISK_FULL,
    LOCKED,
    TOO_LATE,
    is_lost,
    told,
    worth_another_run,
)
from supplier_api.db.errors import (
    CommitUnknown,
    NeverStored,
    StoreBroken,
    StoreBusy,
    StoreUnavailable,
)
from supplier_api.db.group_commit import GroupedWriter
from supplier_api.db.notify import Notifier
from supplier_api.db.pipeline import PIPE, DirectConnection
from supplier_api.db.postgresql import CONNECT_SECONDS, LEFT, READ_WAIT_MS, WAIT_MS
from supplier_api.db.unit_of_work import UnitOfWork
from supplier_api.files import keep_private, sqlite_path
from supplier_api.logging import get_logger

T = TypeVar("T")

TRIES = 3
WAIT_WITHOUT_DEADLINE = 10.0  # seconds for a lock, where no gateway waits for the answer
# The server has so much longer to answer than locks may be waited for: who only waits for a lock
# is told so, and keeps the session.
GRACE = 0.5  # seconds
# For each answer of the server to work that has no deadline.
PATIENCE = 30.0  # seconds
# For locks that what is owed needs: seldom any.
OWED_SECONDS = 0.5
# For how long a failure to write says how the database is: a full disk lets some writes pass.
REMEMBERED = 3.0  # seconds
ROOM = 1 << 20  # bytes, of a disk that is not full
OLD_PAGES_WAIT_MS = 50  # for readers to end, before the -wal can be emptied
_ends: ContextVar[float | None] = ContextVar("supplier_api_store_ends", default=None)
log = get_logger(__name__)


class _LostAtCommit(Exception):
    """The connection was lost while it was told to commit; the cause is the driver's error."""

    def __init__(self, error: DBAPIError) -> None:
        super().__init__()
        self.error = error


class Store:
    """One database and the transactions on it; safe for use by many threads."""

    def __init__(
        self,
        url: str,
        machine: MachineClock,
        *,
        pool_size: int = 32,
        listen_url: str | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """Prepare an engine for `url`; connects on first use.

        With `listen_url`, a way to the same database past its connection pooler, nothing is kept in
        a session of `url`. `patience` is for how many seconds an answer of the server is waited for
        in work without a deadline.
        """
        self._machine = machine
        self._patience = patience
        self.url = make_url(url)
        self.dialect = self.url.get_backend_name()
        # Where notices are sent and heard.
        self.listen_url: URL = make_url(listen_url) if listen_url else self.url
        self.engine = _engine(url, pool_size, pooled=listen_url is not None)
        # On SQLite, readers have connections of their own: to switch one between the two (PRAGMA
        # query_only) makes it forget every statement that it has compiled.
        self._readers = self.engine
        if self.dialect == "sqlite":
            self._readers = _engine(url, pool_size, reading=True)
        # Writers of this process wait for each other instead of polling the file's lock.
        self._grouped = (
            GroupedWriter(self._transaction, machine, self._wait)
            if self.dialect == "sqlite"
            else None
        )
        self._notifier: Notifier | None = None
        self._starting = threading.Lock()
        self._endings: list[Callable[[], None]] = []
        # What is to be done before anything else is written.
        self._owed: deque[Callable[[UnitOfWork], None]] = deque()
        self._paying = threading.Lock()
        # The last failure to write, and until when it says how the database is.
        self._trouble: tuple[str, float] = ("", float("-inf"))

    def write(
        self,
        work: Callable[[UnitOfWork], T],
        *,
        deadline: float | None = None,
        commit_by: float | None = None,
    ) -> T:
        """Run `work` in one transaction and return its result once that is durable.

        `deadline` and `commit_by` are moments of the machine clock's monotonic scale, in seconds:
        up to the one, locks are waited for; after the other, nothing is committed. `work` may run
        more than once, and on SQLite beside others' in one commit; an exception of its own rolls
        back all that it did and is raised. Raises StoreUnavailable when nothing was changed and a
        later try may succeed.
        """
        deadline = self._in_time(deadline)
        try:
            self._pay(deadline)
            return self._run(work, deadline, commit_by)
        except (StoreBroken, CommitUnknown) as error:
            self.note(error)
            raise

    def owe(self, work: Callable[[UnitOfWork], None]) -> None:
        """Have `work` done before anything else is written, as soon as the database can be used.

        It may raise NeverStored. What is owed is lost with the process.
        """
        self._owed.append(work)

    def require_room(self) -> None:
        """Raise StoreBroken if an SQLite file has no room to grow: some writes may still pass."""
        if self.dialect != "sqlite" or not self.url.database:
            return
        disk = os.statvfs(Path(self.url.database).absolute().parent)
        if disk.f_bavail * disk.f_frsize < ROOM:
            raise StoreBroken(DISK_FULL)

    def note(self, error: StoreUnavailable) -> None:
        """Remember for a while that the database cannot be written."""
        self._trouble = str(error), self._machine.monotonic() + REMEMBERED

    def trouble(self) -> str | None:
        """Return why the database could not be written in the last seconds; None if it could."""
        why, until = self._trouble
        return why if self._machine.monotonic() < until else None

    def read(self, work: Callable[[UnitOfWork], T], *, deadline: float | None = None) -> T:
        """Run `work` on one consistent view of the database; it must not write.

        `deadline` is as for `write`. It runs once more if the connection turns out to be lost.
        """
        deadline = self._in_time(deadline)
        for left in reversed(range(2)):
            try:
                with self._readers.connect() as connection:
                    connection.info[WAIT_MS] = self._read_wait_ms(deadline)
                    connection.info[LEFT] = self._left(deadline)
                    with connection.begin():
                        return work(UnitOfWork(connection, self.dialect))
            except (DBAPIError, PoolTimeout) as error:
                lost = isinstance(error, DBAPIError) and error.connection_invalidated
                if left == 0 or not lost or self._wait(deadline) <= 0:
                    raise told(error) from error
        raise AssertionError("unreachable")

    @contextlib.contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """Give work of this thread that has no deadline this one, inside the `with` block."""
        token = _ends.set(deadline)
        try:
            yield
        finally:
            _ends.reset(token)

    def drop_old_pages(self) -> bool:
        """Empty SQLite's -wal, which has pages as they were; False if somebody still reads them.

        On other engines there is nothing to do.
        """
        if self.dialect != "sqlite":
            return True
        try:
            with contextlib.closing(self.engine.raw_connection()) as connection:
                cursor = connection.cursor()
                # Nobody else writes while it waits; the next transaction sets a wait of its own.
                cursor.execute(f"PRAGMA busy_timeout={OLD_PAGES_WAIT_MS}")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                ((busy, *_),) = cursor.fetchall()
        except (PoolTimeout, sqlite3.OperationalError):
            return False
        return not busy

    def rewrite(self) -> None:
        """Let the database lay its pages out anew, with nothing in them of what was removed.

        SQLite leaves parts of rows behind in pages that it has rearranged. There nobody else can
        write meanwhile. Raises StoreUnavailable.
        """
        try:
            with contextlib.closing(self.engine.raw_connection()) as connection:
                connection.cursor().execute("VACUUM")
        except (PoolTimeout, self.engine.dialect.loaded_dbapi.Error) as error:
            raise StoreUnavailable(f"the database cannot be rewritten now: {error}") from error
        self.drop_old_pages()

    def before_close(self, end: Callable[[], None]) -> None:
        """Have `end` called before the last connection is given back: a thread's that uses some."""
        self._endings.append(end)

    def end_notices(self) -> None:
        """Send the last notice to the workers, and no more: this process ends."""
        if self._notifier:
            self._notifier.stop()

    def close(self) -> None:
        """Give back every connection."""
        for end in self._endings:
            end()
        self.end_notices()
        self._readers.dispose()
        self.engine.dispose()

    def _pay(self, deadline: float | None) -> None:
        """Do what is owed; others wait meanwhile, for what they ask may depend on it."""
        if not self._owed:
            return
        if not self._paying.acquire(timeout=max(0.0, self._wait(deadline))):
            raise StoreBusy(LOCKED)
        try:
            while self._owed:
                self._pay_first()
                self._owed.popleft()
        except StoreBusy as error:
            # A server that has not seen yet that the connection is lost keeps the locks.
            log.warning("owed.later", error=str(error))
        finally:
            self._paying.release()

    def _pay_first(self) -> None:
        try:
            self._run(self._owed[0], self._machine.monotonic() + OWED_SECONDS, None)
        except (NeverStored, StoreUnavailable) as error:
            if isinstance(error, StoreUnavailable):
                raise
        except Exception as error:
            # A fault of ours must not keep everything else from being written.
            log.error("owed.failed", error=type(error).__name__, exc_info=True)

    def _run(
        self, work: Callable[[UnitOfWork], T], deadline: float | None, commit_by: float | None
    ) -> T:
        run = self._grouped.run if self._grouped else self._write_with_tries
        return run(work, deadline, commit_by)

    def _write_with_tries(
        self, work: Callable[[UnitOfWork], T], deadline: float | None, commit_by: float | None
    ) -> T:
        unknown = False
        for left in reversed(range(TRIES)):
            error: DBAPIError | PoolTimeout | StoreUnavailable
            try:
                return self._write_alone(work, deadline, commit_by)
            except _LostAtCommit as lost:
                error, again, unknown = lost.error, True, True
            except DBAPIError as found:
                error, again = found, worth_another_run(found)
            except (PoolTimeout, StoreUnavailable) as found:
                error, again = found, False
            if left == 0 or not again or self._wait(deadline) <= 0:
                break
        meant = error if isinstance(error, StoreUnavailable) else told(error)
        if unknown and isinstance(meant, StoreUnavailable):
            raise CommitUnknown(f"lost at the COMMIT: {meant}") from error
        raise meant from error

    def _write_alone(
        self, work: Callable[[UnitOfWork], T], deadline: float | None, commit_by: float | None
    ) -> T:
        with self._transaction(self._wait(deadline), self._left(deadline)) as connection:
            uow = UnitOfWork(connection, self.dialect)
            result = work(uow)
            if commit_by is not None and self._machine.monotonic() > commit_by:
                raise StoreUnavailable(TOO_LATE)
        if uow.wakes_workers:
            self._tell_workers()
        return result

    def _tell_workers(self) -> None:
        """Wake them; on SQLite they see by themselves that the file has changed."""
        with self._starting:
            if self._notifier is None:
                self._notifier = Notifier(self.listen_url)
                self._notifier.start()
        self._notifier.tell()

    def _wait(self, deadline: float | None) -> float:
        if deadline is None:
            return WAIT_WITHOUT_DEADLINE
        return deadline - self._machine.monotonic()

    def _read_wait_ms(self, deadline: float | None) -> int:
        return max(1, min(READ_WAIT_MS, int(self._wait(deadline) * 1000)))

    def _in_time(self, deadline: float | None) -> float | None:
        """Return the deadline that holds; raises StoreUnavailable if it is over."""
        deadline = _ends.get() if deadline is None else deadline
        if self._wait(deadline) <= 0:
            raise StoreUnavailable(TOO_LATE)
        return deadline

    def _left(self, deadline: float | None) -> Callable[[], float]:
        """Return what tells how many seconds the server still has to answer."""
        if deadline is None:
            return lambda: self._patience + GRACE
        return lambda: max(0.0, self._wait(deadline)) + GRACE

    @contextlib.contextmanager
    def _transaction(
        self, seconds: float, left: Callable[[], float] | None = None
    ) -> Iterator[Connection]:
        """Yield a connection in a transaction that waits so long for each lock; commit it.

        `left` tells how many seconds are left for an answer. Raises _LostAtCommit.
        """
        with self.engine.connect() as connection:
            connection.info[WAIT_MS] = max(1, int(seconds * 1000))
            if left:
                connection.info[LEFT] = left
            at_commit = False
            try:
                with connection.begin():
                    yield connection
                    at_commit = True
            except DBAPIError as error:
                if at_commit and is_lost(error):
                    raise _LostAtCommit(error) from error
                raise


def _engine(url: str, pool_size: int, *, reading: bool = False, pooled: bool = False) -> Engine:
    """Make an engine; on SQLite it is for writers, or only for readers."""
    options: dict[str, Any] = {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
        "pool_size": pool_size,
        "max_overflow": pool_size,
        "pool_timeout": CONNECT_SECONDS,
        # The one that was used last knows the statements, and on SQLite the pages.
        "pool_use_lifo": True,
    }
    if make_url(url).get_backend_name() != "sqlite":
        return postgresql.make_engine(url, pooled=pooled, **options)
    if file := sqlite_path(url):
        keep_private(file)
    # isolation_level None: transactions begin where this file says so, not where sqlite3 guesses.
    engine = create_engine(
        url, connect_args={"isolation_level": None, "check_same_thread": False}, **options
    )
    event.listen(engine, "connect", _prepare_reader if reading else _prepare_writer)
    event.listen(engine, "begin", _begin_reading if reading else _begin_writing)
    return engine


def _begin_writing(connection: Connection) -> None:
    raw: Any = connection.connection.dbapi_connection
    raw.execute(f"PRAGMA busy_timeout={connection.info.get(WAIT_MS, READ_WAIT_MS)}")
    # The write lock at once: a later upgrade from a read could only fail.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _prepare_writer(connection: Any, record: Any) -> None:
    record.info[PIPE] = DirectConnection(connection)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "fullfsync=ON",  # macOS: fsync alone does not reach the disk; elsewhere without effect
        "foreign_keys=ON",
        "cache_size=-32000",
        # What was deleted or written over is gone from the file, too.
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_reader(connection: Any, record: Any) -> None:
    _prepare_writer(connection, record)
    connection.execute(f"PRAGMA busy_timeout={READ_WAIT_MS}")
    connection.execute("PRAGMA query_only=ON")
