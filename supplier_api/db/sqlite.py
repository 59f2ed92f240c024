"""SQLite: its connections, and how the writers of one process on one file share their commits.

A transaction costs mostly the wait for the disk at its end, and only one connection can write at a
time. So writers wait in a queue, and one of them leads: it takes the write lock, runs the work of
everyone in the queue, and commits once for all. Then the first of those who came meanwhile leads.

What this keeps: no result is returned before the COMMIT has returned; work that fails rolls back
only its own changes; a member whose deadline has passed, or that may not be committed any more,
gets that error alone. Work seldom fails, so a group is first run without savepoints: if one member
fails, all of it is rolled back and run again, each under a savepoint of its own. After an error
there the driver is asked whether the transaction is still open: SQLite closes it by itself, for
instance when the disk is full. Then nothing of the group is stored, all its members get the error,
and the rest of the queue begins a new transaction.
"""

import contextvars
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from supplier_api.clock import MachineClock
from supplier_api.db.compiled_statements import UnitOfWork, run_raw
from supplier_api.db.connection_info import READ_WAIT_MS, WAIT_MS
from supplier_api.db.errors import TOO_LATE, StoreBusy, StoreUnavailable, store_error
from supplier_api.files import keep_private, sqlite_path

T = TypeVar("T")

MOST = 32  # members of one group
WRITING = 0.01  # seconds after which a group takes no more members: another process may wait


class Member(Generic[T]):
    """A piece of work in the queue, and its result, which is valid only once `done` is set."""

    def __init__(
        self, work: Callable[[UnitOfWork], T], deadline: float | None, commit_by: float | None
    ) -> None:
        """Keep the work; it will run with the context variables of the caller."""
        self.work = work
        self.deadline = deadline
        self.commit_by = commit_by
        self.context = contextvars.copy_context()
        self.leads = False
        self.done = False
        self.result: T
        self.error: Exception | None = None
        # Released when the thread has to act: take the result, or lead.
        self.turn = threading.Lock()
        self.turn.acquire()

    def do(self, connection: Connection) -> None:
        """Run the work in the transaction that `connection` is in, and keep its result."""
        self.error = None
        self.result = self.context.run(self.work, UnitOfWork(connection, "sqlite"))

    def outcome(self) -> T:
        """Return what the work returned, or raise its error."""
        if self.error:
            raise self.error
        return self.result


class _Closed(Exception):
    """The database has closed the transaction by itself."""


class _Failed(Exception):
    """One member's work has failed; the group has to run again, each member by itself."""


class _Late(Exception):
    """Some members may not be committed any more; the others have to run again without them."""

    def __init__(self, members: Sequence[Member[Any]]) -> None:
        super().__init__()
        self.members = members


# Begins a transaction, waiting up to that many seconds for the file's lock; commits at the end.
Begin = Callable[[float], AbstractContextManager[Connection]]


class GroupedWriter:
    """Runs writing work one after the other, with one commit for all that is waiting."""

    def __init__(self, begin: Begin, clock: MachineClock, left: Callable[[float | None], float]):
        """Begin transactions with `begin`; `left` returns the seconds that a deadline leaves."""
        self._begin = begin
        self._clock = clock
        self._left = left
        self._lock = threading.Lock()
        self._queue: deque[Member[Any]] = deque()
        self._led = False
        # How many members of the queue have to run under savepoints, since one of them has failed.
        self._careful = 0

    def run(
        self, work: Callable[[UnitOfWork], T], deadline: float | None, commit_by: float | None
    ) -> T:
        """Return what `work` returns once that is durable; as Store.write."""
        me = Member(work, deadline, commit_by)
        with self._lock:
            self._queue.append(me)
            if not self._led:
                self._led = me.leads = True
        if not me.leads:
            self._wait_turn(me)
        if me.leads:
            self._lead(me)
        return me.outcome()

    def _wait_turn(self, me: Member[Any]) -> None:
        """Return when the work is done, or this thread has to lead; raises StoreBusy."""
        if me.turn.acquire(timeout=max(0.0, self._left(me.deadline))):
            return
        with self._lock:
            if me in self._queue and not me.leads:
                self._queue.remove(me)
                raise StoreBusy("other writers held the database for too long")
        # It is running at this moment, and cannot be withdrawn.
        me.turn.acquire()

    def _lead(self, me: Member[Any]) -> None:
        """Commit groups until the leader's own work is done, then let the next one lead."""
        try:
            while not me.done:
                self._commit_group(me)
        finally:
            with self._lock:
                self._led = bool(self._queue)
                if self._queue:
                    self._queue[0].leads = True
                    self._queue[0].turn.release()

    def _commit_group(self, me: Member[Any]) -> None:
        """Run what is waiting, the leader's work first, and commit it."""
        group: list[Member[Any]] = []
        try:
            with self._begin(self._left(me.deadline)) as connection:
                for member in self._members(group):
                    self._run(member, connection)
                if late := [each for each in group if self._late(each)]:
                    raise _Late(late)
        except _Failed as failed:
            self._run_again(group, failed.__cause__)
        except _Late as found:
            self._queue_again([each for each in group if each not in found.members])
            self._finish(found.members, found)
        except BaseException as error:
            self._finish(group or [self._first()], error)
            if not isinstance(error, Exception):
                raise
        else:
            self._finish(group)

    def _members(self, group: list[Member[Any]]) -> Iterator[Member[Any]]:
        """Take members out of the queue, also those that come while others run."""
        until = self._clock.monotonic() + WRITING
        while len(group) < MOST and (not group or self._clock.monotonic() < until):
            if not self._queue:
                return
            group.append(self._first())
            yield group[-1]

    def _run(self, member: Member[Any], connection: Connection) -> None:
        """Run a member's work; under a savepoint if a member of its group has failed."""
        if self._careful:
            self._careful -= 1
            self._run_alone(member, connection)
            return
        try:
            member.do(connection)
        except Exception as error:
            raise _Failed from error

    def _run_alone(self, member: Member[Any], connection: Connection) -> None:
        """Run a member's work; an error rolls back its own changes and nothing else."""
        raw: Any = connection.connection.dbapi_connection
        raw.execute("SAVEPOINT member")
        try:
            member.do(connection)
        except Exception as error:
            if not raw.in_transaction:
                raise _Closed from error
            raw.execute("ROLLBACK TO member")
            member.error = _member_error(error) if isinstance(error, DBAPIError) else error
        raw.execute("RELEASE member")

    def _late(self, member: Member[Any]) -> bool:
        if member.error or member.commit_by is None:
            return False
        return self._clock.monotonic() > member.commit_by

    def _first(self) -> Member[Any]:
        with self._lock:
            return self._queue.popleft()

    def _run_again(self, group: Sequence[Member[Any]], error: BaseException | None) -> None:
        """Have a group that was rolled back run again; a single member has failed by itself."""
        if len(group) == 1:
            self._finish(group, error)
        else:
            self._careful = len(group)
            self._queue_again(group)

    def _queue_again(self, members: Sequence[Member[Any]]) -> None:
        with self._lock:
            self._queue.extendleft(reversed(members))

    def _finish(self, members: Sequence[Member[Any]], error: BaseException | None = None) -> None:
        """Release the members with their results; with an error nothing is stored for any."""
        for member in members:
            if error:
                member.error = _group_error(error)
            member.done = True
            member.turn.release()


def _group_error(error: BaseException) -> Exception:
    """Return the error that each member gets when an error has undone the whole group."""
    if isinstance(error, DBAPIError | PoolTimeout):
        return _member_error(error)
    if isinstance(error, _Late):
        return StoreUnavailable(TOO_LATE)
    if isinstance(error, _Closed) and isinstance(error.__cause__, DBAPIError):
        return _member_error(error.__cause__)
    if isinstance(error, _Closed | sqlite3.Error):
        lost = StoreUnavailable("the database gave the transaction up")
        lost.__cause__ = error
        return lost
    return error if isinstance(error, Exception) else StoreUnavailable("the process ends")


def _member_error(error: DBAPIError | PoolTimeout) -> Exception:
    """Return the store's error for the driver's, with the latter as its cause."""
    for_members = store_error(error)
    if for_members is not error:
        for_members.__cause__ = error
    return for_members


def make_engine(url: str, *, reading: bool, **options: Any) -> Engine:
    """Return an engine on the file at `url`, for writers or only for readers."""
    if file := sqlite_path(url):
        keep_private(file)
    # isolation_level None: transactions begin where this module begins them, not sqlite3.
    engine = create_engine(
        url, connect_args={"isolation_level": None, "check_same_thread": False}, **options
    )
    event.listen(engine, "connect", _prepare_reader if reading else _prepare_writer)
    event.listen(engine, "begin", _begin_reading if reading else _begin_writing)
    return engine


def _begin_writing(connection: Connection) -> None:
    wait_ms = connection.info.get(WAIT_MS, READ_WAIT_MS)
    # The write lock at once: a later upgrade from a read could only fail.
    run_raw(connection, f"PRAGMA busy_timeout={wait_ms}", "BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    run_raw(connection, "BEGIN")


def _prepare_writer(connection: Any, _record: Any) -> None:
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "fullfsync=ON",  # macOS: fsync alone does not reach the disk; elsewhere without effect
        "foreign_keys=ON",
        "cache_size=-32000",
        # Deleted or overwritten content is also overwritten in the file.
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_reader(connection: Any, record: Any) -> None:
    _prepare_writer(connection, record)
    connection.execute(f"PRAGMA busy_timeout={READ_WAIT_MS}")
    connection.execute("PRAGMA query_only=ON")
