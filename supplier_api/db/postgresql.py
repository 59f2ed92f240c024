"""Sessions with PostgreSQL: how they are made, what is said in them, and that no wait is endless.

A server may stop to answer without a word: it is frozen, or its network is gone. Neither the server
nor TCP ends a wait then, or only after minutes, so each wait for an answer ends here.
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

CONNECT_SECONDS = 2  # for a new connection, or one of the pool; psycopg knows nothing shorter
AFTER_SILENCE = 1.0  # seconds in which nobody tries to connect again
CLOCK = SystemMachineClock()  # of the network, which no test moves
# Between two looks of the driver whether the socket was closed meanwhile.
STEP = 0.1  # seconds
# A connection that the network has forgotten is noticed within some ten seconds.
KEEPALIVE = {
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
# How every session is made.
CONNECT: Mapping[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    # Or one could not even ask a database without an encoding which one it has.
    "client_encoding": "utf8",
    **KEEPALIVE,
}
# Where a connection's `info` has what tells how many seconds its next transaction may still wait
# for an answer; and the milliseconds for which it waits for a lock.
LEFT = "left"
WAIT_MS = "wait_ms"
READ_WAIT_MS = 1000


class Session(psycopg.Connection[Any]):
    """A connection on which every wait for the server's answer ends."""

    def __init__(self, *given: Any, **more: Any) -> None:
        """Wait as long as for a connection, until `left` is set."""
        super().__init__(*given, **more)
        # How many seconds the server has to answer, at each moment.
        self.left: Callable[[], float] = lambda: CONNECT_SECONDS

    def wait(self, gen: PQGen[T], interval: float = STEP, timeout: float | None = None) -> T:
        """Wait for an answer, at most as long as is left; after that the connection is closed.

        Raises psycopg.OperationalError then. What the server was doing is not known.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.left())
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 - what `wait` is documented to raise
            self.pgconn.finish()
            raise psycopg.OperationalError(NO_ANSWER) from None


def connect(url: URL) -> Session:
    """Return a session of its own, in autocommit; raises psycopg.Error."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return Session.connect(address, autocommit=True, **CONNECT)


def make_engine(url: str, *, pooled: bool, **options: Any) -> Engine:
    """Return an engine whose sessions end; behind a connection pooler with nothing kept in them."""
    # The next transaction may be on another session, which was never told the statement.
    given = {**CONNECT, "prepare_threshold": None} if pooled else {**CONNECT}
    # Values in order: the driver would have to put those that are named into one each time.
    engine = create_engine(url, connect_args=given, paramstyle="format", **options)
    event.listen(engine, "do_connect", _Attempts().make)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "before_cursor_execute", _leave_before)
    event.listen(engine, "handle_error", _give_up_stale)
    # The driver's commit would leave behind what waits.
    engine.dialect.do_commit = _commit  # type: ignore[method-assign, assignment]
    return engine


class _Attempts:
    """Attempts to connect: who comes soon after one that got no answer is told so at once.

    A request may need the database more than once, and each attempt takes its time.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._not_before = float("-inf")

    def make(self, _dialect: Any, _record: Any, words: Any, given: dict[str, Any]) -> Session:
        """Return a new session, as SQLAlchemy wants it; raises psycopg.OperationalError."""
        if CLOCK.monotonic() < self._not_before:
            raise psycopg.OperationalError(NO_ANSWER)
        try:
            return Session.connect(*words, **given)
        except psycopg.errors.ConnectionTimeout:
            self._not_before = CLOCK.monotonic() + AFTER_SILENCE
            raise


def _prepare(session: Session, record: Any) -> None:
    # The driver begins nothing by itself: Pipelined does.
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
    """Let what waits go ahead of a statement of SQLAlchemy's own."""
    connection.info[PIPE].leave()


def _give_up_stale(context: ExceptionContext) -> None:
    """Have the session replaced, and with it all that are as old."""
    if is_stale(context.original_exception):
        context.is_disconnect = True


def _commit(connection: Any) -> None:
    connection.info[PIPE].commit()
