"""Timers and the sweep: run when due, and not before."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from supplier_api.clock import ManualMachineClock
from supplier_api.delivery.scheduler import Scheduler
from supplier_api.store import Store, tables
from supplier_api.store.wakeup import Bell
from tests.outbox import Outbox


class TimerList:
    """Timers that are moments, and run by being taken from the list."""

    def __init__(self, clock: ManualMachineClock) -> None:
        self.clock = clock
        self.moments: list[datetime] = []
        self.ran: list[datetime] = []

    def run_due(self, limit: int) -> int:
        due = [moment for moment in self.moments if moment <= self.clock.now()][:limit]
        self.ran += due
        self.moments = [moment for moment in self.moments if moment not in due]
        return len(due)

    def next_due(self) -> datetime | None:
        return min(self.moments, default=None)


@pytest.fixture
def timers(clock: ManualMachineClock) -> TimerList:
    return TimerList(clock)


@pytest.fixture
def scheduler(timers: TimerList, store: Store, clock: ManualMachineClock) -> Scheduler:
    return Scheduler(timers, store, clock, Bell(), sweep_every=60)


def test_a_timer_runs_at_its_moment(
    scheduler: Scheduler, timers: TimerList, clock: ManualMachineClock
) -> None:
    moment = clock.now() + timedelta(seconds=2)
    timers.moments.append(moment)

    assert scheduler.turn() == 2.0
    assert timers.ran == []
    clock.advance(2)
    # It looks again at once: what ran may have set the next one.
    assert scheduler.turn() == 0.0
    assert timers.ran == [moment]


def test_without_a_timer_it_looks_after_some_seconds(scheduler: Scheduler) -> None:
    assert scheduler.turn() == 5.0


def test_a_forgotten_lane_is_found_within_a_minute_and_reported(
    scheduler: Scheduler, outbox: Outbox, store: Store, clock: ManualMachineClock
) -> None:
    scheduler.turn()
    problem = outbox.problem(1)
    store.write(lambda uow: uow.connection.execute(update(tables.lane).values(due_at=None)))
    with capture_logs() as logs:
        clock.advance(59)
        assert scheduler.turn() == pytest.approx(1.0)
        assert outbox.lane(problem).due_at is None
        clock.advance(1)
        scheduler.turn()

    assert outbox.lane(problem).due_at == clock.now()
    assert logs == [
        {"event": "lane.forgotten", "lane": outbox.lane(problem).id, "log_level": "error"}
    ]
