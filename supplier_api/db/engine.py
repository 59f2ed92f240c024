"""The engine and its transactions: each piece of work is one transaction, or nothing.

Work is given as a function, so that the store can run it again after a deadlock or a lost
connection (its first statement claims the key that shows whether it was already done), and so that
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
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from supplier_api.clock import MachineClock
from supplier_api.db import sqlite
from supplier_api.db.change_counter import ChangeCounter
from supplier_api.db.compiled_statements import UnitOfWork
from supplier_api.db.connection_info import CONNECT_SECONDS, LEFT, READ_WAIT_MS, WAIT_MS
from supplier_api.db.errors import (
    DISK_FULL,
    LOCKED,
    TOO_LATE,
    CommitUnknown,
    NeverStored,
    StoreBroken,
    StoreBusy,
    StoreUnavailable,
    is_lost,
    store_error,
    worth_another_run,
)
from supplier_api.db.sqlite import GroupedWriter
from supplier_api.logging import get_logger

if TYPE_CHECKING:
    from supplier_api.db.postgresql_notify import Notifier

T = TypeVar("T")

TRIES = 3
WAIT_WITHOUT_DEADLINE = 10.0  # seconds for a lock, where no gateway waits for the answer
# The server may answer this much later than locks may be waited for: then a session that only
# waits for a lock gets that error and is kept.
GRACE = 0.5  # seconds
# For each answer of the server to work that has no deadline.
PATIENCE = 30.0  # seconds
# For the locks of deferred work, which seldom needs any.
DEFERRED_SECONDS = 0.5
# How long a failed write describes the database: a full disk lets some writes pass.
REMEMBERED = 3.0  # seconds
ROOM = 1 << 20  # bytes free on a disk that is not full
OLD_PAGES_WAIT_MS = 50  # for readers to end, before the -wal can be emptied
_ends: ContextVar[float | None] = ContextVar("supplier_api_store_ends", default=None)
log = get_logger(__name__)


class _LostAtCommit(Exception):
    """The connection was lost during the COMMIT; the cause is the driver's error."""

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

        With `listen_url`, an address of the same database that bypasses its connection pooler,
        nothing is kept in a session of `url`. `patience` is how many seconds to wait for an answer
        of the server in work without a deadline.
        """
        self._machine = machine
        self._patience = patience
        self.url = make_url(url)
        self.dialect = self.url.get_backend_name()
        # Where notices are sent and received.
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
        self._change_counter = ChangeCounter(self._readers, machine)
        self._notifier: Notifier | None = None
        self._starting = threading.Lock()
        self._endings: list[Callable[[], None]] = []
        # Work to run before anything else is written.
        self._deferred: deque[Callable[[UnitOfWork], None]] = deque()
        self._deferred_lock = threading.Lock()
        # The last failure to write, and until when it says how the database is.
        self._failure: tuple[str, float] = ("", float("-inf"))

    def write(
        self,
        work: Callable[[UnitOfWork], T],
        *,
        deadline: float | None = None,
        commit_by: float | None = None,
    ) -> T:
        """Run `work` in one transaction and return its result once that is durable.

        `deadline` and `commit_by` are times of the machine clock's monotonic scale, in seconds:
        locks are waited for until the one; nothing is committed after the other. `work` may run
        more than once, and on SQLite beside others' in one commit; an exception of its own rolls
        back all that it did and is raised. Raises StoreUnavailable when nothing was changed and a
        later try may succeed.
        """
        deadline = self._in_time(deadline)
        try:
            self._run_deferred(deadline)
            return self._run(work, deadline, commit_by)
        except (StoreBroken, CommitUnknown) as error:
            self.note_failure(error)
            raise

    def defer(self, work: Callable[[UnitOfWork], None]) -> None:
        """Have `work` run before anything else is written, as soon as the database can be used.

        It may raise NeverStored. Deferred work is lost if the process ends.
        """
        self._deferred.append(work)

    def require_room(self) -> None:
        """Raise StoreBroken if the disk of an SQLite file is full: some writes may still pass."""
        if self.dialect != "sqlite" or not self.url.database:
            return
        disk = os.statvfs(Path(self.url.database).absolute().parent)
        if disk.f_bavail * disk.f_frsize < ROOM:
            raise StoreBroken(DISK_FULL)

    def note_failure(self, error: StoreUnavailable) -> None:
        """Remember for REMEMBERED seconds that the database cannot be written, and why."""
        self._failure = str(error), self._machine.monotonic() + REMEMBERED

    def recent_failure(self) -> str | None:
        """Return why the database could not be written in the last seconds; None if it could."""
        why, until = self._failure
        return why if self._machine.monotonic() < until else None

    def read(self, work: Callable[[UnitOfWork], T], *, deadline: float | None = None) -> T:
        """Run `work` on one consistent snapshot of the database; it must not write.

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
                    raise store_error(error) from error
        raise AssertionError("unreachable")

    def state(self) -> str:
        """Return a text that is another one after each commit to the database.

        It costs some microseconds on SQLite, a query on PostgreSQL. Raises StoreUnavailable.
        """
        return self._change_counter.read()

    @contextlib.contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """Give work of this thread that has no deadline this one, inside the `with` block."""
        token = _ends.set(deadline)
        try:
            yield
        finally:
            _ends.reset(token)

    def drop_old_pages(self) -> bool:
        """Empty SQLite's -wal file, which keeps old pages; False if a reader still uses them.

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
        """Have the database rewrite its pages (VACUUM), so that nothing removed is left in them.

        SQLite leaves parts of rows behind in pages that it has rearranged. On SQLite nobody else
        can write meanwhile. Raises StoreUnavailable.
        """
        try:
            with contextlib.closing(self.engine.raw_connection()) as connection:
                connection.cursor().execute("VACUUM")
        except (PoolTimeout, self.engine.dialect.loaded_dbapi.Error) as error:
            raise StoreUnavailable(f"the database cannot be rewritten now: {error}") from error
        self.drop_old_pages()

    def before_close(self, end: Callable[[], None]) -> None:
        """Have `end` called before the connections are closed, to stop a thread that uses one."""
        self._endings.append(end)

    def end_notices(self) -> None:
        """Send the last notice to the workers, and no more: this process ends."""
        if self._notifier:
            self._notifier.stop()

    def close(self) -> None:
        """Close every connection."""
        for end in self._endings:
            end()
        self.end_notices()
        self._change_counter.close()
        self._readers.dispose()
        self.engine.dispose()

    def _run_deferred(self, deadline: float | None) -> None:
        """Run the deferred work; other writers wait, because theirs may depend on it."""
        if not self._deferred:
            return
        if not self._deferred_lock.acquire(timeout=max(0.0, self._wait(deadline))):
            raise StoreBusy(LOCKED)
        try:
            while self._deferred:
                self._run_first_deferred()
                self._deferred.popleft()
        except StoreBusy as error:
            # A server that has not noticed yet that a connection is lost keeps its locks.
            log.warning("owed.later", error=str(error))
        finally:
            self._deferred_lock.release()

    def _run_first_deferred(self) -> None:
        try:
            self._run(self._deferred[0], self._machine.monotonic() + DEFERRED_SECONDS, None)
        except (NeverStored, StoreUnavailable) as error:
            if isinstance(error, StoreUnavailable):
                raise
        except Exception as error:
            # A bug here must not keep everything else from being written.
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
        meant = error if isinstance(error, StoreUnavailable) else store_error(error)
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
            self._wake_workers()
        return result

    def _wake_workers(self) -> None:
        """Wake the workers; on SQLite they see by themselves that the file has changed."""
        from supplier_api.db.postgresql_notify import Notifier  # noqa: PLC0415 - as its driver

        with self._starting:
            if self._notifier is None:
                self._notifier = Notifier(self.listen_url)
                self._notifier.start()
        self._notifier.notify()

    def _wait(self, deadline: float | None) -> float:
        if deadline is None:
            return WAIT_WITHOUT_DEADLINE
        return deadline - self._machine.monotonic()

    def _read_wait_ms(self, deadline: float | None) -> int:
        return max(1, min(READ_WAIT_MS, int(self._wait(deadline) * 1000)))

    def _in_time(self, deadline: float | None) -> float | None:
        """Return the deadline that applies; raises StoreUnavailable if it is over."""
        deadline = _ends.get() if deadline is None else deadline
        if self._wait(deadline) <= 0:
            raise StoreUnavailable(TOO_LATE)
        return deadline

    def _left(self, deadline: float | None) -> Callable[[], float]:
        """Return a function for the seconds that the server still has to answer."""
        if deadline is None:
            return lambda: self._patience + GRACE
        return lambda: max(0.0, self._wait(deadline)) + GRACE

    @contextlib.contextmanager
    def _transaction(
        self, seconds: float, left: Callable[[], float] | None = None
    ) -> Iterator[Connection]:
        """Yield a connection in a transaction, and commit it; wait up to `seconds` for each lock.

        `left` returns the seconds left for an answer. Raises _LostAtCommit.
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
    """Create an engine; on SQLite it is for writers, or only for readers."""
    options: dict[str, Any] = {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
        "pool_size": pool_size,
        "max_overflow": pool_size,
        "pool_timeout": CONNECT_SECONDS,
        # The connection used last has the statements cached, and on SQLite the pages.
        "pool_use_lifo": True,
    }
    if make_url(url).get_backend_name() == "sqlite":
        return sqlite.make_engine(url, reading=reading, **options)
    # With its driver, which takes 10 MB: an installation on SQLite does without.
    from supplier_api.db import postgresql  # noqa: PLC0415

    return postgresql.make_engine(url, pooled=pooled, **options)
