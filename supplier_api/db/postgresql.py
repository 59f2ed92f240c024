"""Sessions with PostgreSQL: how they are opened, and that no wait for an answer is endless.

A server may stop answering without closing the connection: it is frozen, or its network is gone.
Neither the server nor TCP ends a wait then, or only after minutes, so each wait for an answer ends
here.

The database's clock is the machine time of all machines on it.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from supplier_api.clock import MachineClock, SystemMachineClock
from supplier_api.db.compiled_statements import run_raw
from supplier_api.db.connection_info import CONNECT, CONNECT_SECONDS, LEFT, READ_WAIT_MS, WAIT_MS
from supplier_api.db.errors import (
    NO_ANSWER,
    StoreBroken,
    StoreUnavailable,
    is_stale,
    store_error,
)

T = TypeVar("T")

AFTER_SILENCE = 1.0  # seconds after an unanswered attempt without another one
CLOCK = SystemMachineClock()  # network waits are real time, in tests too
# Between two checks of the driver whether the socket was closed meanwhile.
STEP = 0.1  # seconds
# The longest time between two statements of a transaction. A process that hangs, or whose machine
# is gone, would keep its locks until TCP notices.
IDLE_SECONDS = 20.0
# How the database's clock is read.
MEASURE_EVERY = 60.0  # seconds
MEASURE_AGAIN = 5.0  # seconds after the clock could not be read
ANSWER_SECONDS = 0.5  # for the query: a request may be waiting for it
# How a connection pooler that shares sessions is found out.
ROUNDS = 5
MEND = (
    "set SUPPLIER_API__DATABASE__LISTEN_URL to the server itself, past the pooler,"
    " or let the pooler keep a session for each client (pool_mode=session)"
)


class Session(psycopg.Connection[Any]):
    """A connection on which every wait for the server's answer has a limit."""

    def __init__(self, *given: Any, **more: Any) -> None:
        """Limit waits as for connecting, until `left` is set."""
        super().__init__(*given, **more)
        # Returns how many seconds the server still has to answer.
        self.left: Callable[[], float] = lambda: CONNECT_SECONDS

    def wait(self, gen: PQGen[T], interval: float = STEP, timeout: float | None = None) -> T:
        """Wait for an answer, at most as long as `left` says; after that close the connection.

        Raises psycopg.OperationalError then. What the server did is unknown.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.left())
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 - what `wait` is documented to raise
            self.pgconn.finish()
            raise psycopg.OperationalError(NO_ANSWER) from None


def connect(url: URL) -> Session:
    """Return a new session outside the pool, in autocommit; raises psycopg.Error."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return Session.connect(address, autocommit=True, **CONNECT)


def make_engine(url: str, *, pooled: bool, **options: Any) -> Engine:
    """Return an engine of such sessions; behind a connection pooler nothing is kept in them."""
    # The next transaction may be on another session, which has no such prepared statement.
    given = {**CONNECT, "prepare_threshold": None} if pooled else {**CONNECT}
    # Positional values: the driver would have to put named ones in order each time.
    engine = create_engine(url, connect_args=given, paramstyle="format", **options)
    event.listen(engine, "do_connect", _Attempts().make)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _give_up_stale)
    return engine


class _Attempts:
    """Attempts to connect: one that comes soon after an unanswered one fails at once.

    A request may need the database more than once, and each attempt takes its time.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._not_before = float("-inf")

    def make(self, _dialect: Any, _record: Any, args: Any, given: dict[str, Any]) -> Session:
        """Return a new session, as SQLAlchemy wants it; raises psycopg.OperationalError."""
        if CLOCK.monotonic() < self._not_before:
            raise psycopg.OperationalError(NO_ANSWER)
        try:
            return Session.connect(*args, **given)
        except psycopg.errors.ConnectionTimeout:
            self._not_before = CLOCK.monotonic() + AFTER_SILENCE
            raise


def _prepare(session: Session, _record: Any) -> None:
    # The driver begins no transaction by itself: `_begin` does, together with its settings.
    session.autocommit = True


def _begin(connection: Connection) -> None:
    info = connection.info
    session: Any = connection.connection.dbapi_connection
    session.left = info.pop(LEFT, _as_to_connect)
    # Behind a connection pooler the session is another client's next, so they are set for the
    # transaction alone. As one text with BEGIN, the two take 30 us of CPU.
    wait_ms, idle_ms = info.pop(WAIT_MS, READ_WAIT_MS), int(IDLE_SECONDS * 1000)
    run_raw(
        connection,
        f"BEGIN; SET LOCAL lock_timeout = {wait_ms};"
        f" SET LOCAL idle_in_transaction_session_timeout = {idle_ms}",
    )


def _as_to_connect() -> float:
    return CONNECT_SECONDS


def _give_up_stale(context: ExceptionContext) -> None:
    """Have the session replaced, and all that are as old."""
    if is_stale(context.original_exception):
        context.is_disconnect = True


class DatabaseClock:
    """The database's clock, read once a minute and continued by this host's monotonic clock.

    Leases and waits of several machines are compared with each other, so all use this one clock; a
    jump of a host's own clock has no effect on it.
    """

    def __init__(self, engine: Engine, host: MachineClock) -> None:
        """Read `engine`'s clock now; raises StoreUnavailable when it cannot be reached."""
        self._engine = engine
        self._host = host
        self._measuring = threading.Lock()
        # One value, replaced as a whole: a thread that reads it while another measures gets the old
        # reading or the new one, never the time of one with the second of the other.
        try:
            self._measured = self._measure()
        except (DBAPIError, PoolTimeout) as error:
            raise store_error(error) from error
        self._measure_at = self._measured[1] + MEASURE_EVERY

    def now(self) -> datetime:
        """Return the database's time, aware, in UTC."""
        if self.monotonic() > self._measure_at and self._measuring.acquire(blocking=False):
            try:
                self._measured = self._measure()
                self._measure_at = self._measured[1] + MEASURE_EVERY
            except (DBAPIError, PoolTimeout):
                # Carried on from the last reading until the database is back.
                self._measure_at = self.monotonic() + MEASURE_AGAIN
            finally:
                self._measuring.release()
        base, at = self._measured
        return base + timedelta(seconds=self.monotonic() - at)

    def monotonic(self) -> float:
        """Return this host's monotonic seconds."""
        return self._host.monotonic()

    def _measure(self) -> tuple[datetime, float]:
        """Return the database's time, and the monotonic second at which it was read."""
        with self._engine.connect() as connection:
            connection.info[LEFT] = lambda: ANSWER_SECONDS
            before = self.monotonic()
            now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            after = self.monotonic()
        return now, (before + after) / 2


def require_session(url: URL) -> None:
    """Check that a connection to PostgreSQL keeps its session; raises StoreUnavailable if not.

    A connection pooler such as PgBouncer, in its transaction mode, may run each transaction on
    another session of the server. Our settings are set for each transaction, so they hold; but
    LISTEN and prepared statements need a session that is kept for one client.
    """
    try:
        with connect(url) as one:
            # A pooler reports a backend id of its own to the client.
            if one.info.backend_pid == _session(one):
                return
            with connect(url) as other:
                shared = _share(one, other)
    except psycopg.Error as error:
        first, _, _ = str(error).partition("\n")
        raise StoreBroken(f"the database cannot be reached: {first}") from error
    if shared:
        raise StoreUnavailable(
            f"the database is reached through a connection pooler that shares sessions: {MEND}"
        )


def _share(one: Session, other: Session) -> bool:
    """Return whether two clients ever get the same session, or one of them gets two."""
    seen: set[int] = set()
    for _ in range(ROUNDS):
        first, second = _session(one), _session(other)
        seen |= {first, second}
        if first == second or len(seen) > 2:
            return True
    return False


def _session(client: Session) -> int:
    row = client.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    pid: int = row[0]
    return pid
