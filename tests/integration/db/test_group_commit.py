"""Writers on one SQLite file share their commits, and nothing else."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from contextvars import ContextVar
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError

from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, StoreBusy, StoreUnavailable, UnitOfWork, tables
from supplier_api.problems.repository import ProblemRepository
from tests.integration.db.test_transactions import problem
from tests.waiting import PATIENCE

MEMBERS = 8


class Writers:
    """A store whose first writer can be stopped in its work, so that others queue behind it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.machine = ManualMachineClock()
        self.store = Store(f"sqlite:///{file}", self.machine)
        tables.metadata.create_all(self.store.engine)
        self.commits = 0
        event.listen(self.store.engine, "commit", self._count)
        self.pool = ThreadPoolExecutor(MEMBERS + 1)
        self._working = threading.Event()
        self.go_on = threading.Event()

    def _count(self, _: Connection) -> None:
        self.commits += 1

    def stop_first(self) -> Future[None]:
        """Start a writer that is at its work until `go_on`."""

        def work(uow: UnitOfWork) -> None:
            ProblemRepository(uow).add(problem(1000))
            self._working.set()
            assert self.go_on.wait(PATIENCE)

        first = self.pool.submit(self.store.write, work)
        assert self._working.wait(PATIENCE)
        return first

    def queue(self, *works: Callable[[UnitOfWork], object]) -> list[Future[object]]:
        """Start these and return when all of them are waiting, in this order."""
        futures = []
        for work in works:
            waiting = self.waiting()
            futures.append(self.pool.submit(self.store.write, work))
            while self.waiting() == waiting:
                threading.Event().wait(0.001)
        return futures

    def waiting(self) -> int:
        """Return how many writers wait to be taken in."""
        grouped = self.store._grouped  # noqa: SLF001 - nobody else can see who waits
        assert grouped
        return len(grouped._queue)  # noqa: SLF001

    def stored(self) -> list[int]:
        """Return the ids of the problems that somebody else sees in the file."""
        with closing(sqlite3.connect(self.file)) as other:
            rows = other.execute("SELECT gateway_id FROM service_problem ORDER BY 1").fetchall()
        return [number for (number,) in rows]

    def close(self) -> None:
        self.go_on.set()
        self.pool.shutdown()
        self.store.close()


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[Writers]:
    writers = Writers(tmp_path / "supplier.db")
    yield writers
    writers.close()


def adding(number: int) -> Callable[[UnitOfWork], int]:
    """Return work that stores a problem."""

    def work(uow: UnitOfWork) -> int:
        ProblemRepository(uow).add(problem(number))
        return number

    return work


def failing(uow: UnitOfWork) -> None:
    """Store a problem, then fail."""
    ProblemRepository(uow).add(problem(500))
    raise ZeroDivisionError


def test_those_who_wait_share_one_commit(writers: Writers) -> None:
    first = writers.stop_first()
    others = writers.queue(*[adding(number) for number in range(MEMBERS)])
    before = writers.commits
    writers.go_on.set()

    assert [other.result(PATIENCE) for other in others] == list(range(MEMBERS))
    first.result(PATIENCE)
    assert writers.commits == before + 1
    assert writers.stored() == [*range(MEMBERS), 1000]


def test_work_that_fails_takes_back_only_its_own(writers: Writers) -> None:
    writers.stop_first()
    before, broken, after = writers.queue(adding(1), failing, adding(2))
    writers.go_on.set()

    with pytest.raises(ZeroDivisionError):
        broken.result(PATIENCE)
    assert (before.result(PATIENCE), after.result(PATIENCE)) == (1, 2)
    assert writers.stored() == [1, 2, 1000]


def test_what_fails_with_the_transaction_open_fails_alone(writers: Writers) -> None:
    writers.store.write(adding(1))
    first = writers.stop_first()
    again, other = writers.queue(adding(1), adding(2))
    writers.go_on.set()

    assert isinstance(again.exception(PATIENCE), IntegrityError)
    assert other.result(PATIENCE) == 2
    first.result(PATIENCE)
    assert writers.stored() == [1, 2, 1000]


def test_no_result_is_handed_over_before_the_commit_has_returned(writers: Writers) -> None:
    committing, go_on = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        committing.set()
        assert go_on.wait(PATIENCE)

    first = writers.stop_first()
    others = writers.queue(adding(1), failing)
    event.listen(writers.store.engine, "commit", hold)
    writers.go_on.set()
    assert committing.wait(PATIENCE)

    assert [each.done() for each in others] == [False, False]
    assert not first.done()
    assert writers.stored() == []
    go_on.set()
    first.result(PATIENCE)
    assert others[0].result(PATIENCE) == 1
    assert isinstance(others[1].exception(PATIENCE), ZeroDivisionError)


def test_a_commit_that_fails_fails_for_all(writers: Writers) -> None:
    def fail(connection: Connection) -> None:
        # A foreign key that is looked at only now.
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        connection.exec_driver_sql(
            "INSERT INTO timer (problem_id, tenant, kind, due_at) VALUES (-1, 'T', 'k', '2026')"
        )

    first = writers.stop_first()
    # The last one's error depends on what the others have not yet committed.
    others = writers.queue(adding(1), adding(2), failing)
    event.listen(writers.store.engine, "commit", fail, once=True)
    writers.go_on.set()

    for error in (first.exception(PATIENCE), *(each.exception(PATIENCE) for each in others)):
        assert not isinstance(error, ZeroDivisionError | None)
    assert writers.stored() == []
    assert writers.store.write(adding(1)) == 1


def test_a_full_disk_fails_all_who_are_in_it_and_nothing_more(writers: Writers) -> None:
    ran: list[str] = []
    writers.store.write(lambda uow: uow.connection.execute(text("CREATE TABLE filler (data)")))

    def fill(uow: UnitOfWork) -> None:
        pages = uow.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        uow.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        uow.connection.exec_driver_sql("INSERT INTO filler VALUES (zeroblob(10000000))")

    def later(uow: UnitOfWork) -> None:
        assert uow.connection.connection.dbapi_connection.in_transaction  # type: ignore[union-attr]
        ran.append("later")

    first = writers.stop_first()
    before, full, behind = writers.queue(adding(1), fill, later)
    writers.go_on.set()

    for error in (
        first.exception(PATIENCE),
        *(each.exception(PATIENCE) for each in (before, full)),
    ):
        assert isinstance(error, StoreUnavailable)
    assert behind.result(PATIENCE) is None
    assert ran == ["later"]
    assert writers.stored() == []
    # Somebody makes room.
    writers.store.write(
        lambda uow: uow.connection.exec_driver_sql("PRAGMA max_page_count=1000000").scalar()
    )
    assert writers.store.write(adding(1)) == 1
    assert writers.stored() == [1]


def test_whoever_may_wait_no_longer_is_told_so_alone(writers: Writers) -> None:
    first = writers.stop_first()
    (patient,) = writers.queue(adding(1))
    soon = writers.machine.monotonic() + 0.05

    with pytest.raises(StoreBusy):
        writers.store.write(adding(2), deadline=soon)

    writers.go_on.set()
    first.result(PATIENCE)
    assert patient.result(PATIENCE) == 1
    assert writers.stored() == [1, 1000]


def test_whoever_may_not_be_committed_any_more_is_left_out(writers: Writers) -> None:
    commit_by = writers.machine.monotonic() + 3
    first = writers.stop_first()
    runs: list[int] = []

    def counted(uow: UnitOfWork) -> int:
        runs.append(1)
        return adding(1)(uow)

    def slow(uow: UnitOfWork) -> int:
        writers.machine.advance(10)
        return adding(2)(uow)

    hurried = writers.pool.submit(writers.store.write, adding(3), commit_by=commit_by)
    while not writers.waiting():
        threading.Event().wait(0.001)
    others = writers.queue(counted, slow)
    writers.go_on.set()

    assert isinstance(hurried.exception(PATIENCE), StoreUnavailable)
    assert [other.result(PATIENCE) for other in others] == [1, 2]
    first.result(PATIENCE)
    # It ran once more: what it did before was rolled back with the one that came too late.
    assert len(runs) == 2
    assert writers.stored() == [1, 2, 1000]


def test_work_sees_what_is_bound_where_it_was_asked_for(writers: Writers) -> None:
    who: ContextVar[str] = ContextVar("who")

    def ask(name: str) -> str:
        who.set(name)
        return writers.store.write(lambda _: who.get())

    writers.stop_first()
    asked = [writers.pool.submit(ask, f"member {number}") for number in range(MEMBERS)]
    writers.go_on.set()

    assert [each.result(PATIENCE) for each in asked] == [f"member {n}" for n in range(MEMBERS)]
