"""What holds for every fact, and for every kind of fact."""

from dataclasses import MISSING, fields
from datetime import UTC, datetime
from typing import Any

import pytest

from supplier_api.rules.cel import Language
from supplier_api.rules.fact_kinds import FactKind, shape_of_class
from supplier_api.rules.facts import (
    FACT_GROUPS,
    GROUPS,
    UNKNOWN,
    FactGroup,
    Facts,
    ProblemFacts,
    Service,
    values,
)
from supplier_api.rules.inventory import COLUMNS
from supplier_api.rules.model import Verdict
from tests.unit.rules.books import HEAD, NOW, load, rule

# A value of each kind, how a rule tests for it, and how an example gives it.
KINDS: dict[FactKind, tuple[Any, str, str]] = {
    FactKind.TEXT: ("a", '{} == "a"', '"a"'),
    FactKind.WHOLE: (7, "{} == 7", "7"),
    FactKind.FLAG: (True, "{}", "true"),
    FactKind.INSTANT: (
        datetime(2026, 2, 1, tzinfo=UTC),
        '{} == timestamp("2026-02-01T00:00:00Z")',
        '"2026-02-01T01:00:00+01:00"',
    ),
    FactKind.TEXTS: (["a"], '"a" in {}', "[a]"),
    FactKind.TEXT_BY_NAME: ({"a": "b"}, '{}["a"] == "b"', ""),
}


def named(group: FactGroup) -> str:
    return f"{group.name}-{'-'.join(sorted(group.operations))}"


@pytest.mark.parametrize("kind", FactKind)
def test_a_rule_reads_each_kind_of_fact_alone_and_in_a_group(kind: FactKind) -> None:
    value, condition, _ = KINDS[kind]
    language = Language({"single": kind, "group": {"inner": kind}})
    bound = language.bind({"single": value, "group": {"inner": value}})
    assert language.compile(condition.format("single")).holds(bound)
    assert language.compile(f"has(group.inner) && {condition.format('group.inner')}").holds(bound)
    assert not language.compile("has(group.inner)").holds(language.bind({"group": {}}))


def test_no_two_kinds_are_made_of_the_same_attribute_or_called_the_same() -> None:
    assert len({kind.value.attribute for kind in FactKind}) == len(FactKind)
    assert len({kind.value.words for kind in FactKind}) == len(FactKind)
    wire = [kind.value.wire for kind in FactKind if kind.value.wire]
    assert len(set(wire)) == len(wire)


@pytest.mark.parametrize("group", FACT_GROUPS, ids=named)
def test_a_group_that_is_not_given_is_unknown_and_cannot_be_judged(group: FactGroup) -> None:
    given = Facts(request={"id": 1}, tenant="TENANT1", now=NOW)
    if values(given, group.name) is not UNKNOWN:
        assert group.attribute in ("request", "tenant", "now")
        return
    for operation in group.operations:
        names_it = f"{group.name} == {group.name}"
        book = load(HEAD + rule("one", names_it, "defer", applies_to=f"[{operation}]"))
        decision = book.decide(operation, given, {})
        assert decision.trace[0].verdict is Verdict.FAILED
        assert decision.trace[0].why == f"not known in time: {group.name}"


def test_every_fact_of_a_decision_is_in_a_group_and_unknown_unless_it_is_given() -> None:
    assert {each.name for each in fields(Facts)} == {each.attribute for each in FACT_GROUPS}
    defaults = [each.default for each in fields(Facts) if each.default is not MISSING]
    assert set(defaults) == {UNKNOWN}


@pytest.mark.parametrize("group", FACT_GROUPS, ids=named)
def test_an_example_that_is_silent_about_a_group_gives_its_default(group: FactGroup) -> None:
    for operation in group.operations:
        examples = "\n      - {facts: {}, verdict: matched}"
        (example,) = load(
            HEAD + rule("one", "true", "defer", applies_to=f"[{operation}]", examples=examples)
        ).examples
        assert values(example.facts, group.name) is not UNKNOWN
        assert GROUPS[operation][group.name] is group.fact


def filled(kind: type) -> dict[str, Any]:
    """Return a value for each attribute of a class."""
    shape = shape_of_class(kind)
    return {each.name: KINDS[shape[each.name]][0] for each in fields(kind)}


@pytest.mark.parametrize("name", [each for each in shape_of_class(Service) if each != "service_id"])
def test_every_attribute_of_a_service_is_a_fact_an_example_gives(name: str) -> None:
    value, condition, written = KINDS[shape_of_class(Service)[name]]
    examples = f"\n      - {{facts: {{service: {{{name}: {written}}}}}, verdict: matched}}"
    when = condition.format(f"service.{name}").replace("'", "''")
    book = load(HEAD + rule("one", when, "defer", examples=examples))
    assert [each.passed for each in book.try_examples()] == [True]
    assert getattr(book.examples[0].facts.service, name) == value


def test_every_attribute_of_a_service_is_read() -> None:
    whole = filled(Service)
    found = values(Facts({}, "T", NOW, service=Service(**whole)), "service")
    assert found == {"known": True, "id": whole.pop("service_id"), **whole}


def test_every_attribute_of_a_problem_is_read() -> None:
    whole = filled(ProblemFacts)
    assert values(Facts({}, "T", NOW, problem=ProblemFacts(**whole)), "problem") == whole


def test_what_is_absent_of_a_service_is_no_fact() -> None:
    found = values(Facts({}, "T", NOW, service=Service("SI1")), "service")
    absent = {each.name for each in fields(Service) if each.default is None}
    assert "incident" in absent
    assert found.keys() == {"known", "id"} | filled(Service).keys() - {"service_id"} - absent


def test_every_attribute_that_can_be_written_in_a_cell_is_a_column() -> None:
    kinds = shape_of_class(Service)
    assert list(COLUMNS) == [name for name, kind in kinds.items() if kind.value.in_csv]
