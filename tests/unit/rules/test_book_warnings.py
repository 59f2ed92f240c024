"""Warnings about rules that are legal but probably not meant."""

import pytest

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
