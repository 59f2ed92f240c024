"""Sessions with PostgreSQL: how they are opened, and that no wait for an answer is endless.

A server may stop answering without closing the connection: it is frozen, or its network is gone.
Neither the server nor TCP ends a wait then, or only after minutes, so each wait for an answer ends
here.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext

from supplier_api.clock import SystemMachineClock
from supplier_api.db.error_mapping import NO_ANSWER, is_stale
from supplier_api.db.pipeline import PIPE, PipelinedConnection

T = TypeVar("T")

CONNECT_SECONDS = 2  # for a new connection, or one of the pool; psycopg's minimum
AFTER_SILENCE = 1.0  # seconds after an unanswered attempt without another one
CLOCK = SystemMachineClock()  # network waits are real time, in tests too
# Between two checks of the driver whether the socket was closed meanwhile.
STEP = 0.1  # seconds
# A connection that the network has dropped is noticed within some ten seconds.
KEEPALIVE = {
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
# The parameters of every session.
CONNECT: Mapping[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    # Without it, the encoding of a database that is not UTF8 could not even be queried.
    "client_encoding": "utf8",
    **KEEPALIVE,
}
# The keys of a connection's `info` for its next transaction: a function that returns how many
# seconds it may still wait for an answer, and the milliseconds it waits for a lock.
LEFT = "left"
WAIT_MS = "wait_ms"
READ_WAIT_MS = 1000


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
    event.listen(engine, "before_cursor_execute", _leave_before)
    event.listen(engine, "handle_error", _give_up_stale)
    # The driver's commit would not send the queued statements.
    engine.dialect.do_commit = _commit  # type: ignore[method-assign, assignment]
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


def _prepare(session: Session, record: Any) -> None:
    # The driver begins no transaction by itself: PipelinedConnection does.
    session.autocommit = True
    record.info[PIPE] = PipelinedConnection(session)


def _begin(connection: Connection) -> None:
    info = connection.info
    session: Any = connection.connection.dbapi_connection
    session.left = info.pop(LEFT, _as_to_connect)
    info[PIPE].begin(info.pop(WAIT_MS, READ_WAIT_MS))


def _as_to_connect() -> float:
    return CONNECT_SECONDS


def _leave_before(connection: Connection, *_what: object) -> None:
    """Send queued statements before a statement that SQLAlchemy runs itself."""
    connection.info[PIPE].leave()


def _give_up_stale(context: ExceptionContext) -> None:
    """Have the session replaced, and all that are as old."""
    if is_stale(context.original_exception):
        context.is_disconnect = True


def _commit(connection: Any) -> None:
    connection.info[PIPE].commit()
