"""Examples in the rule book: facts in short form, and whether the rule must match them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yaml.nodes import MappingNode, Node

from supplier_api.rules.fact_kinds import Fact, FactKind, ListOf, Shape
from supplier_api.rules.facts import FACT_GROUPS, GROUPS, Facts
from supplier_api.rules.model import BookFinding, Operation, Verdict, meant
from supplier_api.rules.rule import ParsedRule
from supplier_api.rules.yaml_source import YamlSource

# What an example may expect: it tests the condition, without modes and dates.
EXPECTED = (Verdict.MATCHED, Verdict.NOT_MATCHED, Verdict.FAILED)


@dataclass(frozen=True, slots=True)
class Example:
    """One example of a rule.

    Request fields that it does not give are absent; other facts have defaults: a live service, a
    problem in progress, nothing else open, no incident. `place` is its position in the file.
    """

    rule: str
    operation: Operation
    facts: Facts
    expected: Verdict
    place: BookFinding


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """The verdict of the rule on one example."""

    example: Example
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether the verdict is the expected one."""
        return self.verdict is self.example.expected


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many examples a rule matches, and how many it does not; there should be some of both.

    A constant condition needs an example of one kind only.
    """

    rule: str
    matched: int
    not_matched: int
    constant: bool

    @property
    def complete(self) -> bool:
        """Whether there are examples of both kinds."""
        if self.constant:
            return self.matched + self.not_matched > 0
        return self.matched > 0 and self.not_matched > 0


def cover(rule: str, tried: Sequence[ExampleResult], *, constant: bool) -> Coverage:
    """Count the examples of `rule` by verdict."""
    verdicts = [each.verdict for each in tried if each.example.rule == rule]
    return Coverage(
        rule, verdicts.count(Verdict.MATCHED), verdicts.count(Verdict.NOT_MATCHED), constant
    )


def read_examples(source: YamlSource, rule: ParsedRule) -> list[Example]:
    """Read the examples of a rule; errors are reported to `source`.

    An example without `operation` counts for each operation that the rule applies to.
    """
    node = rule.nodes.get("examples")
    found: list[Example] = []
    for member in source.items(node, "examples") if node else []:
        found += _read_example(source, rule, member)
    return found


def _read_example(source: YamlSource, rule: ParsedRule, node: Node) -> list[Example]:
    nodes = source.entries(node, "example", ("operation", "facts", "verdict"), ("facts", "verdict"))
    if not {"facts", "verdict"} <= nodes.keys():
        return []
    expected = source.word_of(nodes["verdict"], "verdict", Verdict)
    if expected and expected not in EXPECTED:
        source.report(nodes["verdict"], f"verdict: no example is {expected}", meant("", EXPECTED))
    operations = rule.applies_to
    if "operation" in nodes:
        named = source.word_of(nodes["operation"], "operation", Operation)
        operations = frozenset({named} if named else ())
        if not operations <= rule.applies_to:
            source.report(nodes["operation"], "operation: the rule does not apply to it")
            return []
    place = source.finding(node, f"example of {rule.id}")
    return [
        Example(rule.id, operation, _facts(source, nodes["facts"], operation), expected, place)
        for operation in sorted(operations)
        if expected
    ]


def _facts(source: YamlSource, node: Node, operation: Operation) -> Facts:
    groups = GROUPS[operation]
    given = source.entries(node, "facts", groups.keys())
    read = {
        group: None if source.is_null(value) else _value(source, value, group, groups[group])
        for group, value in given.items()
    }
    # {} is what an example is silent about; the group of another operation has its default too.
    found = {each.attribute: each.example(read.get(each.name, {})) for each in FACT_GROUPS}
    return Facts(**found)


def _value(source: YamlSource, node: Node, name: str, fact: Fact) -> Any:
    """Return the value of `node` in the type of `fact`."""
    if isinstance(fact, Mapping):
        return _fields(source, node, name, fact)
    if isinstance(fact, ListOf):
        return _members(source, node, name, fact)
    assert fact.value.in_example, "the keys that may be given are of kinds with a reader"
    return fact.value.in_example(source, node, name)


def _fields(source: YamlSource, node: Node, name: str, shape: Shape) -> dict[str, Any]:
    keys = [key for key, fact in shape.items() if _is_given(fact)]
    given = source.entries(node, name, keys)
    read = {key: _value(source, value, key, shape[key]) for key, value in given.items()}
    return {key: value for key, value in read.items() if value is not None}


def _members(source: YamlSource, node: Node, name: str, fact: ListOf) -> list[dict[str, Any]]:
    """Return a list of members; name-value pairs may be written as one mapping."""
    if not isinstance(node, MappingNode):
        return [_fields(source, each, name, fact.member) for each in source.items(node, name)]
    short = source.entries(node, name, None)
    return [{"name": key, "value": source.text_of(value, key)} for key, value in short.items()]


def _is_given(fact: Fact) -> bool:
    """Return whether an example gives the fact; one without a reader is made of another."""
    return not isinstance(fact, FactKind) or fact.value.in_example is not None
