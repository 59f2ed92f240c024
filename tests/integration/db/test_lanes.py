"""Lanes on both engines: order, claims, fences, and what is due when."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, UnitOfWork, tables
from supplier_api.outbox.model import (
    BODY_VERSION,
    Claim,
    Fenced,
    LaneStep,
    MessageState,
)
from supplier_api.outbox.repository import LaneRepository
from tests.outbox import DESTINATION, LEASE, LaneWorker, Outbox, proceed

NOW = ManualMachineClock().now()
# On SQLite one transaction writes at a time: there is nothing to pass over.
on_postgresql = pytest.mark.parametrize("upgraded_url", ["emptied_postgresql"], indirect=True)
TAKEN = MessageState.DELIVERED
LATER = MessageState.QUEUED


@pytest.fixture
def one(store: Store, clock: ManualMachineClock) -> LaneWorker:
    return LaneWorker(store, clock, "worker-1")


@pytest.fixture
def two(store: Store, clock: ManualMachineClock) -> LaneWorker:
    return LaneWorker(store, clock, "worker-2")


def due(store: Store) -> datetime | None:
    return store.read(lambda uow: LaneRepository(uow).next_due(DESTINATION))


def test_an_idle_lane_is_not_due(store: Store, outbox: Outbox, one: LaneWorker) -> None:
    outbox.problem()

    assert due(store) is None
    assert one.claim() == []


def test_an_unknown_lane_is_an_error(store: Store) -> None:
    with pytest.raises(LookupError):
        store.write(lambda uow: LaneRepository(uow).lock(4711, DESTINATION))


def test_messages_leave_in_the_order_of_their_numbers_under_one_claim(
    outbox: Outbox, one: LaneWorker
) -> None:
    problem = outbox.problem(1, 2, 3)
    (claim,) = one.claim()
    sent, message = [], claim.message
    for _ in range(3):
        sent.append(message.number)
        following = one.complete(claim, message)
        message = following or message

    assert sent == [1, 2, 3]
    assert outbox.states(problem) == ["delivered"] * 3
    assert outbox.lane(problem).due_at is None
    assert outbox.lane(problem).lease_owner is None


def test_a_claimed_lane_is_nobody_elses_until_its_lease_ends(
    outbox: Outbox, one: LaneWorker, two: LaneWorker, clock: ManualMachineClock
) -> None:
    outbox.problem(1)
    assert len(one.claim()) == 1
    clock.advance(44.9)
    assert two.claim() == []
    clock.advance(0.1)
    assert len(two.claim()) == 1


@on_postgresql
def test_while_one_worker_claims_another_passes_over_its_lanes(
    store: Store, outbox: Outbox, one: LaneWorker, two: LaneWorker
) -> None:
    first, second = outbox.problem(1), outbox.problem(1)

    def work(uow: UnitOfWork) -> None:
        mine = {claim.problem_id for claim in one.claim_in(uow, limit=1)}
        others = {claim.problem_id for claim in two.claim()}
        assert mine | others == {first, second}
        assert not mine & others

    store.write(work)


@on_postgresql
def test_a_locked_lane_is_passed_over(store: Store, outbox: Outbox, one: LaneWorker) -> None:
    problem = outbox.problem(1)

    def work(uow: UnitOfWork) -> list[Claim]:
        LaneRepository(uow).lock(problem, DESTINATION)
        return one.claim()

    assert store.write(work) == []
    assert len(one.claim()) == 1


Deed = Callable[[UnitOfWork, Claim], object]


def move_on(uow: UnitOfWork, claim: Claim, *, parks: bool = False) -> None:
    """Move a lane on as if it had been locked under the claim."""
    row = LaneRepository(uow).lock(claim.problem_id, DESTINATION)
    LaneRepository(uow).proceed([LaneStep(claim, parks=parks)], {row.id: row}, NOW)


DEEDS: dict[str, Deed] = {
    "settle": move_on,
    "renew": lambda uow, claim: LaneRepository(uow).renew(claim, NOW),
    "release": lambda uow, claim: LaneRepository(uow).release(claim, NOW),
    "hold": lambda uow, claim: proceed(uow, claim, NOW),
    "park": lambda uow, claim: move_on(uow, claim, parks=True),
}


@pytest.mark.parametrize("action", DEEDS.values(), ids=DEEDS)
def test_a_worker_that_lost_its_lane_writes_nothing(
    store: Store,
    outbox: Outbox,
    one: LaneWorker,
    two: LaneWorker,
    clock: ManualMachineClock,
    action: Deed,
) -> None:
    problem = outbox.problem(1)
    (mine,) = one.claim()
    clock.advance(46)
    two.claim()
    lane, messages = outbox.lane(problem), outbox.messages(problem)

    with pytest.raises(Fenced):
        store.write(lambda uow: action(uow, mine))

    assert outbox.lane(problem) == lane
    assert outbox.messages(problem) == messages


@pytest.mark.parametrize("waiting", [True, False])
def test_a_lane_that_was_lost_is_not_among_the_locked(
    store: Store,
    outbox: Outbox,
    one: LaneWorker,
    two: LaneWorker,
    clock: ManualMachineClock,
    *,
    waiting: bool,
) -> None:
    outbox.problem(1)
    (lost,) = one.claim()
    clock.advance(46)
    two.claim()
    outbox.problem(1)
    (mine,) = one.claim()

    locked = store.write(
        lambda uow: LaneRepository(uow).lock_claimed([lost, mine], waiting=waiting)
    )

    assert locked.lost == {lost.lane_id}
    assert locked.rows.keys() == {mine.lane_id}


def test_an_attempt_is_written_down_once(outbox: Outbox, one: LaneWorker) -> None:
    outbox.problem(1, 2)
    (claim,) = one.claim()
    one.complete(claim, claim.message)

    with pytest.raises(Fenced):
        one.complete(claim, claim.message)


def test_a_message_of_a_dead_worker_may_have_arrived(
    outbox: Outbox, one: LaneWorker, two: LaneWorker, clock: ManualMachineClock
) -> None:
    problem = outbox.problem(1, 2)
    (lost,) = one.claim()
    assert not lost.message.unknown
    clock.advance(46)
    (taken_over,) = two.claim()

    assert taken_over.message.unknown
    assert taken_over.message.log[0]["detail"] == "taken over from worker-1"
    assert [message.unknown for message in outbox.messages(problem)] == [True, False]


def test_a_lane_that_was_given_back_is_due_and_nothing_is_unknown(
    store: Store, outbox: Outbox, one: LaneWorker, two: LaneWorker, clock: ManualMachineClock
) -> None:
    outbox.problem(1)
    (claim,) = one.claim()
    store.write(lambda uow: LaneRepository(uow).release(claim, clock.now()))
    (again,) = two.claim()

    assert not again.message.unknown
    assert again.claim_no == claim.claim_no + 1


def test_renewing_prolongs_the_lease(
    store: Store, outbox: Outbox, one: LaneWorker, two: LaneWorker, clock: ManualMachineClock
) -> None:
    outbox.problem(1)
    (claim,) = one.claim()
    clock.advance(40)
    store.write(lambda uow: LaneRepository(uow).renew(claim, clock.now() + LEASE))
    clock.advance(40)

    assert two.claim() == []


def test_a_failed_message_waits_and_holds_back_those_behind_it(
    store: Store, outbox: Outbox, one: LaneWorker, clock: ManualMachineClock
) -> None:
    problem = outbox.problem(1, 2)
    (claim,) = one.claim()
    one.fail(claim, retry_in=30)
    outbox.queue(problem, 3)

    assert due(store) == clock.now() + timedelta(seconds=30)
    assert one.claim() == []
    clock.advance(30)
    (again,) = one.claim()
    assert (again.message.number, again.message.attempts, again.attempts) == (1, 1, 1)
    first, *behind = outbox.messages(problem)
    assert (first.attempts, first.unknown) == (1, True)
    assert all(message.attempts == 0 and message.log == [] for message in behind)


def test_what_was_delivered_is_kept_with_time_attempt_and_digest(
    outbox: Outbox, one: LaneWorker, clock: ManualMachineClock
) -> None:
    problem = outbox.problem(1)
    (claim,) = one.claim()
    one.fail(claim)
    clock.advance(5)
    (claim,) = one.claim()
    one.complete(claim, claim.message)
    (message,) = outbox.messages(problem)

    assert message.digest == "sha256:0"
    assert message.settled == clock.now()
    assert message.first_attempt == clock.now() - timedelta(seconds=5)
    assert message.log[1] == {
        "at": clock.now().isoformat(),
        "outcome": "tested",
        "status": 204,
        "ms": 12,
        "detail": "204",
    }


def test_nothing_overtakes_its_not_before(
    store: Store, outbox: Outbox, one: LaneWorker, clock: ManualMachineClock
) -> None:
    moment = clock.now() + timedelta(milliseconds=250)
    outbox.queue(outbox.problem(), 1, not_before=moment)

    assert due(store) == moment
    assert one.claim() == []
    clock.advance(0.25)
    assert len(one.claim()) == 1


def test_within_a_claim_too_a_message_waits_for_its_not_before(
    store: Store, outbox: Outbox, one: LaneWorker, clock: ManualMachineClock
) -> None:
    problem = outbox.problem(1)
    (claim,) = one.claim()
    moment = clock.now() + timedelta(milliseconds=250)
    outbox.queue(problem, 2, not_before=moment)

    assert one.complete(claim, claim.message) is None
    assert due(store) == moment


def test_a_request_of_the_gateway_holds_back_what_is_queued_already(
    store: Store, outbox: Outbox, one: LaneWorker, clock: ManualMachineClock
) -> None:
    problem = outbox.problem(1)
    moment = clock.now() + timedelta(milliseconds=250)
    outbox.hold_until(problem, moment)

    assert one.claim() == []
    clock.advance(0.25)
    (claim,) = one.claim()
    outbox.queue(problem, 2)
    outbox.hold_until(problem, clock.now() + timedelta(milliseconds=250))
    assert one.complete(claim, claim.message) is None
    assert due(store) == clock.now() + timedelta(milliseconds=250)


def test_a_request_does_not_bring_a_waiting_lane_forward(
    store: Store, outbox: Outbox, one: LaneWorker, clock: ManualMachineClock
) -> None:
    problem = outbox.problem(1)
    (claim,) = one.claim()
    one.fail(claim, retry_in=600)
    outbox.hold_until(problem, clock.now() + timedelta(milliseconds=250))

    assert due(store) == clock.now() + timedelta(seconds=600)


def test_a_message_that_comes_while_the_lane_is_sent_is_not_forgotten(
    outbox: Outbox, one: LaneWorker
) -> None:
    problem = outbox.problem(1)
    (claim,) = one.claim()
    outbox.queue(problem, 2)
    following = one.complete(claim, claim.message)

    assert following is not None
    assert following.number == 2


def test_a_dead_letter_parks_its_lane_and_no_other(
    store: Store, outbox: Outbox, one: LaneWorker
) -> None:
    parked, other = outbox.problem(1, 2), outbox.problem(1)
    claims = {claim.problem_id: claim for claim in one.claim()}
    claim = claims[parked]
    assert one.complete(claim, claim.message, MessageState.REFUSED, park=True) is None
    outbox.queue(parked, 3)

    assert outbox.states(parked) == ["refused", "queued", "queued"]
    assert not outbox.idle(parked)
    assert one.complete(claims[other], claims[other].message) is None
    assert due(store) is None


def test_a_lane_whose_dead_letter_others_pass_is_idle_behind_them(
    outbox: Outbox, one: LaneWorker
) -> None:
    problem = outbox.problem(1, 2)
    (claim,) = one.claim()
    following = one.complete(claim, claim.message, MessageState.REFUSED)

    assert following is not None
    assert following.number == 2
    assert not outbox.idle(problem)
    one.complete(claim, following)
    assert outbox.idle(problem)


def test_a_lane_is_not_idle_while_its_message_is_sent(outbox: Outbox, one: LaneWorker) -> None:
    problem = outbox.problem(1)
    assert not outbox.idle(problem)
    (claim,) = one.claim()
    assert not outbox.idle(problem)
    one.complete(claim, claim.message)
    assert outbox.idle(problem)


def test_fresh_lanes_come_first_and_failed_ones_are_limited(
    outbox: Outbox, one: LaneWorker, clock: ManualMachineClock
) -> None:
    failed = [outbox.problem(1) for _ in range(3)]
    for claim in one.claim():
        one.fail(claim)
    clock.advance(60)
    fresh = [outbox.problem(1) for _ in range(2)]

    [first] = [claim.problem_id for claim in one.claim(limit=1)]
    mixed = [claim.problem_id for claim in one.claim(limit=10, failed=2)]
    # Both are due since the same moment: which of them is the first is left open.
    assert {first, mixed[0]} == set(fresh)
    assert len(mixed) == 3
    assert set(mixed[1:]) < set(failed)


def test_a_success_makes_a_failed_lane_fresh_again(
    outbox: Outbox, one: LaneWorker, clock: ManualMachineClock
) -> None:
    problem = outbox.problem(1)
    (claim,) = one.claim()
    one.fail(claim)
    assert outbox.lane(problem).attempts == 1
    clock.advance(5)
    (claim,) = one.claim()
    one.complete(claim, claim.message)

    assert outbox.lane(problem).attempts == 0


def test_the_sweep_finds_a_lost_wake_up_and_nothing_else(
    store: Store, outbox: Outbox, one: LaneWorker, clock: ManualMachineClock
) -> None:
    forgotten, idle = outbox.problem(1), outbox.problem()
    sent = outbox.problem(1)
    parked = outbox.problem(1, 2)
    lost = update(tables.lane).where(tables.lane.c.problem_id == forgotten).values(due_at=None)
    store.write(lambda uow: uow.connection.execute(lost))
    claims = {claim.problem_id: claim for claim in one.claim()}
    one.complete(claims[parked], claims[parked].message, MessageState.EXPIRED, park=True)
    one.complete(claims[sent], claims[sent].message)

    swept = store.write(lambda uow: LaneRepository(uow).sweep(clock.now()))

    assert swept == [outbox.lane(forgotten).id]
    assert [claim.problem_id for claim in one.claim()] == [forgotten]
    assert outbox.lane(idle).due_at is None


def test_a_lane_that_is_due_without_a_message_is_put_to_rest(
    store: Store, outbox: Outbox, one: LaneWorker, clock: ManualMachineClock
) -> None:
    problem = outbox.problem()
    stray = update(tables.lane).values(due_at=clock.now())
    store.write(lambda uow: uow.connection.execute(stray))

    assert one.claim() == []
    assert outbox.lane(problem).due_at is None


def test_only_what_becomes_due_now_is_announced(
    store: Store, outbox: Outbox, one: LaneWorker, clock: ManualMachineClock
) -> None:
    assert store.write(lambda uow: one.claim_in(uow) == [] and not uow.wakes_workers)
    outbox.problem(1)
    (claim,) = one.claim()

    def give_back(uow: UnitOfWork) -> bool:
        LaneRepository(uow).release(claim, clock.now())
        return uow.wakes_workers

    assert store.write(give_back)


def make_later(store: Store, problem: int, number: int) -> None:
    """Give a message a body version that only a later release knows."""
    lanes = select(tables.lane.c.id).where(tables.lane.c.problem_id == problem)
    message = tables.message
    later = update(message).where(message.c.lane_id.in_(lanes), message.c.number == number)
    store.write(lambda uow: uow.connection.execute(later.values(body_version=BODY_VERSION + 1)))


def test_a_lane_of_a_later_version_is_left_to_that(
    store: Store, outbox: Outbox, one: LaneWorker
) -> None:
    theirs, ours = outbox.problem(1), outbox.problem(1)
    make_later(store, theirs, 1)

    assert [claim.problem_id for claim in one.claim()] == [ours]
    # The later version finds it as it was.
    assert outbox.lane(theirs).claim_no == 0
    assert outbox.lane(theirs).due_at is not None


def test_a_message_of_a_later_version_behind_ours_is_not_handed_over(
    store: Store, outbox: Outbox, one: LaneWorker
) -> None:
    problem = outbox.problem(1)
    (claim,) = one.claim()
    outbox.queue(problem, 2)
    make_later(store, problem, 2)

    assert one.complete(claim, claim.message) is None
    assert outbox.states(problem) == ["delivered", "queued"]
    assert outbox.lane(problem).lease_owner is None
    assert outbox.lane(problem).due_at is not None
    assert one.claim() == []
