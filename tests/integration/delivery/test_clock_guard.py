"""The host's clock is put back or forward while messages wait, through the scheduler's turns."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table, insert, select, update
from structlog.testing import capture_logs

from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, UnitOfWork, tables
from supplier_api.db.notify import WakeEvent
from supplier_api.delivery.scheduler import ClockGuard, Scheduler
from supplier_api.outbox.model import Fenced
from supplier_api.outbox.repository import LaneRepository
from tests.integration.delivery.conftest import NoTimers
from tests.outbox import DESTINATION, Outbox, proceed

HOUR = timedelta(hours=1)
on_sqlite = pytest.mark.parametrize("upgraded_url", ["sqlite_file"], indirect=True)
pytestmark = on_sqlite


def worker(store: Store, clock: ManualMachineClock, name: str = "worker-1") -> Scheduler:
    """Return a worker's scheduler that has taken a turn."""
    guard = ClockGuard(store, clock, name)
    scheduler = Scheduler(NoTimers(), store, clock, WakeEvent(), 3600, [guard])
    scheduler.turn()
    return scheduler


def let_run(clock: ManualMachineClock, seconds: float, step: timedelta = timedelta()) -> None:
    """Let seconds pass; the host's clock makes a step besides."""
    clock.advance(seconds)
    clock.instant += step


def wait_until(store: Store, at: datetime) -> None:
    """Have every lane wait for its next attempt."""
    values = {"due_at": at, "not_before": at, "attempts": 1}
    store.write(lambda uow: uow.connection.execute(update(tables.lane).values(**values)))


def claim(store: Store, clock: ManualMachineClock, owner: str) -> list[int]:
    now = clock.now()
    claims = store.write(
        lambda uow: LaneRepository(uow).claim(
            DESTINATION, owner, now, now + timedelta(seconds=45), limit=9, failed=9
        )
    )
    return [each.problem_id for each in claims]


def test_a_clock_that_falls_takes_the_stored_times_with_it(
    store: Store, outbox: Outbox, clock: ManualMachineClock
) -> None:
    scheduler = worker(store, clock)
    problem = outbox.problem(1)
    was = clock.now()
    wait_until(store, was + timedelta(seconds=30))
    first = {"first_attempt": was - HOUR, "not_before": was}

    def set_up(uow: UnitOfWork) -> None:
        uow.connection.execute(update(tables.message).values(**first))
        uow.connection.execute(
            insert(tables.pause).values(
                cause="asked", reason="429", who="w", since=was, until=was + HOUR
            )
        )

    store.write(set_up)
    let_run(clock, 10, -HOUR)
    with capture_logs() as logs:
        scheduler.turn()

    lane, (message,) = outbox.lane(problem), outbox.messages(problem)
    # Twenty seconds are left of its wait, as if nothing had been.
    assert lane.due_at - clock.now() == lane.not_before - clock.now() == timedelta(seconds=20)
    assert message.first_attempt == was - 2 * HOUR
    assert message.not_before == was - HOUR
    paused = store.read(lambda uow: uow.connection.execute(select(tables.pause)).one())
    assert (paused.since, paused.until) == (was - HOUR, was)
    assert [(line["event"], line["seconds"]) for line in logs] == [("clock.fell", 3600.0)]
    clock.advance(20)
    assert claim(store, clock, "worker-1") == [problem]
    # Once is enough.
    scheduler.turn()
    assert outbox.lane(problem).lease_until == clock.now() + timedelta(seconds=45)


def test_two_workers_bring_the_times_back_once(
    store: Store, outbox: Outbox, clock: ManualMachineClock
) -> None:
    one, two = worker(store, clock, "worker-1"), worker(store, clock, "worker-2")
    problem = outbox.problem(1)
    wait_until(store, clock.now() + timedelta(seconds=30))
    let_run(clock, 0, -HOUR)
    one.turn()
    two.turn()
    assert outbox.lane(problem).due_at == clock.now() + timedelta(seconds=30)

    let_run(clock, 0, -HOUR)
    two.turn()
    one.turn()
    assert outbox.lane(problem).due_at == clock.now() + timedelta(seconds=30)
    of = tables.operator_action.c
    rows = store.read(lambda uow: uow.connection.execute(select(of.who, of.action)).all())
    assert list(map(tuple, rows)) == [("worker-1", "clock-fell"), ("worker-2", "clock-fell")]


def test_who_must_wait_to_sign_in_waits_no_longer_and_sessions_last_as_long(
    store: Store, clock: ManualMachineClock
) -> None:
    now, key = clock.now(), {"token_hash": "x"}
    used = {"address": "192.0.2.1", "since": now, "seen": now}
    rows: dict[Table, dict[str, Any]] = {
        tables.console_session: {**key, **used, "ends": now + HOUR},
        tables.sign_in_link: {**key, "ends": now + HOUR},
        tables.sign_in_failure: {"key": "x", "failures": 5, "until": now, "ends": now + HOUR},
    }

    def work(uow: UnitOfWork) -> None:
        for table, values in rows.items():
            uow.connection.execute(insert(table).values(**values))

    store.write(work)
    scheduler = worker(store, clock)
    let_run(clock, 60, -HOUR)
    scheduler.turn()

    def stored(uow: UnitOfWork) -> None:
        for table, values in rows.items():
            (row,) = uow.connection.execute(select(table)).mappings()
            for name in {"seen", "until", "ends"} & set(values):
                assert row[name] == values[name] - HOUR
            assert row.get("since") == values.get("since")

    store.read(stored)


def test_some_seconds_are_nothing(store: Store, outbox: Outbox, clock: ManualMachineClock) -> None:
    scheduler = worker(store, clock)
    problem = outbox.problem(1)
    wait_until(store, clock.now() + HOUR)
    due = outbox.lane(problem).due_at
    let_run(clock, 60, -timedelta(seconds=4))
    scheduler.turn()
    assert outbox.lane(problem).due_at == due

    # But together they are.
    let_run(clock, 60, -timedelta(seconds=4))
    scheduler.turn()
    assert outbox.lane(problem).due_at == due - timedelta(seconds=8)


def test_after_a_jump_forward_leases_end_early_and_the_loser_writes_nothing(
    store: Store, outbox: Outbox, clock: ManualMachineClock
) -> None:
    scheduler = worker(store, clock)
    problem = outbox.problem(1)
    now = clock.now()
    (mine,) = store.write(
        lambda uow: LaneRepository(uow).claim(
            DESTINATION, "worker-1", now, now + timedelta(seconds=45), limit=1, failed=1
        )
    )
    let_run(clock, 1, HOUR)
    with capture_logs() as logs:
        scheduler.turn()

    assert [(line["event"], line["seconds"]) for line in logs] == [("clock.jumped-forward", 3600.0)]
    assert claim(store, clock, "worker-2") == [problem]
    with pytest.raises(Fenced):
        store.write(lambda uow: proceed(uow, mine, clock.now()))
    # It is logged once, and a step back from there is one too.
    let_run(clock, 1, -HOUR)
    with capture_logs() as logs:
        scheduler.turn()
    assert [line["event"] for line in logs] == ["clock.fell"]
