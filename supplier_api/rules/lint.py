"""Warnings about rules that are legal but probably not meant."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from supplier_api.rules.cel import Expression
from supplier_api.rules.findings import BookFinding
from supplier_api.rules.model import Operation, Outcome
from supplier_api.rules.parser import ParsedRule
from supplier_api.rules.yaml_positions import Source

Expressions = Mapping[tuple[str, Operation], Expression]


def lint(
    source: Source, rules: Sequence[ParsedRule], expressions: Expressions, profile: str
) -> Iterator[BookFinding]:
    """Yield the warnings about a book without errors."""
    yield from _empty_windows(source, rules)
    for earlier, later in combinations(rules, 2):
        shared = sorted(earlier.applies_to & later.applies_to)
        if not shared:
            continue
        if any(_always_decides(earlier, expressions[earlier.id, each], profile) for each in shared):
            yield _after_unconditional(source, earlier, later)
        if _same_text(earlier.when, later.when) and earlier.then is not later.then:
            text = f"{later.id}: the same condition as {earlier.id}, with another outcome"
            yield source.finding(later.place("when"), text)


def _empty_windows(source: Source, rules: Sequence[ParsedRule]) -> Iterator[BookFinding]:
    for rule in rules:
        if rule.active_from and rule.active_until and rule.active_until <= rule.active_from:
            text = f"{rule.id}: is never active, since it ends before it begins"
            yield source.finding(rule.place("active_until"), text)


def _always_decides(rule: ParsedRule, expression: Expression, profile: str) -> bool:
    dated = rule.active_from or rule.active_until
    return expression.constant is True and not dated and not rule.only_records(profile)


def _after_unconditional(source: Source, earlier: ParsedRule, later: ParsedRule) -> BookFinding:
    what = "never decides" if later.then is not Outcome.REJECT else "should stand first"
    text = f"{later.id}: {what}, since {earlier.id} before it matches everything"
    return source.finding(later.node, text)


def _same_text(one: str, other: str) -> bool:
    return one.split() == other.split()
