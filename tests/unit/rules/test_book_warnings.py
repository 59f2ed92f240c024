"""Warnings about rules that are legal but probably not meant."""

import pytest

from supplier_api.contract.codes import Status
from supplier_api.problems.model import Awaits, Base, Waiting
from supplier_api.rules.lint import PROBLEM_WORDS
from tests.unit.rules.books import HEAD, load, rule


def warnings(rules: str, profile: str = "production") -> list[tuple[int, str]]:
    return [(each.line, each.text) for each in load(HEAD + rules, profile=profile).warnings]


def test_a_rule_after_an_unconditional_one() -> None:
    rules = (
        rule("all", "1 < 2", "defer")
        + rule("late", "request.id == 1", "commit")
        + rule("refused", "request.id == 2", "reject")
    )
    assert warnings(rules) == [
        (8, "late: never decides, since all before it matches everything"),
        (12, "refused: should stand first, since all before it matches everything"),
    ]


@pytest.mark.parametrize(
    "more",
    [
        {"mode": "audit"},
        {"audit_in": "[production]"},
        {"active_from": "2026-01-05T12:00:00Z"},
        {"applies_to": "[amendment]"},
    ],
)
def test_a_rule_that_does_not_always_decide_is_not_unconditional(more: dict[str, str]) -> None:
    rules = rule("all", "true", "defer", **more) + rule("late", "request.id == 1", "commit")
    assert warnings(rules) == []


@pytest.mark.parametrize("until", ["2026-01-05T12:00:00Z", "2025-01-05T12:00:00Z"])
def test_an_empty_window(until: str) -> None:
    dated = rule(
        "d", 'tenant == ""', "defer", active_from="2026-01-05T12:00:00Z", active_until=until
    )
    assert warnings(dated) == [(9, "d: is never active, since it ends before it begins")]


def test_the_same_condition_with_another_outcome() -> None:
    rules = (
        rule("one", "request.id  == 1", "defer")
        + rule("two", "request.id == 1", "commit")
        + rule("three", "request.id == 1", "defer")
    )
    assert warnings(rules) == [
        (10, "two: the same condition as one, with another outcome"),
        (14, "three: the same condition as two, with another outcome"),
    ]


def test_the_same_condition_in_other_words() -> None:
    rules = rule("one", 'request.id==1 && tenant == "A"', "defer") + rule(
        "two", '(tenant  == "A") && !(request.id != 1)', "commit"
    )
    [(line, text)] = warnings(rules)
    assert (line, text) == (10, "two: the same condition as one, with another outcome")


def test_a_condition_that_always_or_never_holds() -> None:
    rules = (
        rule("never", "request.id == 1 && request.id != 1", "reject")
        + rule("all", "service.known || !service.known", "defer")
        + rule("late", "request.id == 1", "commit")
    )
    assert [text for _, text in warnings(rules)] == [
        "never: never matches, whatever the facts are",
        "all: always matches, whatever the facts are",
        "late: never decides, since all before it matches everything",
    ]


@pytest.mark.parametrize(
    ("when", "what"),
    [
        ('request.problemType == "OUTTAGE"', 'request.problemType is never "OUTTAGE"'),
        ('"OUTTAGE"!=request.problemType', 'request.problemType is never "OUTTAGE"'),
        ('request.problemType in ["OUTAGE", "CPE2"]', 'request.problemType is never "CPE2"'),
        ('tenant == "A" && service.state == "Live"', 'service.state is never "Live"'),
    ],
)
def test_a_word_that_the_contract_does_not_have(when: str, what: str) -> None:
    [(_, text)] = warnings(rule("typo", when, "defer"))
    assert text == f"typo: {what}"


@pytest.mark.parametrize(
    "when",
    [
        'request.problemType == "OUTAGE"',
        'request.problemType in ["OUTAGE", "CPE"]',
        'request.problemType.startsWith("OUT")',
        'service.state == "not live yet"',
        'request.serviceId == "OUTTAGE"',
        'request.problemText == "request.problemType == OUTTAGE"',
    ],
)
def test_words_that_may_be(when: str) -> None:
    assert warnings(rule("good", when, "defer")) == []


def test_the_words_of_the_lifecycle() -> None:
    assert PROBLEM_WORDS[("problem", "base")] == frozenset(Base)
    assert PROBLEM_WORDS[("problem", "waiting")] == frozenset(Waiting)
    assert PROBLEM_WORDS[("problem", "awaits")] == frozenset(Awaits)
    assert PROBLEM_WORDS[("problem", "status")] == frozenset({Base.UNDECIDED, *Status})
    wrong = rule("typo", 'problem.base == "IN-PROGRESS"', "defer", applies_to="[amendment]")
    [finding] = load(HEAD + wrong).warnings
    assert (finding.text, finding.hint) == (
        'typo: problem.base is never "IN-PROGRESS"',
        "did you mean IN_PROGRESS?",
    )


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("ask with password: hunter2", "a secret"),
        ("see https://user:pass@example.com/x", "a secret"),
        ("Bearer abcdefgh12345 is refused", "a secret"),
        ("Traceback (most recent call last)", "a stack trace"),
        ("the inventory gave ConnectionError", "a stack trace"),
        ("at com.acme.Desk.find(Desk.java:12)", "a stack trace"),
        ("see https://wiki/faults", "an address inside"),
        ("see http://desk.acme.internal:8080/x", "an address inside"),
        ("the DSLAM at 10.1.2.3 is down", "an address inside"),
        ("look into /var/log/desk.log", "an address inside"),
        ("TODO say why", "a placeholder"),
        ("the service {{name}} is not ours", "a placeholder"),
        ("the service <service id> is not ours", "a placeholder"),
        ("service %s is not ours", "a placeholder"),
    ],
)
def test_a_message_with_what_must_not_reach_a_tenant(message: str, what: str) -> None:
    [(_, text)] = warnings(rule("said", "request.id == 1", "reject", message=f'"{message}"'))
    assert text == f"said: the message goes to the tenant, and holds what looks like {what}"


@pytest.mark.parametrize(
    "message",
    [
        "see https://www.example.com/faults or call 0800 123 4567",
        "service {service.id} is {service.state}",
        "a token of the ONT, and/or its serial number, is missing: 90 % are known",
        "an exception applies to this service; an error was found",
    ],
)
def test_a_message_that_may_be_said(message: str) -> None:
    assert warnings(rule("said", "request.id == 1", "reject", message=f'"{message}"')) == []
