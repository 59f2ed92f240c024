"""Replaying stored decisions: what can be replayed, and what is different."""

from dataclasses import replace
from typing import Any

import pytest

from supplier_api.rules.backtest import Backtest
from supplier_api.rules.book import RuleBook
from supplier_api.rules.facts import UNKNOWN, Facts
from supplier_api.rules.model import LIFECYCLE, PUT_OFF, Operation, Outcome
from supplier_api.rules.past_decision import PastDecision
from supplier_api.rules.plugins import OutsideFacts, Plugins, PythonRule
from supplier_api.rules.stored_facts import to_stored
from tests.samples import problem_request
from tests.unit.rules.books import HEAD, LIVE, NOW, facts, load, rule

STABLE = rule("stable", 'request.problemType == "STABILITY"', "reject")
ON_SERVICE = rule("on-service", 'service.state == "live"', "commit")
ON_INCIDENT = rule("on-incident", "has(service.incident)", "commit")
ON_NOTES = rule("on-notes", 'request.notes.contains("dog")', "reject")
BEGUN = facts(problem_request())


def decided(book: RuleBook, about: Facts = BEGUN, **more: Any) -> PastDecision:
    """Return the decision of a book as it would be stored."""
    operation = Operation.PROBLEM
    made = book.decide(operation, about, book.plugins.evaluate(operation, about)).document()
    past = PastDecision(
        tenant=about.tenant,
        operation=operation,
        key="1",
        reference=None,
        created=NOW,
        outcome=Outcome(made["outcome"]),
        rule=made["rule"],
        reasons=made["reasons"],
        trace=made["trace"],
        book_version=made["bookVersion"],
        facts=to_stored(about),
    )
    return replace(past, **more)


def replayed(draft: RuleBook, past: PastDecision, *known: RuleBook) -> tuple[str, dict[str, Any]]:
    """Return what became of one decision, and the whole result."""
    test = Backtest(draft, known, most=5)
    test.add(past)
    found = test.document()
    [what] = [name for name in found if found[name] == 1 and name != "decisions"]
    return what, found


def test_a_decision_may_be_another_for_a_new_reason() -> None:
    old, draft = load(HEAD + ON_SERVICE), load(HEAD + ON_SERVICE + STABLE)
    what, found = replayed(draft, decided(old), old)
    assert what == "different"
    [difference] = found["differences"]
    assert (difference["before"], difference["draft"]) == ("201", "422")
    assert difference["rules"] == {"stable": 1}


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        (ON_SERVICE, "notReplayable"),
        # What does not need the service decides alone, and a rejection stands.
        (STABLE, "different"),
        (STABLE + ON_SERVICE, "different"),
        (ON_SERVICE + STABLE, "different"),
        (rule("first", "true", "defer") + ON_SERVICE, "different"),
        (rule("noted", 'service.state == "live"', "commit", mode="audit"), "same"),
    ],
)
def test_a_group_that_is_not_stored(rules: str, what: str) -> None:
    old = load(HEAD + rule("never", 'tenant == ""', "defer"))
    past = decided(old, replace(BEGUN, service=UNKNOWN))
    assert replayed(load(HEAD + rules), past, old)[0] == what


def test_an_attribute_that_an_earlier_release_did_not_store() -> None:
    old = load(HEAD + ON_SERVICE)
    past = decided(old)
    assert past.facts is not None
    del past.facts["service"]["incident"]
    assert replayed(load(HEAD + ON_SERVICE), past, old)[0] == "same"
    what, found = replayed(load(HEAD + ON_INCIDENT), past, old)
    assert what == "notReplayable"
    assert found["rules"][0] == {
        "rule": "on-incident",
        "before": 0,
        "draft": 0,
        "notReplayable": 1,
    }


@pytest.mark.parametrize("notes", ["a dog", "a cat"])
def test_verdicts_on_personal_fields_are_those_of_a_known_book(notes: str) -> None:
    old, other = load(HEAD + ON_NOTES), load(HEAD + ON_SERVICE)
    past = decided(old, facts(problem_request(notes=notes)))
    draft = load(HEAD + ON_NOTES + rule("new", 'tenant == ""', "defer"))
    assert replayed(draft, past, old)[0] == "same"
    assert replayed(draft, past, other)[0] == "notReplayable"
    changed = load(HEAD + ON_NOTES.replace("dog", "cat"))
    assert replayed(changed, past, old)[0] == "notReplayable"


def python_book(*, matches: bool) -> RuleBook:
    def when(_facts: OutsideFacts) -> bool:
        return matches

    slow = PythonRule(
        id="python",
        applies_to=frozenset({Operation.PROBLEM}),
        then=Outcome.DEFER,
        needs=frozenset({"tenant"}),
        when=when,
    )
    return load(HEAD + STABLE, plugins=Plugins([slow]))


def test_a_rule_in_python_is_not_asked_again() -> None:
    old = python_book(matches=True)
    past = decided(old, facts(problem_request(problemType="CPE")))
    assert (past.outcome, past.rule) == (Outcome.DEFER, "python")
    assert replayed(old, past, old)[0] == "same"
    assert replayed(python_book(matches=True), past, old)[0] == "notReplayable"


def test_what_the_lifecycle_refused_it_refuses_again() -> None:
    old = load(HEAD + ON_SERVICE)
    reason = {"rule": LIFECYCLE, "code": "INVALID_REQUEST", "message": "It is over."}
    past = decided(old, rule=LIFECYCLE, outcome=Outcome.REJECT, reasons=[reason])
    assert replayed(old, past, old)[0] == "same"


def test_what_a_trace_says_of_other_things_is_no_rule() -> None:
    old = load(HEAD + ON_SERVICE)
    past = decided(old)
    for name in (PUT_OFF, "scenario SERVICE_PROBLEM_DELAYED"):
        past.trace.append({"rule": name, "verdict": "matched", "values": {}})
    what, found = replayed(old, past, old)
    assert what == "same"
    assert [each["rule"] for each in found["rules"]] == ["on-service"]


def test_another_message_is_a_difference() -> None:
    old = load(HEAD + STABLE)
    draft = load(HEAD + STABLE.replace("stable refuses", "No stability"))
    what, found = replayed(draft, decided(old), old)
    assert what == "different"
    [difference] = found["differences"]
    assert (difference["before"], difference["draft"]) == ("422", "422")
    assert difference["requests"][0]["reasons"] == {
        "before": ["stable refuses"],
        "draft": ["No stability"],
    }


def test_only_so_many_requests_are_named() -> None:
    old, draft = load(HEAD + ON_SERVICE), load(HEAD + STABLE)
    test = Backtest(draft, [old], most=2)
    for _ in range(5):
        test.add(decided(old))
    [difference] = test.document()["differences"]
    assert (difference["count"], len(difference["requests"])) == (5, 2)


def test_a_service_that_is_known_is_what_it_was() -> None:
    old = load(HEAD + ON_SERVICE)
    past = decided(old, replace(BEGUN, service=replace(LIVE, state="ceased")))
    assert replayed(load(HEAD + ON_SERVICE), past, old)[0] == "same"
