"""Rules written in Python."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any

import pytest

from supplier_api.clock import ManualMachineClock
from supplier_api.contract.codes import ProblemCode
from supplier_api.rules import plugins
from supplier_api.rules.book import RuleBook
from supplier_api.rules.facts import UNKNOWN
from supplier_api.rules.model import BookError, Decision, Operation, Outcome, Verdict
from supplier_api.rules.plugins import (
    CALLS_AT_ONCE,
    MOST_TIME_OUTS,
    PAUSE,
    OutsideFacts,
    Plugins,
    PythonRule,
)
from tests.unit.rules.books import HEAD, LIVE, NOW, facts, load, rule
from tests.waiting import PATIENCE

PROBLEM = frozenset({Operation.PROBLEM})
LIMIT = 0.05


def python_rule(
    when: Callable[[OutsideFacts], bool], *needs: str, then: Outcome = Outcome.COMMIT
) -> PythonRule:
    return PythonRule(id="python", applies_to=PROBLEM, needs=frozenset(needs), when=when, then=then)


def book(
    *rules: PythonRule, seconds: float = 5.0, clock: ManualMachineClock | None = None
) -> RuleBook:
    return load(HEAD + "  []\n", plugins=Plugins(rules, seconds, clock))


def decide(loaded: RuleBook, **more: Any) -> Decision:
    given = facts(**more)
    verdicts = loaded.plugins.evaluate(Operation.PROBLEM, given)
    return loaded.decide(Operation.PROBLEM, given, verdicts)


@pytest.fixture
def hanging() -> Iterator[Callable[[OutsideFacts], bool]]:
    """Yield a condition that does not end before the test does."""
    over = threading.Event()
    yield lambda _: over.wait()
    over.set()


def test_it_decides_like_any_other_rule() -> None:
    decision = decide(book(python_rule(lambda seen: seen.tenant == "TENANT1", "tenant")))
    assert (decision.outcome, decision.rule) == (Outcome.COMMIT, "python")
    assert decision.trace[0].values == {"tenant": "TENANT1"}


def test_it_refuses_with_code_and_message() -> None:
    refusing = PythonRule(
        id="python",
        applies_to=PROBLEM,
        needs=frozenset({"request", "service"}),
        when=lambda seen: seen.service is not None,
        then=Outcome.REJECT,
        code=ProblemCode.COST_ISSUE,
        message="service {service.id} costs too much",
    )
    decision = decide(book(refusing))
    assert [(each.code, each.message) for each in decision.reasons] == [
        (ProblemCode.COST_ISSUE, f"service {LIVE.service_id} costs too much")
    ]
    assert book(refusing).groups(Operation.PROBLEM) == {"request", "service"}


def test_it_sees_request_tenant_service_and_clock_and_cannot_change_them() -> None:
    seen: list[OutsideFacts] = []

    def when(given: OutsideFacts) -> bool:
        seen.append(given)
        dict.clear(given.request["address"])
        return False

    address = {"id": "1", "type": "UPRN"}
    given = facts({"address": address})
    book(python_rule(when, "request", "service")).plugins.evaluate(Operation.PROBLEM, given)
    assert (seen[0].tenant, seen[0].service, seen[0].now) == ("TENANT1", LIVE, NOW)
    assert address == {"id": "1", "type": "UPRN"}


@pytest.mark.parametrize(
    ("when", "why"),
    [
        (lambda _: 1 / 0 > 1, "raised ZeroDivisionError"),
        (lambda _: "yes", "gave str, not true or false"),
    ],
)
def test_one_that_fails_leaves_it_to_the_fallback(
    when: Callable[[OutsideFacts], bool], why: str
) -> None:
    decision = decide(book(python_rule(when)))
    assert (decision.outcome, decision.rule) == (Outcome.DEFER, "fallback")
    assert (decision.trace[0].verdict, decision.trace[0].why) == (Verdict.FAILED, why)


def test_one_that_takes_too_long_is_switched_off_after_three_times(
    hanging: Callable[[OutsideFacts], bool],
) -> None:
    loaded = book(python_rule(hanging), seconds=LIMIT)
    reasons = [decide(loaded).trace[0].why for _ in range(MOST_TIME_OUTS + 1)]
    assert reasons == ["took too long"] * 3 + ["switched off after 3 time-outs"]
    assert decide(loaded).rule == "fallback"


class Moody:
    """A condition that hangs until it is released."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.over = threading.Event()
        self.asked = 0
        monkeypatch.setattr(plugins, "wait", self._wait)

    def _wait(self, answers: list[Future[bool]], timeout: float) -> None:
        """Wait as is said while it hangs; once it does not, however slow the machine is."""
        wait(answers, PATIENCE if self.over.is_set() else timeout)

    def __call__(self, _: OutsideFacts) -> bool:
        self.asked += 1
        return self.over.wait()


@pytest.fixture
def moody(monkeypatch: pytest.MonkeyPatch) -> Iterator[Moody]:
    moody = Moody(monkeypatch)
    yield moody
    moody.over.set()


def test_one_that_was_switched_off_comes_back_after_a_pause(moody: Moody) -> None:
    clock = ManualMachineClock()
    loaded = book(python_rule(moody), seconds=LIMIT, clock=clock)
    for _ in range(MOST_TIME_OUTS):
        decide(loaded)
    assert loaded.plugins.off() == {"python": clock.now()}
    clock.advance(PAUSE - 1)
    assert decide(loaded).trace[0].why == "switched off after 3 time-outs"
    # It is probed once, is still too slow, and stays off.
    clock.advance(1)
    assert [decide(loaded).trace[0].why for _ in range(2)] == [
        "took too long",
        "switched off after 3 time-outs",
    ]
    moody.over.set()
    clock.advance(PAUSE)
    assert [decide(loaded).rule for _ in range(2)] == ["python", "python"]
    assert loaded.plugins.off() == {}


def test_time_outs_count_in_a_row_only(moody: Moody) -> None:
    loaded = book(python_rule(moody), seconds=LIMIT)
    for _ in range(2 * MOST_TIME_OUTS):
        assert decide(loaded).trace[0].why == "took too long"
        moody.over.set()
        assert decide(loaded).rule == "python"
        moody.over.clear()


def test_one_that_is_switched_off_is_tried_though_nobody_asks(moody: Moody) -> None:
    clock = ManualMachineClock()
    loaded = book(python_rule(moody), seconds=LIMIT, clock=clock)
    for _ in range(MOST_TIME_OUTS):
        decide(loaded)
    asked = moody.asked
    loaded.plugins.probe()
    assert moody.asked == asked
    moody.over.set()
    clock.advance(PAUSE)
    loaded.plugins.probe()
    assert loaded.plugins.off() == {}


def test_the_version_of_the_book_tells_which_rules_in_python_there_are() -> None:
    rule = python_rule(lambda _: True)
    without = book().version
    versions = {
        without,
        book(rule).version,
        book(replace(rule, then=Outcome.DEFER)).version,
        # Its source stands in another file.
        book(replace(rule, when=bool)).version,
    }
    assert len(versions) == 4
    assert book(rule).version == book(rule).version
    # Without any it is that of the file, as ever.
    assert without == sha256((HEAD + "  []\n").encode()).hexdigest()[:12]


def test_one_that_hangs_does_not_hold_up_another(
    hanging: Callable[[OutsideFacts], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The good one's answer is there when the time is over.
    monkeypatch.setattr(plugins, "wait", partial(wait, return_when=FIRST_COMPLETED))
    good = PythonRule(
        id="good",
        applies_to=PROBLEM,
        needs=frozenset(),
        when=lambda _: True,
        then=Outcome.REJECT,
        code=ProblemCode.OTHER,
        message="no",
    )
    decision = decide(book(python_rule(hanging), good, seconds=PATIENCE))
    assert [trace.verdict for trace in decision.trace] == [Verdict.FAILED, Verdict.MATCHED]


def test_a_caller_in_a_hurry_waits_less_and_blames_nobody(
    hanging: Callable[[OutsideFacts], bool],
) -> None:
    loaded = book(python_rule(hanging), seconds=600)
    for _ in range(MOST_TIME_OUTS + 1):
        verdicts = loaded.plugins.evaluate(Operation.PROBLEM, facts(), seconds=LIMIT)
        assert verdicts["python"].why == "took too long"


def test_one_that_is_not_active_is_not_asked() -> None:
    ended = replace(python_rule(lambda _: True), active_until=NOW)
    assert book(ended).plugins.evaluate(Operation.PROBLEM, facts()) == {}
    assert decide(book(ended)).trace[0].verdict is Verdict.INACTIVE


def test_a_rule_whose_threads_all_hang_is_not_asked_again(
    hanging: Callable[[OutsideFacts], bool],
) -> None:
    loaded = book(python_rule(hanging), seconds=600)
    reasons = [
        loaded.plugins.evaluate(Operation.PROBLEM, facts(), seconds=LIMIT)["python"].why
        for _ in range(CALLS_AT_ONCE + 1)
    ]
    assert reasons == ["took too long"] * CALLS_AT_ONCE + ["all its threads are busy"]


def test_one_that_needs_a_service_that_is_not_known_is_not_asked() -> None:
    decision = decide(book(python_rule(lambda _: True, "service")), service=UNKNOWN)
    assert (decision.rule, decision.trace[0].why) == ("fallback", "not known in time: service")


def test_one_that_was_not_asked_leaves_it_to_the_fallback() -> None:
    loaded = book(python_rule(lambda _: True))
    decision = loaded.decide(Operation.PROBLEM, facts(), {})
    assert (decision.rule, decision.trace[0].why) == ("fallback", "was not asked")


def test_one_that_asks_for_more_stops_the_start() -> None:
    with pytest.raises(BookError, match=r"needs: open_problems cannot be seen \(allowed: clock"):
        book(python_rule(lambda _: True, "open_problems"))


def test_one_that_breaks_the_contract_stops_the_start() -> None:
    wrong = PythonRule(
        id="wrong",
        applies_to=frozenset({Operation.AMENDMENT}),
        needs=frozenset(),
        when=lambda _: True,
        then=Outcome.ACKNOWLEDGE,
    )
    with pytest.raises(BookError, match="acknowledge is no answer to: amendment"):
        Plugins([wrong])


def test_an_id_stands_once_in_the_file_and_in_python() -> None:
    twice = Plugins([python_rule(lambda _: True)])
    with pytest.raises(BookError, match="duplicate id python, first in line 4"):
        load(HEAD + rule("python", "true", "defer"), plugins=twice)
