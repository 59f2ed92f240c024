"""PostgreSQL reads queues by their indexes, whatever its statistics say."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Row, Table, Text, cast, func, select, text, true

from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, UnitOfWork, tables
from supplier_api.outbox.model import Attempt, AttemptRecord, LaneStep, MessageState
from supplier_api.outbox.pauses import HeldUp
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.timer_repository import Timer, TimerRepository
from tests.outbox import DESTINATION, LaneWorker, Outbox

MANY, FEW = 20_000, 10
# How many rows and pages a table had when PostgreSQL last looked at it; it takes it to have as many
# rows on each page ever since. Statistics from before the first rows are committed have none.
SEEN = "UPDATE pg_class SET reltuples = {}, relpages = {} WHERE relname IN ({})"
TABLES = "'lane', 'message', 'service_problem', 'timer'"
NOT_SEEN, EMPTY, ONE_ROW = (-1, 0), (0, 300), (1, 300)
TAKEN = MessageState.DELIVERED
# A statement's plan is made for its values, or once for any.
PLANS = ("force_custom_plan", "force_generic_plan")


class Undone(Exception):
    """Rolls a transaction back."""


@pytest.fixture
def upgraded_url(emptied_postgresql: str) -> str:
    return emptied_postgresql


def copy(connection: Connection, table: Table, row_id: int, count: int, **others: Any) -> None:
    """Make so many copies of a row, but for some columns: functions of a number from 2 on."""
    numbers = func.generate_series(2, count + 1).table_valued("number").render_derived(name="n")
    same = [column for column in table.c if column.name not in {"id", *others}]
    different = [make(numbers.c.number) for make in others.values()]
    row = select(*same, *different).select_from(table.join(numbers, true()))
    names = [*(column.name for column in same), *others]
    connection.execute(table.insert().from_select(names, row.where(table.c.id == row_id)))


def multiply(uow: UnitOfWork, lane: Row[Any], message_id: int, count: int) -> None:
    """Make so many problems like that of a lane with one message, the newest there is."""
    problem, into = lane.problem_id, partial(copy, uow.connection)
    gateway_id = problem * 1_000_000
    into(
        tables.service_problem,
        problem,
        count,
        gateway_id=lambda n: gateway_id + n,
        reference=lambda n: cast(gateway_id + n, Text),
    )
    into(tables.lane, lane.id, count, problem_id=lambda n: problem - 1 + n)
    into(
        tables.message,
        message_id,
        count,
        lane_id=lambda n: lane.id - 1 + n,
        uuid=lambda n: cast(gateway_id + n, Text),
    )


def multiply_timers(uow: UnitOfWork, timer: Timer, count: int) -> None:
    """Set a timer so many times, each a minute before the one that was set before it."""
    TimerRepository(uow).add(timer)
    first = uow.connection.execute(select(tables.timer)).one()
    earlier = partial(func.make_interval, 0, 0, 0, 0, 0)
    copy(uow.connection, tables.timer, first.id, count, due_at=lambda n: first.due_at - earlier(n))


def rows_read(uow: UnitOfWork) -> int:
    """Return how many rows of these tables this transaction has read so far."""
    query = (
        "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables"
        f" WHERE relname IN ({TABLES})"
    )
    return int(uow.connection.execute(text(query)).scalar_one())


def rows_read_by(store: Store, work: Callable[[UnitOfWork], None]) -> dict[Any, int]:
    """Return how many rows `work` reads with each kind of statistics; nothing of it stays."""
    read = {}

    def measured(uow: UnitOfWork, seen: tuple[int, int] | None) -> None:
        if seen:
            uow.connection.execute(text(SEEN.format(*seen, TABLES)))
        before = rows_read(uow)
        work(uow)
        read[seen] = rows_read(uow) - before
        raise Undone

    for seen in (None, NOT_SEEN, EMPTY, ONE_ROW):
        with pytest.raises(Undone):
            store.write(partial(measured, seen=seen))
    return read


@pytest.mark.parametrize("analyzed", [False, True])
def test_no_more_of_a_long_queue_is_read_than_leaves(
    store: Store, outbox: Outbox, clock: ManualMachineClock, *, analyzed: bool
) -> None:
    worker, attempt = LaneWorker(store, clock, "a"), Attempt(clock.now(), "tested", 204, 12, "204")
    # What the statistics say, if there are any: that nothing is queued.
    old = outbox.problem(1)
    (claim,) = worker.claim()
    worker.complete(claim, claim.message)
    store.write(lambda uow: multiply(uow, outbox.lane(old), claim.message.id, MANY))
    if analyzed:
        store.write(lambda uow: uow.connection.execute(text("ANALYZE")))
    new = outbox.problem(1)
    message_id = outbox.messages(new)[0].id
    store.write(lambda uow: multiply(uow, outbox.lane(new), message_id, MANY))

    def deliver(uow: UnitOfWork) -> None:
        lanes = LaneRepository(uow)
        claims = worker.claim_in(uow, limit=FEW)
        assert len(claims) == FEW
        locked = lanes.lock_claimed(claims)
        lanes.record([AttemptRecord(claim.message, attempt, TAKEN) for claim in claims])
        lanes.proceed([LaneStep(claim) for claim in claims], locked.rows, clock.now())

    read = rows_read_by(store, deliver)
    assert max(read.values()) < 20 * FEW, read


def test_the_first_lane_is_found_among_many_that_are_due_while_some_are_held(
    store: Store, outbox: Outbox, clock: ManualMachineClock
) -> None:
    due = outbox.problem(1)
    message_id = outbox.messages(due)[0].id
    store.write(lambda uow: multiply(uow, outbox.lane(due), message_id, MANY))
    held = HeldUp(tenants=frozenset({"OTHER"}), problems=frozenset({due}))

    def look(uow: UnitOfWork) -> None:
        assert LaneRepository(uow).next_due(DESTINATION, held) == clock.now()

    read = rows_read_by(store, look)
    assert max(read.values()) < FEW, read


def test_no_more_of_many_timers_is_read_than_are_run(
    store: Store, outbox: Outbox, clock: ManualMachineClock
) -> None:
    timer = Timer(outbox.problem(), outbox.tenant, "closure", clock.now())
    store.write(lambda uow: multiply_timers(uow, timer, MANY))
    first = clock.now() - timedelta(minutes=MANY + 1)

    def look(uow: UnitOfWork) -> None:
        timers = TimerRepository(uow)
        assert timers.next_due({}, {timer.kind}) == first
        found = timers.due(clock.now(), {}, FEW, {timer.kind})
        assert [each.due_at for each in found] == [
            first + timedelta(minutes=number) for number in range(FEW)
        ]

    read = rows_read_by(store, look)
    assert max(read.values()) < 3 * FEW, read
