"""Attempts completed in one transaction: what is shared, and what affects only one of them."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import delete, event
from structlog.testing import capture_logs

from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, StoreUnavailable, UnitOfWork, tables
from supplier_api.delivery.completer import Completer
from supplier_api.delivery.flow_control import FlowControl
from supplier_api.delivery.model import Destination, Lease, Reply, Sent
from supplier_api.ids import SeededIdSource
from supplier_api.outbox.model import Claim, Message
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.repository import ProblemRepository
from tests.integration.delivery.conftest import (
    BUSY,
    PATIENCE,
    POLICY,
    REFUSED,
    TAKEN,
    FakeTransport,
    RoundMaker,
)
from tests.outbox import DESTINATION, Outbox

LEASE = 45.0
# On SQLite one transaction writes at a time: nobody else can lease a row.
on_postgresql = pytest.mark.parametrize("upgraded_url", ["emptied_postgresql"], indirect=True)


class RecordingHooks:
    """Records the delivered messages; for some problems it is not called, for some it fails."""

    def __init__(self) -> None:
        self.called: list[int] = []
        self.unconcerned: set[int] = set()
        self.failing: set[int] = set()

    def delivered(self, _uow: UnitOfWork, message: Message, _reply: Reply) -> None:
        if message.problem_id in self.failing:
            raise ValueError("MARKER")
        self.called.append(message.problem_id)

    def concerns(self, _uow: UnitOfWork, messages: Sequence[Message]) -> Collection[int]:
        return {message.problem_id for message in messages} - self.unconcerned


@pytest.fixture
def hooks() -> RecordingHooks:
    return RecordingHooks()


@pytest.fixture
def completer(
    store: Store, clock: ManualMachineClock, transport: FakeTransport, hooks: RecordingHooks
) -> Completer:
    to = Destination(
        DESTINATION, transport, POLICY, on_delivered=hooks.delivered, concerns=hooks.concerns
    )
    id_source = SeededIdSource(1)
    flow_control = FlowControl(to, store, clock, id_source, "me")
    return Completer(to, store, clock, id_source, LEASE, flow_control)


SentMaker = Callable[..., list[Sent]]


@pytest.fixture
def sent(store: Store, clock: ManualMachineClock) -> SentMaker:
    """Return a function that claims all due lanes and pretends to have sent their messages."""

    def send(reply: Reply = TAKEN) -> list[Sent]:
        now = clock.now()

        def work(uow: UnitOfWork) -> list[Claim]:
            until = now + timedelta(seconds=LEASE)
            return LaneRepository(uow).claim(DESTINATION, "me", now, until, limit=50, failed=50)

        claims = sorted(store.write(work), key=lambda claim: claim.problem_id)
        return [Sent(Lease(claim, clock.monotonic() + LEASE), reply, 3) for claim in claims]

    return send


@contextmanager
def counting(store: Store) -> Iterator[list[str]]:
    """Yield the list of commits and statements that are made while the block runs."""
    seen: list[str] = []

    def commit(_connection: object) -> None:
        seen.append("COMMIT")

    def statement(*arguments: object) -> None:
        seen.append(str(arguments[2]))

    event.listen(store.engine, "commit", commit)
    event.listen(store.engine, "before_cursor_execute", statement)
    yield seen
    event.remove(store.engine, "commit", commit)
    event.remove(store.engine, "before_cursor_execute", statement)


def test_many_lanes_are_completed_by_as_many_statements_as_one(
    store: Store, outbox: Outbox, completer: Completer, sent: SentMaker, hooks: RecordingHooks
) -> None:
    counts = []
    for lanes in (1, 7):
        problems = [outbox.problem(1, 2) for _ in range(lanes)]
        hooks.unconcerned.update(problems)
        attempts = sent()
        with counting(store) as seen:
            result = completer.complete(attempts)
        counts.append(len(seen))
        assert seen.count("COMMIT") == 1
        assert [lease.claim.message.number for lease in result.following] == [2] * lanes
        for lease in result.following:
            completer.complete([Sent(lease, TAKEN, 3)])

    assert counts[0] == counts[1]
    assert all(outbox.states(problem) == ["delivered"] * 2 for problem in problems)
    assert all(outbox.lane(problem).lease_owner is None for problem in problems)


def test_what_follows_is_claimed_for_another_lease(
    outbox: Outbox, completer: Completer, sent: SentMaker, clock: ManualMachineClock
) -> None:
    problem = outbox.problem(1, 2)
    attempts = sent()
    clock.advance(20)
    (lease,) = completer.complete(attempts).following

    assert lease.lease_ends == clock.monotonic() + LEASE
    assert outbox.lane(problem).lease_until == clock.now() + timedelta(seconds=LEASE)
    assert outbox.lane(problem).lease_owner == "me"


def test_a_lost_claim_among_them_is_left_alone(
    store: Store,
    outbox: Outbox,
    completer: Completer,
    sent: SentMaker,
    clock: ManualMachineClock,
    hooks: RecordingHooks,
) -> None:
    lost = outbox.problem(1)
    mine = sent()
    clock.advance(46)
    now = clock.now()
    store.write(
        lambda uow: LaneRepository(uow).claim(
            DESTINATION, "other", now, now + timedelta(seconds=45), limit=1, failed=1
        )
    )
    others = [outbox.problem(1) for _ in range(2)]
    # Not the monotonic end of the lease decides, but the claim's number.
    mine = [Sent(Lease(each.lease.claim, clock.monotonic() + LEASE), TAKEN, 3) for each in mine]
    with capture_logs() as logs:
        result = completer.complete([*mine, *sent()])

    assert result.again == []
    assert outbox.states(lost) == ["queued"]
    assert outbox.lane(lost).lease_owner == "other"
    assert all(outbox.states(problem) == ["delivered"] for problem in others)
    assert hooks.called == others
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["claim.lost"]


def test_an_answer_that_a_hook_rejects_fails_by_itself(
    outbox: Outbox, completer: Completer, sent: SentMaker, hooks: RecordingHooks
) -> None:
    problems = [outbox.problem(1) for _ in range(3)]
    hooks.failing.add(problems[1])
    with capture_logs():
        completer.complete(sent())

    assert [outbox.states(problem) for problem in problems] == [
        ["delivered"],
        ["queued"],
        ["delivered"],
    ]
    (failed,) = outbox.messages(problems[1])
    assert failed.log[0]["detail"] == "answer not applied: ValueError"
    assert (failed.attempts, failed.unknown) == (1, True)
    # The calls in the transaction that was rolled back do not count.
    assert {problems[0], problems[2]} == set(hooks.called)


def test_a_completed_attempt_is_not_completed_again(
    outbox: Outbox, completer: Completer, sent: SentMaker
) -> None:
    """As when it is unknown whether a commit arrived, and the transaction runs again."""
    twice, once = outbox.problem(1, 2), outbox.problem(1)
    attempts = sent()
    completer.complete(attempts[:1])
    with capture_logs() as logs:
        completer.complete(attempts)

    assert outbox.states(twice) == ["delivered", "queued"]
    assert outbox.messages(twice)[0].attempts == 1
    assert outbox.states(once) == ["delivered"]
    assert "claim.lost" in [line["event"] for line in logs]


def test_a_problem_that_is_gone_takes_only_its_own_message_with_it(
    store: Store, outbox: Outbox, completer: Completer, sent: SentMaker
) -> None:
    gone, other = outbox.problem(1), outbox.problem(1)
    attempts = sent()
    lane_id = outbox.lane(gone).id

    def remove(uow: UnitOfWork) -> None:
        for statement in (
            delete(tables.message).where(tables.message.c.lane_id == lane_id),
            delete(tables.lane).where(tables.lane.c.id == lane_id),
            delete(tables.service_problem).where(tables.service_problem.c.id == gone),
        ):
            uow.connection.execute(statement)

    store.write(remove)
    with capture_logs() as logs:
        result = completer.complete(attempts)

    assert result.again == []
    assert outbox.states(other) == ["delivered"]
    assert [line["event"] for line in logs] == ["claim.lost", "message.delivered"] or [
        line["event"] for line in logs
    ] == ["message.delivered", "claim.lost"]


@on_postgresql
@pytest.mark.parametrize("held", ["lane", "problem"])
def test_a_problem_that_others_hold_keeps_no_other_waiting(
    store: Store, outbox: Outbox, completer: Completer, sent: SentMaker, held: str
) -> None:
    locked, other = outbox.problem(1), outbox.problem(1)
    attempts = sent()

    def complete_meanwhile(uow: UnitOfWork) -> list[Sent]:
        if held == "lane":
            LaneRepository(uow).lock(locked, DESTINATION)
        else:
            ProblemRepository(uow).lock(locked)
        return completer.complete(attempts).again

    again = store.write(complete_meanwhile)

    assert [each.message.problem_id for each in again] == [locked]
    assert outbox.states(locked) == ["queued"]
    assert outbox.states(other) == ["delivered"]
    completer.complete(again)
    assert outbox.states(locked) == ["delivered"]


def test_hooks_run_only_for_the_problems_concerned(
    outbox: Outbox, completer: Completer, sent: SentMaker, hooks: RecordingHooks
) -> None:
    first, second = outbox.problem(1), outbox.problem(1)
    hooks.unconcerned.add(first)
    completer.complete(sent())

    assert hooks.called == [second]
    assert outbox.states(first) == outbox.states(second) == ["delivered"]


def test_failures_and_dead_letters_in_a_batch_are_completed_each_for_itself(
    outbox: Outbox, completer: Completer, sent: SentMaker, clock: ManualMachineClock
) -> None:
    failing, refused, fine = (outbox.problem(1, 2) for _ in range(3))
    attempts = sent()
    replies = [BUSY, REFUSED, TAKEN]
    with capture_logs():
        result = completer.complete(
            [Sent(each.lease, reply, 3) for each, reply in zip(attempts, replies, strict=True)]
        )

    assert [lease.claim.problem_id for lease in result.following] == [fine]
    assert outbox.states(failing) == ["queued", "queued"]
    assert outbox.lane(failing).due_at == clock.now() + timedelta(seconds=5)
    assert outbox.lane(failing).attempts == 1
    assert outbox.states(refused) == ["refused", "queued"]
    assert outbox.lane(refused).parked


def test_a_message_is_sent_only_when_the_one_before_is_completed(
    outbox: Outbox, make_round: RoundMaker
) -> None:
    seen: list[tuple[int, list[str]]] = []

    class Looking:
        def send(self, message: Message, _seconds: float) -> Reply:
            seen.append((message.number, outbox.states(message.problem_id)[: message.number - 1]))
            return TAKEN

    for _ in range(6):
        outbox.problem(1, 2, 3)
    make_round(transport=Looking(), threads=3).turn()

    assert len(seen) == 18
    assert all(before == ["delivered"] * (number - 1) for number, before in seen)


def test_what_was_sent_and_never_completed_is_sent_again_with_the_same_id(
    outbox: Outbox, make_round: RoundMaker, clock: ManualMachineClock
) -> None:
    """As when the worker dies, or the database stays away, between the answer and our commit."""
    sent: list[tuple[str, bool]] = []
    away = [StoreUnavailable("away")]

    class Counting:
        def send(self, message: Message, _seconds: float) -> Reply:
            sent.append((message.uuid, message.unknown))
            return TAKEN

    def apply(_uow: UnitOfWork, _message: Message, _reply: Reply) -> None:
        if away:
            clock.advance(46)
            raise away.pop()

    problem = outbox.problem(1)
    round_ = make_round(transport=Counting(), on_delivered=apply)
    with capture_logs() as logs:
        round_.turn()
    assert [line["event"] for line in logs] == ["message.not-settled"]
    assert outbox.states(problem) == ["queued"]
    round_.turn()

    (message,) = outbox.messages(problem)
    assert sent == [(message.uuid, False), (message.uuid, True)]
    assert message.state == "delivered"


def test_while_the_database_is_away_for_a_moment_nothing_is_sent_twice(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker
) -> None:
    away = [StoreUnavailable("away")]

    def apply(_uow: UnitOfWork, _message: Message, _reply: Reply) -> None:
        if away:
            raise away.pop()

    problem = outbox.problem(1, 2)
    make_round(on_delivered=apply).turn()

    assert transport.numbers(problem) == [1, 2]
    assert outbox.states(problem) == ["delivered", "delivered"]


def test_nothing_is_claimed_ahead_while_no_thread_comes_free(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker, clock: ManualMachineClock
) -> None:
    round_ = make_round(threads=2)
    outbox.problem(1)
    round_.turn()
    hanging = [outbox.problem(1) for _ in range(2)]
    for problem in hanging:
        transport.hold_up(problem)
    round_.dispatcher.turn()
    assert all(transport.entered.acquire(timeout=PATIENCE) for _ in range(3))
    later = [outbox.problem(1) for _ in range(4)]
    clock.advance(2)
    round_.dispatcher.turn()
    assert all(outbox.lane(problem).lease_owner is None for problem in later)
    transport.let_go.set()
    assert round_.dispatcher.finish(PATIENCE)


def test_no_more_than_twice_as_many_lanes_as_threads_are_in_hand(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker
) -> None:
    round_ = make_round(threads=2)
    outbox.problem(1)
    round_.turn()
    hanging = [outbox.problem(1) for _ in range(6)]
    for problem in hanging:
        transport.hold_up(problem)
    for _ in range(3):
        round_.dispatcher.turn()

    assert sum(outbox.lane(problem).lease_owner is not None for problem in hanging) == 4
    transport.let_go.set()
    assert round_.dispatcher.finish(PATIENCE)


def test_where_lanes_leave_fast_more_of_them_are_in_hand(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker, clock: ManualMachineClock
) -> None:
    round_ = make_round(threads=2)
    for _ in range(30):
        outbox.problem(1)
        round_.turn()
    clock.advance(0.1)
    hanging = [outbox.problem(1) for _ in range(20)]
    for problem in hanging:
        transport.hold_up(problem)
    round_.dispatcher.turn()

    # Two that are being sent, and five for each thread: at that pace none of them waits long.
    assert sum(outbox.lane(problem).lease_owner is not None for problem in hanging) == 12
    transport.let_go.set()
    assert round_.dispatcher.finish(PATIENCE)
