"""Transactions: all or nothing, and what is stored is read back the same."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select
from sqlalchemy.exc import IntegrityError, StatementError

from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, StoreUnavailable, UnitOfWork, postgresql, tables
from supplier_api.db.types import InstantColumn
from supplier_api.problems.model import Awaits, Base, ServiceProblem, State, Waiting
from supplier_api.problems.repository import ProblemRepository
from supplier_api.rules.model import Operation

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
instants = Table("instants", MetaData(), Column("id", Integer), Column("at", InstantColumn))


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url, ManualMachineClock())
    tables.metadata.create_all(store.engine)
    yield store
    store.close()


def problem(gateway_id: int = 1) -> ServiceProblem:
    """Return a problem in a state that has something in every column."""
    return ServiceProblem(
        tenant="TENANT1",
        gateway_id=gateway_id,
        reference=f"SP_{gateway_id:010}",
        service_id="SI0000000000100",
        conversation_id="conversation-1",
        state=State(
            Base.ACKNOWLEDGED, Waiting.PENDING, Awaits.INFORMATION, Operation.AMENDMENT, "INC1"
        ),
        document={"id": gateway_id, "problemText": "Die Leitung fällt aus ☎"},
        created=NOON,
        updated=NOON,
        last_issued=NOON,
        doubtful=True,
        linked_to="SP_0000000009",
        back_office_id="TICKET-1",
        back_office_url="https://tickets/1",
    )


def count(store: Store) -> int:
    """Return how many problems there are."""
    return store.read(lambda uow: ProblemRepository(uow).count())


def test_a_problem_is_read_back_as_it_was_stored(store: Store) -> None:
    stored = problem()
    store.write(lambda uow: ProblemRepository(uow).add(stored))

    assert stored.id > 0
    assert store.read(lambda uow: ProblemRepository(uow).get(stored.id)) == stored


def test_each_change_of_a_problem_has_a_version(store: Store) -> None:
    stored = problem()
    store.write(lambda uow: ProblemRepository(uow).add(stored))
    stored.state = State(Base.CANCELLED)
    store.write(lambda uow: ProblemRepository(uow).save(stored))

    read = store.read(lambda uow: ProblemRepository(uow).get(stored.id))

    assert read == stored
    assert read.version == 2


def test_work_that_fails_leaves_nothing(store: Store) -> None:
    def work(uow: UnitOfWork) -> None:
        ProblemRepository(uow).add(problem())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write(work)

    assert count(store) == 0


def test_what_breaks_a_constraint_is_a_bug_and_stays_one(store: Store) -> None:
    store.write(lambda uow: ProblemRepository(uow).add(problem()))

    with pytest.raises(IntegrityError):
        store.write(lambda uow: ProblemRepository(uow).add(problem()))

    assert count(store) == 1


def test_a_view_is_consistent_and_sees_what_was_committed(store: Store) -> None:
    store.write(lambda uow: ProblemRepository(uow).add(problem()))

    def work(uow: UnitOfWork) -> tuple[int, int]:
        before = ProblemRepository(uow).count()
        store.write(lambda writing: ProblemRepository(writing).add(problem(2)))
        return before, ProblemRepository(uow).count()

    assert store.read(work)[0] == 1
    assert count(store) == 2


def test_a_database_that_cannot_be_reached_is_unavailable() -> None:
    lost = Store("postgresql+psycopg://nobody@127.0.0.1:1/nothing", ManualMachineClock())

    with pytest.raises(StoreUnavailable):
        lost.write(lambda uow: ProblemRepository(uow).count())
    with pytest.raises(StoreUnavailable):
        lost.read(lambda uow: ProblemRepository(uow).count())
    lost.close()


@pytest.mark.parametrize(
    "at",
    [
        NOON,
        NOON + timedelta(microseconds=1),
        NOON.astimezone(timezone(timedelta(hours=5, minutes=30))),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
def test_an_instant_is_read_back_in_utc(store: Store, at: datetime) -> None:
    instants.create(store.engine)
    store.write(lambda uow: uow.connection.execute(instants.insert().values(id=1, at=at)))

    read = store.read(lambda uow: uow.connection.execute(select(instants.c.at)).scalar_one())

    assert read == at
    assert read.tzinfo is UTC


def test_instants_are_sorted_by_time_whatever_their_offset(store: Store) -> None:
    instants.create(store.engine)
    east = timezone(timedelta(hours=5))
    rows: list[dict[str, Any]] = [
        {"id": 3, "at": NOON + timedelta(seconds=1)},
        {"id": 1, "at": (NOON - timedelta(seconds=1)).astimezone(east)},
        {"id": 2, "at": NOON},
        {"id": 0, "at": None},
    ]
    store.write(lambda uow: uow.connection.execute(instants.insert(), rows))
    query = select(instants.c.id).where(instants.c.at.is_not(None)).order_by(instants.c.at)

    assert store.read(lambda uow: uow.connection.execute(query).scalars().all()) == [1, 2, 3]
    before = query.where(instants.c.at < NOON.astimezone(east))
    assert store.read(lambda uow: uow.connection.execute(before).scalars().all()) == [1]


def test_an_instant_without_an_offset_is_a_bug(store: Store) -> None:
    instants.create(store.engine)
    naive = instants.insert().values(id=1, at=datetime(2026, 1, 5))  # noqa: DTZ001 - the point

    with pytest.raises(StatementError, match="an instant must be aware"):
        store.write(lambda uow: uow.connection.execute(naive))


def test_who_stands_still_in_a_transaction_gives_the_locks_back_and_does_it_once_more(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, still, other = (Store(postgresql_url, ManualMachineClock()) for _ in range(3))
    tables.metadata.create_all(before.engine)
    before.write(lambda uow: ProblemRepository(uow).add(problem()))
    before.close()
    # Only now: to make all tables may take longer where much else runs.
    monkeypatch.setattr(postgresql, "IDLE_SECONDS", 0.3)
    runs = []

    def work(uow: UnitOfWork) -> None:
        ProblemRepository(uow).lock(1)
        runs.append(1)
        if len(runs) == 1:
            # Waits for the lock, and gets it while this one still stands here.
            other.write(lambda theirs: ProblemRepository(theirs).lock(1))

    still.write(work)
    assert len(runs) == 2
    still.close()
    other.close()
