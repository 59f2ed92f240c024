"""Messages of claimed lanes: their order, their retries, and which others they block."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, UnitOfWork
from supplier_api.db.notify import WakeEvent
from supplier_api.delivery.dispatcher import Dispatcher
from supplier_api.delivery.model import Destination, Meaning, Reply
from supplier_api.ids import SeededIdSource
from supplier_api.outbox.model import Message
from supplier_api.outbox.repository import LaneRepository
from tests.integration.delivery.conftest import (
    BUSY,
    CONFLICT,
    LOST,
    NOT_FOUND,
    PATIENCE,
    POLICY,
    REFUSED,
    TAKEN,
    FakeTransport,
    Round,
    RoundMaker,
)
from tests.outbox import DESTINATION, Outbox


def test_all_messages_of_a_lane_leave_in_order(
    outbox: Outbox, transport: FakeTransport, round_: Round
) -> None:
    problem = outbox.problem(1, 2, 3)
    round_.turn()

    assert transport.numbers(problem) == [1, 2, 3]
    assert outbox.states(problem) == ["delivered"] * 3
    assert outbox.messages(problem)[0].digest.startswith("sha256:")


def test_a_failed_message_is_tried_as_the_policy_says_and_those_behind_it_wait(
    outbox: Outbox, transport: FakeTransport, round_: Round, clock: ManualMachineClock
) -> None:
    problem = outbox.problem(1, 2)
    transport.reply_with(problem, BUSY, LOST, BUSY)
    for wait in (5, 30, 120):
        round_.turn()
        clock.advance(wait - 0.01)
        round_.turn()
        clock.advance(0.01)
    round_.turn()

    assert transport.numbers(problem) == [1, 1, 1, 1, 2]
    first, second = outbox.messages(problem)
    assert [entry["outcome"] for entry in first.log] == ["later", "later", "later", "delivered"]
    assert [entry["status"] for entry in first.log] == [503, None, 503, 204]
    assert second.attempts == 1


def test_a_failing_problem_holds_up_no_other(
    outbox: Outbox, transport: FakeTransport, round_: Round
) -> None:
    failing, fine = outbox.problem(1), outbox.problem(1)
    transport.reply_with(failing, BUSY)
    round_.turn()

    assert outbox.states(fine) == ["delivered"]
    assert outbox.states(failing) == ["queued"]


def test_a_hanging_problem_holds_up_no_other(
    outbox: Outbox, transport: FakeTransport, round_: Round
) -> None:
    hanging = outbox.problem(1)
    transport.hold_up(hanging)
    round_.dispatcher.turn()
    assert transport.entered.acquire(timeout=PATIENCE)
    others = [outbox.problem(1, 2) for _ in range(10)]
    while any(len(transport.numbers(other)) < 2 for other in others):
        round_.dispatcher.turn()
        # Rung by each thread that has become free.
        assert round_.wake_event.wait(PATIENCE)
    transport.let_go.set()
    assert round_.dispatcher.finish(PATIENCE)

    assert all(transport.numbers(other) == [1, 2] for other in others)
    assert outbox.states(hanging) == ["delivered"]


def test_one_that_hangs_holds_up_none_of_a_thousand(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker
) -> None:
    round_ = make_round(threads=16)
    hanging, *others = outbox.problems(1000, 1)
    transport.hold_up(hanging)
    while len(transport.sent) < 1000:
        round_.dispatcher.turn()
        assert round_.wake_event.wait(PATIENCE)

    assert not transport.let_go.is_set()
    assert sorted(transport.sent) == [(problem, 1) for problem in (hanging, *others)]
    transport.let_go.set()
    assert round_.dispatcher.finish(PATIENCE)
    assert outbox.states(hanging) == ["delivered"]


def test_lanes_that_failed_use_a_quarter_of_the_threads(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker, clock: ManualMachineClock
) -> None:
    round_ = make_round(threads=8)
    failing = [outbox.problem(1) for _ in range(6)]
    for problem in failing:
        transport.reply_with(problem, BUSY)
    round_.turn()
    clock.advance(5)
    for problem in failing:
        transport.hold_up(problem)
    round_.dispatcher.turn()
    round_.dispatcher.turn()
    fresh = outbox.problem(1)
    round_.dispatcher.turn()

    held = [outbox.lane(problem).lease_owner for problem in failing]
    assert sum(owner is not None for owner in held) == 2
    transport.let_go.set()
    assert round_.dispatcher.finish(PATIENCE)
    assert outbox.states(fresh) == ["delivered"]


def test_it_claims_at_most_twice_the_free_threads(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker
) -> None:
    round_ = make_round(threads=2)
    problems = [outbox.problem(1) for _ in range(6)]
    for problem in problems:
        transport.hold_up(problem)
    round_.dispatcher.turn()
    round_.dispatcher.turn()

    assert sum(outbox.lane(problem).lease_owner is not None for problem in problems) == 4


def test_a_refused_message_is_a_dead_letter_and_parks_its_problem(
    outbox: Outbox, transport: FakeTransport, round_: Round, clock: ManualMachineClock
) -> None:
    problem, other = outbox.problem(1, 2), outbox.problem(1)
    transport.reply_with(problem, REFUSED)
    round_.turn()
    clock.advance(100_000)
    round_.turn()

    assert outbox.states(problem) == ["refused", "queued"]
    assert outbox.lane(problem).parked
    assert transport.numbers(problem) == [1]
    assert outbox.states(other) == ["delivered"]


def test_a_switch_lets_later_messages_pass_a_dead_letter(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker
) -> None:
    problem = outbox.problem(1, 2)
    transport.reply_with(problem, REFUSED)
    make_round(pass_dead_letters=True).turn()

    assert outbox.states(problem) == ["refused", "delivered"]
    assert not outbox.lane(problem).parked


@pytest.mark.parametrize("first", [LOST, BUSY])
def test_a_conflict_after_an_unknown_outcome_means_delivered(
    outbox: Outbox, transport: FakeTransport, round_: Round, clock: ManualMachineClock, first: Reply
) -> None:
    problem = outbox.problem(1)
    transport.reply_with(problem, first, CONFLICT)
    round_.turn()
    clock.advance(5)
    round_.turn()

    assert outbox.states(problem) == ["delivered"]


def test_a_conflict_after_a_dead_worker_means_delivered(
    store: Store,
    outbox: Outbox,
    transport: FakeTransport,
    round_: Round,
    clock: ManualMachineClock,
) -> None:
    problem = outbox.problem(1)
    now = clock.now()
    store.write(
        lambda uow: LaneRepository(uow).claim(
            DESTINATION, "dead", now, now + timedelta(seconds=45), limit=1, failed=1
        )
    )
    clock.advance(46)
    transport.reply_with(problem, CONFLICT)
    round_.turn()

    assert outbox.states(problem) == ["delivered"]


def test_not_found_shortly_after_a_request_is_tried_again(
    outbox: Outbox, transport: FakeTransport, round_: Round, clock: ManualMachineClock
) -> None:
    problem = outbox.problem(1)
    outbox.hold_until(problem, clock.now())
    transport.reply_with(problem, NOT_FOUND, NOT_FOUND)
    round_.turn()
    assert outbox.states(problem) == ["queued"]
    clock.advance(900)
    round_.turn()
    assert outbox.states(problem) == ["refused"]


def test_a_message_expires_only_while_others_are_taken(
    outbox: Outbox, transport: FakeTransport, round_: Round, clock: ManualMachineClock
) -> None:
    old = outbox.problem(1)
    transport.reply_with(old, BUSY, BUSY, BUSY)
    round_.turn()
    clock.advance(73 * 3600)
    round_.turn()
    assert outbox.states(old) == ["queued"]
    outbox.problem(1)
    round_.turn()
    clock.advance(30)
    round_.turn()

    assert outbox.states(old) == ["expired"]
    assert outbox.lane(old).parked


def test_a_request_of_the_gateway_between_two_messages_holds_the_second(
    outbox: Outbox, transport: FakeTransport, round_: Round, clock: ManualMachineClock
) -> None:
    problem = outbox.problem(1, 2)
    transport.hold_up(problem)
    round_.dispatcher.turn()
    assert transport.entered.acquire(timeout=PATIENCE)
    outbox.hold_until(problem, clock.now() + timedelta(milliseconds=250))
    transport.let_go.set()
    assert round_.dispatcher.finish(PATIENCE)
    assert transport.numbers(problem) == [1]
    assert round_.turn() == pytest.approx(0.25)
    clock.advance(0.25)
    round_.turn()

    assert transport.numbers(problem) == [1, 2]


def test_the_lease_is_renewed_before_a_send_that_might_outlast_it(
    outbox: Outbox, make_round: RoundMaker, clock: ManualMachineClock
) -> None:
    left: list[float] = []

    class Slow:
        def send(self, message: Message, _seconds: float) -> Reply:
            until = outbox.lane(message.problem_id).lease_until
            left.append((until - clock.now()).total_seconds())
            clock.advance(11)
            return TAKEN

    for _ in range(2):
        outbox.problem(1)
    make_round(transport=Slow(), threads=1, deadline=30.0).turn()

    # The second waited so long that 34 seconds were left of its 45.
    assert left == [45, 45]


def test_a_worker_that_slept_past_its_lease_writes_nothing(
    store: Store,
    outbox: Outbox,
    transport: FakeTransport,
    round_: Round,
    clock: ManualMachineClock,
) -> None:
    problem = outbox.problem(1, 2)
    transport.hold_up(problem)
    round_.dispatcher.turn()
    assert transport.entered.acquire(timeout=PATIENCE)
    clock.advance(46)
    now = clock.now()
    store.write(
        lambda uow: LaneRepository(uow).claim(
            DESTINATION, "other", now, now + timedelta(seconds=45), limit=1, failed=1
        )
    )
    with capture_logs() as logs:
        transport.let_go.set()
        assert round_.dispatcher.finish(PATIENCE)

    assert transport.numbers(problem) == [1]
    assert outbox.states(problem) == ["queued", "queued"]
    assert outbox.lane(problem).lease_owner == "other"
    # Its time to store anything was over, too.
    assert [line["event"] for line in logs] == ["message.not-settled"]


def test_two_workers_never_send_the_same_lane_at_once(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker
) -> None:
    rounds = [make_round(), make_round()]
    problems = [outbox.problem(1, 2, 3) for _ in range(12)]
    while any(state != "delivered" for problem in problems for state in outbox.states(problem)):
        for round_ in rounds:
            round_.dispatcher.turn()
        for round_ in rounds:
            assert round_.dispatcher.finish(PATIENCE)

    assert all(transport.numbers(problem) == [1, 2, 3] for problem in problems)


def test_the_hooks_run_inside_the_transaction_that_completes(
    store: Store, outbox: Outbox, transport: FakeTransport, clock: ManualMachineClock
) -> None:
    called: list[tuple[str, int, object]] = []

    def hook(name: str) -> object:
        def hook(uow: UnitOfWork, message: Message, reply: Reply) -> None:
            # The hook finds the attempt recorded, and what it queues is sent.
            called.append((name, message.number, reply.answer))
            assert {
                each["state"] for each in LaneRepository(uow).messages_of(message.problem_id)
            } == {"delivered"}

        return hook

    taken = Reply(Meaning.ACCEPTED, "taken", answer="ticket 7")
    problem = outbox.problem(1)
    transport.reply_with(problem, taken)
    to = Destination(DESTINATION, transport, POLICY, on_delivered=hook("delivered"))  # type: ignore[arg-type]
    dispatcher = Dispatcher(to, store, clock, SeededIdSource(1), WakeEvent(), "worker", 45)
    dispatcher.turn()
    assert dispatcher.finish(PATIENCE)
    dispatcher.give_back(PATIENCE)

    assert called == [("delivered", 1, "ticket 7")]


def test_a_problem_unknown_there_calls_its_hook_and_a_dead_letter_calls_none(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker, clock: ManualMachineClock
) -> None:
    called: list[str] = []
    round_ = make_round(
        on_delivered=lambda _uow, _message, _reply: called.append("delivered"),
        on_not_found=lambda _uow, _message, _reply: called.append("not found"),
    )
    problem = outbox.problem(1)
    outbox.hold_until(problem, clock.now())
    transport.reply_with(problem, NOT_FOUND, REFUSED)
    round_.turn()
    assert called == ["not found"]
    clock.advance(5)
    round_.turn()
    assert called == ["not found"]
    assert outbox.states(problem) == ["refused"]


def test_an_answer_that_a_hook_cannot_apply_is_retried_later(
    outbox: Outbox, make_round: RoundMaker, clock: ManualMachineClock
) -> None:
    wrong = [ValueError("MARKER")]

    def apply(_uow: UnitOfWork, _message: Message, _reply: Reply) -> None:
        if wrong:
            raise wrong.pop()

    round_ = make_round(on_delivered=apply)
    problem = outbox.problem(1)
    with capture_logs():
        round_.turn()
    (message,) = outbox.messages(problem)
    assert message.state == "queued"
    assert message.log[0]["detail"] == "answer not applied: ValueError"
    clock.advance(5)
    round_.turn()
    assert outbox.states(problem) == ["delivered"]


def test_a_transport_that_raises_costs_one_attempt(outbox: Outbox, make_round: RoundMaker) -> None:
    class Broken:
        def send(self, _message: Message, _seconds: float) -> Reply:
            raise RuntimeError("MARKER")

    problem = outbox.problem(1)
    with capture_logs():
        make_round(transport=Broken()).turn()

    (message,) = outbox.messages(problem)
    assert (message.state, message.unknown) == ("queued", True)
    assert message.log[0]["detail"] == "RuntimeError"


def test_stopped_it_gives_back_what_is_not_being_sent_and_ends_what_is(
    outbox: Outbox, transport: FakeTransport, make_round: RoundMaker
) -> None:
    first, second = make_round(threads=1), make_round()
    sending, waiting = outbox.problem(1, 2), outbox.problem(1)
    transport.hold_up(sending)
    first.dispatcher.turn()
    assert transport.entered.acquire(timeout=PATIENCE)
    first.dispatcher.give_back(PATIENCE)

    second.turn()
    assert transport.numbers(waiting) == [1]
    assert not first.dispatcher.finish(0)
    transport.let_go.set()
    assert first.dispatcher.finish(PATIENCE)
    assert outbox.states(sending) == ["delivered", "queued"]
    second.turn()
    assert transport.numbers(sending) == [1, 2]


def test_the_next_look_is_when_something_is_due(
    outbox: Outbox, transport: FakeTransport, round_: Round
) -> None:
    assert round_.turn() == 5.0
    problem = outbox.problem(1)
    transport.reply_with(problem, Reply(Meaning.FAILED, "503", 503, retry_after=600))
    round_.turn()
    assert round_.turn() == 600.0


def test_logs_name_the_message_and_repeat_no_word_of_the_receivers(
    outbox: Outbox, transport: FakeTransport, round_: Round
) -> None:
    refused, lost = outbox.problem(1), outbox.problem(1)
    transport.reply_with(refused, Reply(Meaning.REFUSED, "MARKER", 422))
    transport.reply_with(lost, LOST)
    with capture_logs() as logs:
        round_.turn()

    assert {line["event"]: line["cause"] for line in logs} == {
        "message.refused": None,
        "message.later": "connection closed without an answer",
    }
    # As people know the problem: by the gateway's id and by our reference.
    assert {(line["gateway_id"], line["reference"]) for line in logs} == {
        (1, "SP_0000000001"),
        (2, "SP_0000000002"),
    }
