"""Timers and the sweep: run when due, and not before."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, StoreUnavailable, tables
from supplier_api.db.notify import WakeEvent
from supplier_api.delivery.scheduler import Scheduler
from supplier_api.rules.facts import Service
from supplier_api.rules.inventory import TimedInventory
from tests.integration.delivery.conftest import PATIENCE
from tests.integration.problems.conftest import BOOK
from tests.integration.problems.rig import Rig
from tests.outbox import Outbox


class TimerList:
    """Timers as a list of instants; one that runs is removed."""

    def __init__(self, clock: ManualMachineClock) -> None:
        self.clock = clock
        self.moments: list[datetime] = []
        self.ran: list[datetime] = []

    def run_due(self, limit: int, go_on: Callable[[], bool]) -> int:  # noqa: ARG002 - the port's
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
    return Scheduler(timers, store, clock, WakeEvent(), sweep_every=60)


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


class Broken:
    """A chore that always fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.turns = 0

    def turn(self) -> float:
        self.turns += 1
        raise self.error


@pytest.mark.parametrize(("error", "rest"), [(ZeroDivisionError(), 60), (StoreUnavailable(), 1)])
def test_a_chore_that_fails_holds_up_neither_timers_nor_other_chores(
    timers: TimerList, store: Store, clock: ManualMachineClock, error: Exception, rest: float
) -> None:
    broken, good = Broken(error), Broken(error)
    good.turn = lambda: 5.0  # type: ignore[method-assign]
    scheduler = Scheduler(timers, store, clock, WakeEvent(), 60, [broken, good])
    timers.moments.append(moment := clock.now())

    with capture_logs() as logs:
        scheduler.turn()
    assert timers.ran == [moment]
    assert [entry["chore"] for entry in logs] == ["broken"]

    clock.advance(rest - 0.5)
    scheduler.turn()
    assert broken.turns == 1
    clock.advance(0.5)
    scheduler.turn()
    assert broken.turns == 2


class SlowInventory:
    """Takes nearly half the answer budget for every answer, by the clock that it is given."""

    def __init__(self) -> None:
        self.clock: ManualMachineClock
        self.well: Callable[[], bool]
        self.seen_well: list[bool] = []
        self.last = threading.Event()

    def find(self, tenant: str, service_id: str) -> Service | None:  # noqa: ARG002 - the port's
        self.clock.advance(1.4)
        self.seen_well.append(self.well())
        if len(self.seen_well) == SLOW:
            self.last.set()
        return Service(service_id)


SLOW = 50  # decisions, of which a turn makes all: more than a minute's worth


def test_a_worker_that_has_much_to_decide_is_not_stuck(sqlite_file: str) -> None:
    inventory = SlowInventory()
    rig = Rig(sqlite_file, BOOK, TimedInventory(inventory, immediate=True))
    rig.rule_evaluator.maintenance.begin("jo", "a new inventory")
    rig.machine.advance(1)
    for gateway_id in range(1, SLOW + 1):
        assert rig.create(id=gateway_id).status == 202
    rig.rule_evaluator.maintenance.end("jo", "it is in")
    scheduler = Scheduler(rig.timers, rig.store, rig.machine, WakeEvent(), 3600)
    inventory.clock, inventory.well = rig.machine, scheduler.healthy

    scheduler.start()
    assert inventory.last.wait(PATIENCE)
    scheduler.stop(PATIENCE)
    rig.store.close()

    assert inventory.seen_well == [True] * SLOW
