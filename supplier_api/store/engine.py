"""The engine and its transactions: each piece of work is one transaction, or nothing.

Work is given as a function, so that the store can run it again after a deadlock or a lost
connection (its first statement is the key that tells whether it was already done), and so that
several pieces of work can share one durable commit on SQLite without knowing of each other.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from supplier_api.clock import MachineClock
from supplier_api.store.errors import StoreUnavailable
from supplier_api.store.grouped import GroupedWriter
from supplier_api.store.pipelined import PIPE, Direct, Pipelined
from supplier_api.store.trouble import TOO_LATE, told, worth_another_run
from supplier_api.store.unit_of_work import UnitOfWork
from supplier_api.store.wakeup import Notifier

T = TypeVar("T")

TRIES = 3
WAIT_WITHOUT_DEADLINE = 10.0  # seconds for a lock, where no gateway waits for the answer
READ_WAIT_MS = 1000
# Where a connection's `info` has the milliseconds for which its next transaction waits for a lock.
WAIT_MS = "wait_ms"
CONNECT_SECONDS = 2  # for a new connection, or one of the pool
# Between two statements of a transaction. A process that stands still, or whose machine is gone,
# would keep its locks for as long as the network believes in it.
IDLE_SECONDS = 20.0


class Store:
    """One database and the transactions on it; safe for use by many threads."""

    def __init__(self, url: str, machine: MachineClock, *, pool_size: int = 32) -> None:
        """Prepare an engine for `url`; connects on first use."""
        self._machine = machine
        self.url = make_url(url)
        self.dialect = self.url.get_backend_name()
        self.engine = _engine(url, pool_size)
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
        if self._grouped:
            return self._grouped.run(work, deadline, commit_by)
        for left in reversed(range(TRIES)):
            try:
                return self._write_alone(work, deadline, commit_by)
            except DBAPIError as error:
                if left == 0 or not worth_another_run(error) or self._wait(deadline) <= 0:
                    raise told(error) from error
            except PoolTimeout as error:
                raise told(error) from error
        raise AssertionError("unreachable")

    def read(self, work: Callable[[UnitOfWork], T]) -> T:
        """Run `work` on one consistent view of the database; it must not write.

        It runs once more if the connection turns out to be lost.
        """
        for left in reversed(range(2)):
            try:
                with self._readers.connect() as connection:
                    connection.info[WAIT_MS] = READ_WAIT_MS
                    with connection.begin():
                        return work(UnitOfWork(connection, self.dialect))
            except (DBAPIError, PoolTimeout) as error:
                lost = isinstance(error, DBAPIError) and error.connection_invalidated
                if left == 0 or not lost:
                    raise told(error) from error
        raise AssertionError("unreachable")

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

    def _write_alone(
        self, work: Callable[[UnitOfWork], T], deadline: float | None, commit_by: float | None
    ) -> T:
        with self._transaction(self._wait(deadline)) as connection:
            uow = UnitOfWork(connection, self.dialect)
            result = work(uow)
            if commit_by is not None and self._machine.monotonic() > commit_by:
                raise StoreUnavailable(TOO_LATE)
        if uow.news:
            self._tell_workers()
        return result

    def _tell_workers(self) -> None:
        """Wake them; on SQLite they see by themselves that the file has changed."""
        with self._starting:
            if self._notifier is None:
                self._notifier = Notifier(self.url)
                self._notifier.start()
        self._notifier.tell()

    def _wait(self, deadline: float | None) -> float:
        if deadline is None:
            return WAIT_WITHOUT_DEADLINE
        return deadline - self._machine.monotonic()

    @contextlib.contextmanager
    def _transaction(self, seconds: float) -> Iterator[Connection]:
        """Yield a connection in a transaction that waits so long for each lock; commit it."""
        with self.engine.connect() as connection:
            connection.info[WAIT_MS] = max(1, int(seconds * 1000))
            with connection.begin():
                yield connection


def _engine(url: str, pool_size: int, *, reading: bool = False) -> Engine:
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
        given = {"connect_timeout": CONNECT_SECONDS, "client_encoding": "utf8"}
        # Values in order: the driver would have to put those that are named into one each time.
        engine = create_engine(url, connect_args=given, paramstyle="format", **options)
        event.listen(engine, "connect", _prepare_postgresql)
        event.listen(engine, "begin", _begin_postgresql)
        event.listen(engine, "before_cursor_execute", _leave_before)
        # The driver's commit would leave behind what waits.
        engine.dialect.do_commit = _commit_postgresql  # type: ignore[method-assign, assignment]
        return engine
    # isolation_level None: transactions begin where this file says so, not where sqlite3 guesses.
    engine = create_engine(
        url, connect_args={"isolation_level": None, "check_same_thread": False}, **options
    )
    event.listen(engine, "connect", _prepare_reader if reading else _prepare_writer)
    event.listen(engine, "begin", _begin_reading if reading else _begin_writing)
    return engine


def _prepare_postgresql(connection: Any, record: Any) -> None:
    # The driver begins nothing by itself: Pipelined does.
    connection.autocommit = True
    settings = {
        "idle_in_transaction_session_timeout": int(IDLE_SECONDS * 1000),
        # Few rows are asked for, by an index that has them in order. The planner may think
        # otherwise, since no statistics of a queue's length are true for long: it would read all
        # that is due and sort it, or even the whole table.
        "enable_bitmapscan": "off",
        "enable_seqscan": "off",
        # Compiling takes longer than any statement here runs; and with the two above, PostgreSQL
        # believes that to read a table of three rows takes long enough for it.
        "jit": "off",
    }
    connection.execute("; ".join(f"SET {name} = {value}" for name, value in settings.items()))
    record.info[PIPE] = Pipelined(connection)


def _begin_postgresql(connection: Connection) -> None:
    connection.info[PIPE].begin(connection.info.get(WAIT_MS, READ_WAIT_MS))


def _leave_before(connection: Connection, *_what: object) -> None:
    """Let what waits go ahead of a statement of SQLAlchemy's own."""
    connection.info[PIPE].leave()


def _commit_postgresql(connection: Any) -> None:
    connection.info[PIPE].commit()


def _begin_writing(connection: Connection) -> None:
    raw: Any = connection.connection.dbapi_connection
    raw.execute(f"PRAGMA busy_timeout={connection.info.get(WAIT_MS, READ_WAIT_MS)}")
    # The write lock at once: a later upgrade from a read could only fail.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _prepare_writer(connection: Any, record: Any) -> None:
    record.info[PIPE] = Direct(connection)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "fullfsync=ON",  # macOS: fsync alone does not reach the disk; elsewhere without effect
        "foreign_keys=ON",
        "cache_size=-32000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_reader(connection: Any, record: Any) -> None:
    _prepare_writer(connection, record)
    connection.execute(f"PRAGMA busy_timeout={READ_WAIT_MS}")
    connection.execute("PRAGMA query_only=ON")
