"""Pauses of delivery: by the circuit breaker, by Retry-After, and by operators."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, UnitOfWork
from supplier_api.delivery.circuit_breaker import BreakerRules
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.outbox.pauses import Pause, PauseCause, PauseRepository, Scope
from tests.integration.delivery.conftest import (
    BUSY,
    CONFLICT,
    LOST,
    NOT_FOUND,
    PATIENCE,
    REFUSED,
    TAKEN,
    FakeTransport,
    Round,
    RoundMaker,
)
from tests.outbox import DESTINATION, Outbox

# Small numbers; a window that no wait between attempts outlasts.
RULES = BreakerRules(window=1e9, calls=6, lanes=5, probe_after=30, probe_after_max=100, spread=60)
LATER = Reply(Meaning.FAILED, "429", 429, retry_after=900)
FAILING = 6
ALL = 1000  # replies


@pytest.fixture
def round_(make_round: RoundMaker) -> Round:
    return make_round(threads=16, rules=RULES)


Operator = Callable[..., Callable[[], None]]


@pytest.fixture
def pause(store: Store, clock: ManualMachineClock) -> Operator:
    """Return a function that pauses; it returns one that resumes."""

    def begin(scope: Scope) -> Callable[[], None]:
        now = clock.now()

        def work(uow: UnitOfWork) -> int:
            PauseRepository(uow).begin(PauseCause.OPERATOR, scope, reason="r", who="me", since=now)
            return PauseRepository(uow).active(now)[-1].id

        pause_id = store.write(work)

        def end() -> None:
            assert store.write(lambda uow: PauseRepository(uow).end(pause_id, clock.now()))

        return end

    return begin


def active_pauses(store: Store, clock: ManualMachineClock) -> list[Pause]:
    return store.read(lambda uow: PauseRepository(uow).active(clock.now()))


def break_down(
    outbox: Outbox, transport: FakeTransport, round_: Round, reply: Reply = BUSY
) -> list[int]:
    """Let so many problems fail that the breaker opens; return them."""
    problems = [outbox.problem(1) for _ in range(FAILING)]
    for problem in problems:
        transport.reply_with(problem, *[reply] * ALL)
    round_.turn()
    return problems


def recover(transport: FakeTransport) -> None:
    """Let everything be accepted from now on."""
    transport.replies.clear()


# -- the breaker


def test_the_breaker_opens_on_many_failing_problems_and_nothing_leaves_any_more(
    outbox: Outbox,
    transport: FakeTransport,
    round_: Round,
    store: Store,
    clock: ManualMachineClock,
) -> None:
    with capture_logs() as logs:
        break_down(outbox, transport, round_)
    (breaker,) = active_pauses(store, clock)
    assert (breaker.cause, breaker.scope) == (PauseCause.BREAKER, Scope(DESTINATION))
    assert breaker.reason == "6 of 6 problems failed last"
    assert [line["share"] for line in logs if line["event"] == "breaker.warning"] == [0.7]
    (opened,) = (line for line in logs if line["event"] == "breaker.opened")
    assert (opened["log_level"], opened["reason"]) == ("warning", breaker.reason)

    other = outbox.problem(1)
    clock.advance(29)
    sent = len(transport.sent)
    round_.turn()
    assert len(transport.sent) == sent
    assert outbox.states(other) == ["queued"]


def test_few_problems_that_fail_often_open_nothing(
    outbox: Outbox, transport: FakeTransport, round_: Round, store: Store, clock: ManualMachineClock
) -> None:
    problems = [outbox.problem(1) for _ in range(RULES.lanes - 1)]
    for problem in problems:
        transport.reply_with(problem, *[BUSY] * ALL)
    for _ in range(4):
        round_.turn()
        clock.advance(600)
    assert len(transport.sent) > RULES.calls
    assert active_pauses(store, clock) == []


def test_while_it_is_open_one_problem_is_tried_at_a_time_each_time_another(
    outbox: Outbox,
    transport: FakeTransport,
    round_: Round,
    make_round: RoundMaker,
    clock: ManualMachineClock,
) -> None:
    problems = break_down(outbox, transport, round_)
    other = make_round(threads=16, rules=RULES)
    tried: list[int] = []
    for wait in (30, 60, 100, 100, 100, 100):
        transport.sent.clear()
        clock.advance(wait - 1)
        round_.turn()
        other.turn()
        assert transport.sent == []
        clock.advance(1)
        for each in (round_, other, round_, other):
            each.turn()
        assert len(transport.sent) == 1
        tried.append(transport.sent[0][0])
    assert sorted(tried) == sorted(problems)


def test_each_try_goes_by_a_new_connection(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker, clock: ManualMachineClock
) -> None:
    renewed: list[int] = []
    round_ = make_round(
        threads=16, rules=RULES, before_probe=lambda: renewed.append(len(transport.sent))
    )
    break_down(outbox, transport, round_)
    assert renewed == []
    sent = len(transport.sent)
    for wait in (30, 60):
        clock.advance(wait)
        round_.turn()
    assert renewed == [sent, sent + 1]


def test_a_try_that_fails_is_no_attempt(
    outbox: Outbox, transport: FakeTransport, round_: Round, clock: ManualMachineClock
) -> None:
    problems = break_down(outbox, transport, round_, LOST)
    before = {problem: outbox.messages(problem)[0] for problem in problems}
    due = {problem: outbox.lane(problem).due_at for problem in problems}
    transport.sent.clear()
    clock.advance(30)
    with capture_logs() as logs:
        round_.turn()

    (tried, _), *more = transport.sent
    assert not more
    (after,) = outbox.messages(tried)
    assert (after.attempts, after.first_attempt) == (
        before[tried].attempts,
        before[tried].first_attempt,
    )
    assert after.unknown
    assert after.log[-1]["outcome"] == "probe"
    lane = outbox.lane(tried)
    assert (lane.lease_owner, lane.due_at) == (None, max(due[tried], clock.now()))
    assert [(line["event"], line["next_in"]) for line in logs if "next_in" in line] == [
        ("breaker.probe-failed", 60)
    ]


def test_a_conflict_after_a_try_of_unknown_outcome_means_delivered(
    outbox: Outbox, transport: FakeTransport, round_: Round, clock: ManualMachineClock
) -> None:
    break_down(outbox, transport, round_, Reply(Meaning.FAILED, "500", 500))
    clock.advance(30)
    transport.sent.clear()
    recover(transport)
    for problem in range(1, FAILING + 1):
        transport.reply_with(problem, LOST, CONFLICT)
    round_.turn()
    ((tried, _),) = transport.sent
    assert outbox.states(tried) == ["queued"]
    # The others are tried first.
    for _ in range(FAILING):
        clock.advance(100)
        round_.turn()
    assert outbox.states(tried) == ["delivered"]


def test_a_success_closes_it_and_the_others_follow_within_a_minute(
    outbox: Outbox,
    transport: FakeTransport,
    round_: Round,
    make_round: RoundMaker,
    store: Store,
    clock: ManualMachineClock,
) -> None:
    # So that many wait for long when the breaker opens.
    other = make_round(threads=16)
    for _ in range(20):
        problem = outbox.problem(1)
        transport.reply_with(problem, Reply(Meaning.FAILED, "500", 500, retry_after=3600))
        outbox.problem(1)
        other.turn()
    break_down(outbox, transport, round_)
    assert active_pauses(store, clock)
    recover(transport)
    clock.advance(30)
    with capture_logs() as logs:
        round_.turn()
    assert "breaker.closed" in [line["event"] for line in logs]
    assert active_pauses(store, clock) == []
    lanes = [outbox.lane(problem) for problem in range(1, 41 + FAILING)]
    due = [lane.due_at for lane in lanes if lane.due_at is not None]
    assert len(due) >= 19
    assert max(due) <= clock.now() + timedelta(seconds=60)
    assert len({moment for moment in due if moment > clock.now()}) >= 19

    clock.advance(60)
    for _ in range(10):
        round_.turn()
    assert all(outbox.states(problem) == ["delivered"] for problem in range(1, 41 + FAILING))


def test_a_worker_that_dies_over_a_try_lets_another_try(
    outbox: Outbox,
    transport: FakeTransport,
    round_: Round,
    make_round: RoundMaker,
    store: Store,
    clock: ManualMachineClock,
) -> None:
    break_down(outbox, transport, round_)
    clock.advance(30)
    (breaker,) = active_pauses(store, clock)
    dead = clock.now() + timedelta(seconds=45)
    lane = outbox.lane(1).id
    assert store.write(
        lambda uow: PauseRepository(uow).take_probe(breaker.id, lane, "dead", clock.now(), dead)
    )
    recover(transport)
    transport.sent.clear()
    other = make_round(threads=16, rules=RULES)
    other.turn()
    assert transport.sent == []
    clock.advance(45)
    other.turn()
    assert len(transport.sent) >= 1
    assert active_pauses(store, clock) == []


def test_a_try_that_was_not_sent_leaves_its_problem_due_when_it_was(
    outbox: Outbox, transport: FakeTransport, round_: Round, clock: ManualMachineClock
) -> None:
    problems = [outbox.problem(1) for _ in range(RULES.lanes - 1)]
    for problem in problems:
        transport.reply_with(problem, *[BUSY] * ALL)
    for wait in (5, 30, 1):
        round_.turn()
        clock.advance(wait)
    transport.reply_with(outbox.problem(1), *[BUSY] * ALL)
    round_.turn()
    clock.advance(30)
    before, sent = [outbox.lane(problem) for problem in problems], len(transport.sent)
    # Told to stop in the middle of a turn: the probe is claimed, and no thread takes it any more.
    round_.dispatcher.give_back(PATIENCE)
    round_.turn()
    after = [outbox.lane(problem) for problem in problems]

    assert len(transport.sent) == sent
    assert [lane.claim_no for lane in after] == [before[0].claim_no + 1] + [
        lane.claim_no for lane in before[1:]
    ]
    assert all(lane.due_at > clock.now() for lane in before)
    assert [(lane.due_at, lane.attempts) for lane in after] == [
        (lane.due_at, lane.attempts) for lane in before
    ]
    assert all(lane.lease_owner is None for lane in after)


def test_only_one_worker_opens_it(store: Store, clock: ManualMachineClock) -> None:
    for who in ("one", "two"):
        store.write(
            lambda uow, who=who: PauseRepository(uow).open_breaker(  # type: ignore[misc]
                DESTINATION, reason="r", who=who, now=clock.now(), probe_at=clock.now()
            )
        )
    (breaker,) = active_pauses(store, clock)
    assert breaker.who == "one"


# -- refused for good, one after the other


@pytest.mark.parametrize("reply", [REFUSED, NOT_FOUND])
def test_the_fifth_refusal_in_a_row_opens_it_instead_of_parking(
    outbox: Outbox,
    transport: FakeTransport,
    make_round: RoundMaker,
    store: Store,
    clock: ManualMachineClock,
    reply: Reply,
) -> None:
    round_ = make_round(threads=4, rules=RULES)
    problems = [outbox.problem(1, 2) for _ in range(12)]
    for problem in problems:
        transport.reply_with(problem, *[reply] * ALL)
    for _ in range(5):
        round_.turn()
    states = [outbox.states(problem)[0] for problem in problems]
    assert (states.count("refused"), states.count("queued")) == (RULES.lanes - 1, 8)
    (breaker,) = active_pauses(store, clock)
    assert breaker.reason == "5 problems in a row were refused for good"
    # A try that is refused too parks nothing either.
    clock.advance(30)
    round_.turn()
    states = [outbox.states(problem)[0] for problem in problems]
    assert states.count("refused") == RULES.lanes - 1

    recover(transport)
    clock.advance(60)
    for _ in range(5):
        round_.turn()
    assert active_pauses(store, clock) == []
    assert [outbox.states(problem) for problem in problems].count(["delivered"] * 2) == 8


def test_where_tenants_stand_apart_refusals_of_one_hold_up_that_one_alone(
    outbox: Outbox,
    transport: FakeTransport,
    make_round: RoundMaker,
    store: Store,
    clock: ManualMachineClock,
) -> None:
    round_ = make_round(threads=4, rules=replace(RULES, tenants_apart=True))
    problems = [outbox.problem(1) for _ in range(12)]
    for problem in problems:
        transport.reply_with(problem, *[REFUSED] * ALL)
    for _ in range(5):
        round_.turn()
    for wait in (30, 60):
        (held,) = active_pauses(store, clock)
        assert (held.scope, held.probe) == (Scope(DESTINATION, "TENANT1"), None)
        assert held.until == clock.now() + timedelta(seconds=wait)
        outbox.tenant = "TENANT2"
        other = outbox.problem(1)
        round_.turn()
        assert outbox.states(other) == ["delivered"]
        clock.advance(wait)
        round_.turn()
        round_.turn()
    states = [outbox.states(problem)[0] for problem in problems]
    assert (states.count("refused"), states.count("queued")) == (RULES.lanes - 1, 8)

    recover(transport)
    clock.advance(100)
    for _ in range(5):
        round_.turn()
    assert active_pauses(store, clock) == []
    assert [outbox.states(problem) for problem in problems].count(["delivered"]) == 8


def test_a_try_is_not_wasted_on_whom_was_refused(
    outbox: Outbox,
    transport: FakeTransport,
    make_round: RoundMaker,
    store: Store,
    clock: ManualMachineClock,
) -> None:
    round_ = make_round(threads=4, rules=RULES)
    for _ in range(12):
        transport.reply_with(outbox.problem(1), *[REFUSED] * ALL)
    for _ in range(5):
        round_.turn()
    assert [pause.scope for pause in active_pauses(store, clock)] == [Scope(DESTINATION)]
    outbox.tenant = "TENANT2"
    other = outbox.problem(1)
    clock.advance(30)
    round_.turn()
    assert outbox.states(other) == ["delivered"]
    assert active_pauses(store, clock) == []


def test_refusals_with_a_success_between_open_nothing(
    outbox: Outbox, transport: FakeTransport, round_: Round, store: Store, clock: ManualMachineClock
) -> None:
    for serial in range(8):
        problem = outbox.problem(1)
        transport.reply_with(problem, REFUSED if serial != 3 else TAKEN)
        round_.turn()
    assert active_pauses(store, clock) == []


def test_one_problem_refused_again_and_again_opens_nothing(
    outbox: Outbox,
    transport: FakeTransport,
    make_round: RoundMaker,
    store: Store,
    clock: ManualMachineClock,
) -> None:
    problem = outbox.problem(*range(1, 9))
    transport.reply_with(problem, *[REFUSED] * 8)
    make_round(rules=RULES, pass_dead_letters=True).turn()
    assert outbox.states(problem) == ["refused"] * 8
    assert active_pauses(store, clock) == []


# -- the destination asks for time


@pytest.mark.parametrize(
    "reply",
    [
        LATER,
        Reply(Meaning.FAILED, "503", 503, unknown=True, retry_after=900),
        # Of an adapter that does not speak HTTP.
        Reply(Meaning.FAILED, "the table is locked", unknown=True, retry_after=900),
    ],
)
def test_five_problems_put_off_pause_the_destination_for_that_time(
    outbox: Outbox,
    transport: FakeTransport,
    round_: Round,
    store: Store,
    clock: ManualMachineClock,
    reply: Reply,
) -> None:
    problems = [outbox.problem(1) for _ in range(5)]
    for problem in problems:
        transport.reply_with(problem, reply)
    round_.turn()
    (asked,) = active_pauses(store, clock)
    assert (asked.cause, asked.scope) == (PauseCause.ASKED, Scope(DESTINATION))
    assert asked.until == clock.now() + timedelta(seconds=900)
    attempts = [outbox.messages(problem)[0].attempts for problem in problems]
    assert sorted(attempts) == [0, 1, 1, 1, 1]

    other = outbox.problem(1)
    clock.advance(899)
    round_.turn()
    assert outbox.states(other) == ["queued"]
    clock.advance(1)
    for _ in range(3):
        round_.turn()
    assert outbox.states(other) == ["delivered"]
    assert all(outbox.states(problem) == ["delivered"] for problem in problems)


def test_four_problems_put_off_pause_nothing(
    outbox: Outbox, transport: FakeTransport, round_: Round, store: Store, clock: ManualMachineClock
) -> None:
    for _ in range(4):
        transport.reply_with(outbox.problem(1), LATER)
    transport.reply_with(outbox.problem(1), BUSY)
    round_.turn()
    assert active_pauses(store, clock) == []


def test_no_longer_than_is_reasonable(
    outbox: Outbox, transport: FakeTransport, round_: Round, store: Store, clock: ManualMachineClock
) -> None:
    for _ in range(5):
        transport.reply_with(outbox.problem(1), Reply(Meaning.FAILED, "429", 429, retry_after=1e6))
    round_.turn()
    (asked,) = active_pauses(store, clock)
    assert asked.until == clock.now() + timedelta(hours=1)


# -- operators


def test_a_pause_of_a_destination_stops_it_and_no_other(
    outbox: Outbox, transport: FakeTransport, round_: Round, pause: Operator
) -> None:
    end = pause(Scope(DESTINATION))
    pause(Scope("back-office"))()
    problem = outbox.problem(1)
    round_.turn()
    assert (transport.sent, outbox.states(problem)) == ([], ["queued"])
    (message,) = outbox.messages(problem)
    assert (message.attempts, message.log, message.first_attempt) == (0, [], None)
    pause(Scope("back-office"))
    end()
    round_.turn()
    assert outbox.states(problem) == ["delivered"]


def test_a_pause_of_everything_stops_every_destination(
    outbox: Outbox, transport: FakeTransport, round_: Round, pause: Operator
) -> None:
    pause(Scope())
    outbox.problem(1)
    round_.turn()
    assert transport.sent == []


def test_a_pause_of_a_problem_holds_up_no_other(
    outbox: Outbox, round_: Round, pause: Operator
) -> None:
    held, other = outbox.problem(1), outbox.problem(1)
    end = pause(Scope(None, "TENANT1", held))
    round_.turn()
    # There is nothing to look for before somebody says so.
    assert round_.turn() == 5.0
    assert (outbox.states(held), outbox.states(other)) == (["queued"], ["delivered"])
    end()
    round_.turn()
    assert outbox.states(held) == ["delivered"]


def test_a_pause_of_a_tenant_holds_up_no_other(
    outbox: Outbox, transport: FakeTransport, round_: Round, pause: Operator
) -> None:
    pause(Scope(None, "TENANT2"))
    end = pause(Scope(DESTINATION, "TENANT1"))
    problem = outbox.problem(1)
    round_.turn()
    assert transport.sent == []
    end()
    round_.turn()
    assert outbox.states(problem) == ["delivered"]


def test_a_lane_that_is_being_sent_stops_before_its_next_message(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker, pause: Operator
) -> None:
    round_ = make_round(threads=1)
    sending, waiting = outbox.problem(1, 2), outbox.problem(1)
    transport.hold_up(sending)
    round_.dispatcher.turn()
    assert transport.entered.acquire(timeout=PATIENCE)
    assert outbox.lane(waiting).lease_owner == "worker"
    end = pause(Scope(DESTINATION))
    round_.dispatcher.turn()
    # Nobody has begun that one: others may have it, as soon as it goes on.
    assert outbox.lane(waiting).lease_owner is None
    transport.let_go.set()
    assert round_.dispatcher.finish(PATIENCE)
    assert transport.sent == [(sending, 1)]
    assert outbox.states(sending) == ["delivered", "queued"]
    assert outbox.lane(sending).lease_owner is None
    end()
    round_.turn()
    round_.turn()
    assert outbox.states(sending) == ["delivered", "delivered"]
    assert outbox.states(waiting) == ["delivered"]


def test_a_lane_given_back_is_no_fresher_for_it(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker, clock: ManualMachineClock
) -> None:
    round_ = make_round(threads=1)
    first, failed = outbox.problem(1), outbox.problem(1)
    transport.reply_with(failed, BUSY)
    round_.turn()
    round_.turn()
    clock.advance(5)
    outbox.queue(first, 2)
    transport.hold_up(first)
    round_.dispatcher.turn()
    assert transport.entered.acquire(timeout=PATIENCE)
    round_.dispatcher.give_back(PATIENCE)
    assert outbox.lane(failed).attempts == 1


# -- age


def test_an_age_does_not_run_on_while_the_message_may_not_leave(
    outbox: Outbox,
    transport: FakeTransport,
    round_: Round,
    pause: Operator,
    clock: ManualMachineClock,
) -> None:
    old = outbox.problem(1)
    transport.reply_with(old, *[BUSY] * ALL)
    round_.turn()
    end = pause(Scope(None, "TENANT1", old))
    clock.advance(70 * 3600)
    end()

    def try_again() -> None:
        outbox.problem(1)
        round_.turn()

    clock.advance(3 * 3600)
    try_again()
    try_again()
    assert outbox.states(old) == ["queued"]
    for _ in range(35):
        clock.advance(2 * 3600)
        try_again()
        try_again()
    assert outbox.states(old) == ["expired"]


def test_a_pause_of_somebody_else_makes_nothing_younger(
    outbox: Outbox,
    transport: FakeTransport,
    round_: Round,
    pause: Operator,
    clock: ManualMachineClock,
) -> None:
    old, other = outbox.problem(1), outbox.problem(1)
    transport.reply_with(old, *[BUSY] * ALL)
    round_.turn()
    pause(Scope("back-office"))
    pause(Scope(None, "TENANT2"))
    pause(Scope(None, "TENANT1", other))
    clock.advance(73 * 3600)
    outbox.problem(1)
    round_.turn()
    clock.advance(3600)
    round_.turn()
    assert outbox.states(old) == ["expired"]
