"""Updates that go wrong on their way, as they come over the wire."""

import pytest

from tests.integration.delivery.sink import Sink, answer
from tests.integration.sandbox.fault_injection.conftest import WAIT, Faulty, numbers
from tests.supplier import Problem, on_sqlite

pytestmark = on_sqlite


@pytest.fixture
def problem(faulty: Faulty) -> Problem:
    """Return a problem about which nothing has been told."""
    return faulty.opened()


def told(faulty: Faulty, problem: Problem, *events: str) -> None:
    """Let updates be made, and deliver what may leave."""
    for event in events:
        code = {"problemCode": "OTHER"} if event in {"hold", "warn", "cancel"} else {}
        text = {"text": "A word."} if event == "note" else {}
        assert faulty.event(problem.reference, event, **code, **text).status_code == 200
    faulty.deliver()


def test_delayed(faulty: Faulty, problem: Problem, sink: Sink) -> None:
    faulty.set("delay", parameters={"seconds": 60}, forSeconds=600)
    told(faulty, problem, "start")
    faulty.machine.advance(58)
    told(faulty, problem, "note")
    assert numbers(sink) == []

    faulty.machine.advance(1)
    faulty.deliver()
    # The second is held back in its turn.
    assert numbers(sink) == [1]
    faulty.machine.advance(60)
    faulty.deliver()
    assert numbers(sink) == [1, 2]
    assert faulty.states(problem) == ["delivered"] * 2


def test_duplicated(faulty: Faulty, problem: Problem, sink: Sink) -> None:
    faulty.set("duplicate", parameters={"copies": 2})
    told(faulty, problem, "start", "note")
    assert numbers(sink) == [1, 1, 1, 2]
    assert len({kci.body for kci in sink.kcis[:3]}) == 1
    assert len({kci.headers["x-request-id"] for kci in sink.kcis}) == 4


def test_reordered(faulty: Faulty, problem: Problem, sink: Sink) -> None:
    faulty.set("reorder")
    told(faulty, problem, "start", "note", "warn")
    assert numbers(sink) == [2, 1, 3]
    assert faulty.states(problem) == ["delivered"] * 3


def test_dropped_and_sent_again(faulty: Faulty, problem: Problem, sink: Sink) -> None:
    faulty.set("drop-then-resend", parameters={"seconds": 0})
    told(faulty, problem, "start", "note", "warn")
    assert numbers(sink) == [2, 3, 1]
    assert faulty.states(problem) == ["delivered"] * 3


def test_what_overtook_and_was_not_taken_is_sent_in_its_turn(
    faulty: Faulty, problem: Problem, sink: Sink
) -> None:
    sink.kci_reactions.append(answer(503))
    faulty.set("drop-then-resend", parameters={"seconds": 0})
    told(faulty, problem, "start", "note")
    assert numbers(sink) == [2, 1, 2]
    assert faulty.states(problem) == ["delivered"] * 2


def test_an_old_number_again(faulty: Faulty, problem: Problem, sink: Sink) -> None:
    faulty.set("stale-sequence")
    told(faulty, problem, "start", "note", "warn")
    # There is none before the first: the fault is for the second.
    assert numbers(sink) == [1, 2, 1, 3]
    assert sink.kcis[0].body == sink.kcis[2].body


def test_taken_and_the_answer_lost(faulty: Faulty, problem: Problem, sink: Sink) -> None:
    faulty.set("answer-lost")
    told(faulty, problem, "start")
    assert faulty.states(problem) == ["queued"]

    sink.kci_reactions.append(answer(409))
    faulty.machine.advance(WAIT)
    faulty.deliver()
    assert numbers(sink) == [1, 1]
    assert sink.kcis[0].body == sink.kcis[1].body
    assert faulty.states(problem) == ["delivered"]


def test_a_gap_that_is_never_filled(faulty: Faulty, problem: Problem, sink: Sink) -> None:
    faulty.set("gap")
    told(faulty, problem, "start", "note")
    assert numbers(sink) == [2]
    assert faulty.states(problem) == ["skipped", "delivered"]


def test_a_burst(faulty: Faulty, problem: Problem, sink: Sink) -> None:
    faulty.set("burst")
    told(faulty, problem, "start")
    assert numbers(sink) == [1] * 1001
    assert len({kci.body for kci in sink.kcis}) == 1
    (message,) = faulty.messages(problem)
    assert "1000 repeats, answered 204 x 1000" in message["log"][0]["detail"]


@pytest.mark.parametrize("kind", ["duplicate", "stale-sequence", "answer-lost", "burst"])
def test_nothing_is_added_to_what_the_gateway_did_not_take(
    faulty: Faulty, problem: Problem, sink: Sink, kind: str
) -> None:
    told(faulty, problem, "start")
    sink.kci_reactions.append(answer(503))
    faulty.set(kind)
    told(faulty, problem, "note")
    assert numbers(sink) == [1, 2]
    assert faulty.states(problem) == ["delivered", "queued"]
