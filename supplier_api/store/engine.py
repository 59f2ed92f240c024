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
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from supplier_api.clock import MachineClock
from supplier_api.store.errors import StoreBusy, StoreUnavailable
from supplier_api.store.unit_of_work import UnitOfWork
from supplier_api.store.wakeup import Notifier

T = TypeVar("T")

TRIES = 3
WAIT_WITHOUT_DEADLINE = 10.0  # seconds for a lock, where no gateway waits for the answer
READ_WAIT_MS = 1000
CONNECT_SECONDS = 2  # for a new connection, or one of the pool
# Between two statements of a transaction. A process that stands still, or whose machine is gone,
# would keep its locks for as long as the network believes in it.
IDLE_SECONDS = 20.0
# Deadlock, serialization failure, lock time-out: run the work again.
CONTENTION = {"40P01", "40001", "55P03"}


class Store:
    """One database and the transactions on it; safe for use by many threads."""

    def __init__(self, url: str, machine: MachineClock, *, pool_size: int = 32) -> None:
        """Prepare an engine for `url`; connects on first use."""
        self._machine = machine
        self.url = make_url(url)
        self.dialect = self.url.get_backend_name()
        self.engine = _engine(url, pool_size)
        # Writers of this process queue here instead of polling the file's lock.
        self._writer = threading.Lock() if self.dialect == "sqlite" else None
        self._notifier: Notifier | None = None
        self._starting = threading.Lock()
        self._endings: list[Callable[[], None]] = []

    def write(self, work: Callable[[UnitOfWork], T], *, deadline: float | None = None) -> T:
        """Run `work` in one transaction and return its result once that is durable.

        `deadline` is a moment of the machine clock's monotonic scale, in seconds, up to which locks
        are waited for. `work` may run more than once; an exception of its own rolls everything back
        and is raised. Raises StoreUnavailable when nothing was changed and a later try may succeed.
        """
        for left in reversed(range(TRIES)):
            try:
                with self._transaction(deadline) as connection:
                    uow = UnitOfWork(connection, self.dialect)
                    result = work(uow)
            except DBAPIError as error:
                if left == 0 or not _worth_another_run(error) or self._wait(deadline) <= 0:
                    raise _told(error) from error
            except PoolTimeout as error:
                raise StoreBusy("all connections to the database are in use") from error
            else:
                if uow.news:
                    self._tell_workers()
                return result
        raise AssertionError("unreachable")

    def read(self, work: Callable[[UnitOfWork], T]) -> T:
        """Run `work` on one consistent view of the database; it must not write."""
        try:
            with self.engine.connect() as connection:
                reading = connection.execution_options(supplier_api_reading=True)
                with reading.begin():
                    if self.dialect == "postgresql":
                        reading.exec_driver_sql(f"SET LOCAL lock_timeout={READ_WAIT_MS}")
                    return work(UnitOfWork(reading, self.dialect))
        except DBAPIError as error:
            raise _told(error) from error
        except PoolTimeout as error:
            raise StoreBusy("all connections to the database are in use") from error

    def before_close(self, end: Callable[[], None]) -> None:
        """Have `end` called before the last connection is given back: a thread's that uses some."""
        self._endings.append(end)

    def close(self) -> None:
        """Give back every connection."""
        for end in self._endings:
            end()
        if self._notifier:
            self._notifier.stop()
        self.engine.dispose()

    def _tell_workers(self) -> None:
        # On SQLite they see by themselves that the file has changed.
        if self.dialect == "sqlite":
            return
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
    def _transaction(self, deadline: float | None) -> Iterator[Connection]:
        with self._turn(deadline), self.engine.connect() as connection:
            wait_ms = max(1, int(self._wait(deadline) * 1000))
            if self.dialect == "sqlite":
                connection.connection.dbapi_connection.execute(  # type: ignore[union-attr]
                    f"PRAGMA busy_timeout={wait_ms}"
                )
            with connection.begin():
                if self.dialect == "postgresql":
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout={wait_ms}")
                yield connection

    @contextlib.contextmanager
    def _turn(self, deadline: float | None) -> Iterator[None]:
        if self._writer is None:
            yield
            return
        if not self._writer.acquire(timeout=max(0.0, self._wait(deadline))):
            raise StoreBusy("other writers held the database for too long")
        try:
            yield
        finally:
            self._writer.release()


def _engine(url: str, pool_size: int) -> Engine:
    options: dict[str, Any] = {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
        "pool_size": pool_size,
        "max_overflow": pool_size,
        "pool_timeout": CONNECT_SECONDS,
    }
    if make_url(url).get_backend_name() != "sqlite":
        # A connection that died while it lay in the pool is replaced before use.
        patience = {"connect_timeout": CONNECT_SECONDS}
        engine = create_engine(url, pool_pre_ping=True, connect_args=patience, **options)
        event.listen(engine, "connect", _prepare_postgresql)
        return engine
    # isolation_level None: transactions begin where this file says so, not where sqlite3 guesses.
    engine = create_engine(
        url, connect_args={"isolation_level": None, "check_same_thread": False}, **options
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_postgresql(connection: Any, _record: object) -> None:
    connection.autocommit = True
    connection.execute(f"SET idle_in_transaction_session_timeout = {int(IDLE_SECONDS * 1000)}")
    connection.autocommit = False


def _prepare_sqlite(connection: Any, _record: object) -> None:
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "fullfsync=ON",  # macOS: fsync alone does not reach the disk; elsewhere without effect
        "foreign_keys=ON",
        "cache_size=-32000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    raw: Any = connection.connection.dbapi_connection
    if connection.get_execution_options().get("supplier_api_reading"):
        raw.execute(f"PRAGMA busy_timeout={READ_WAIT_MS}")
        raw.execute("PRAGMA query_only=ON")
        connection.exec_driver_sql("BEGIN")
    else:
        raw.execute("PRAGMA query_only=OFF")
        # The write lock at once: a later upgrade from a read could only fail.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _worth_another_run(error: DBAPIError) -> bool:
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in CONTENTION


def _told(error: DBAPIError) -> Exception:
    """Turn the driver's trouble into the store's; what is a bug stays as it is."""
    text = str(error.orig)
    if getattr(error.orig, "sqlstate", None) in CONTENTION or "database is locked" in text:
        return StoreBusy("the database's locks were held for too long")
    if error.connection_invalidated:
        return StoreUnavailable("the connection to the database was lost")
    if isinstance(error, OperationalError):
        return StoreUnavailable(f"the database cannot work now ({type(error.orig).__name__})")
    return error
