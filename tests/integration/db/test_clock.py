"""The database's clock, which all machines on one PostgreSQL share."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, tables
from supplier_api.db.postgresql import DatabaseClock
from supplier_api.outbox.repository import LaneRepository
from tests.outbox import DESTINATION, Outbox

HOUR = timedelta(hours=1)
LEASE = timedelta(seconds=45)


@pytest.fixture
def host() -> ManualMachineClock:
    return ManualMachineClock()


@pytest.fixture
def store(postgresql_url: str, host: ManualMachineClock) -> Iterator[Store]:
    store = Store(postgresql_url, host)
    tables.metadata.create_all(store.engine)
    yield store
    store.close()


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_jump_of_the_hosts_clock_moves_nothing(
    store: Store, host: ManualMachineClock, jump: timedelta
) -> None:
    clock = DatabaseClock(store.engine, host)
    before = clock.now()
    host.instant += jump
    assert clock.now() == before
    host.seconds += 30
    assert clock.now() == before + timedelta(seconds=30)


class InterruptedClock(ManualMachineClock):
    """A host clock during whose reading other threads run."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Callable[[], None]] = []

    def monotonic(self) -> float:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return super().monotonic()


def test_the_time_is_right_while_another_thread_reads_the_database_again(store: Store) -> None:
    host = InterruptedClock()
    clock = DatabaseClock(store.engine, host)
    elsewhere = []

    def measure_again() -> None:
        host.advance(61)
        elsewhere.append(clock.now())

    host.meanwhile = [lambda: None, measure_again]
    seen = clock.now()

    # By the old reading or by the new one, but not the old time at the new second.
    assert seen >= elsewhere[0]


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_worker_whose_host_jumps_takes_no_lane_from_another(
    store: Store, host: ManualMachineClock, jump: timedelta
) -> None:
    one = DatabaseClock(store.engine, host)
    other_host = ManualMachineClock()
    other = DatabaseClock(store.engine, other_host)
    outbox = Outbox(store, one)
    outbox.problem(1)

    def claim(clock: DatabaseClock, owner: str) -> int:
        now = clock.now()
        return len(
            store.write(
                lambda uow: LaneRepository(uow).claim(
                    DESTINATION, owner, now, now + LEASE, limit=1, failed=1
                )
            )
        )

    assert claim(one, "one") == 1
    other_host.instant += jump
    assert claim(other, "other") == 0
    outbox.problem(1)
    assert claim(other, "other") == 1
