"""Examples that stand beside the rules: facts in short, and whether the rule must match them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from yaml.nodes import MappingNode, Node

from supplier_api.rules.facts import (
    GROUPS,
    Fact,
    FactKind,
    Facts,
    ListOf,
    ProblemFacts,
    Service,
    Shape,
)
from supplier_api.rules.findings import BookFinding, meant
from supplier_api.rules.model import Operation, Verdict
from supplier_api.rules.parser import WrittenRule
from supplier_api.rules.yaml_positions import Source

# What an example may expect. Modes and dates do not count: an example tests the condition.
EXPECTED = (Verdict.MATCHED, Verdict.NOT_MATCHED, Verdict.FAILED)

_SERVICE = {"service_id": "SI0000000000000"}
_PROBLEM = {"reference": "SP_EXAMPLE", "status": "IN_PROGRESS", "base": "IN_PROGRESS"}
_NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Example:
    """One example of a rule.

    What its facts leave out is absent from the request, and else as usual: a live service, a
    problem in progress, nothing else open, no incident. `place` is where it stands.
    """

    rule: str
    operation: Operation
    facts: Facts
    expected: Verdict
    place: BookFinding


@dataclass(frozen=True, slots=True)
class Tried:
    """What the rule said to one example."""

    example: Example
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Tell whether the rule said what was expected."""
        return self.verdict is self.example.expected


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many examples a rule matches, and how many it does not; both should be there.

    A condition that always gives the same needs an example of that side only.
    """

    rule: str
    matched: int
    not_matched: int
    constant: bool

    @property
    def complete(self) -> bool:
        """Tell whether the examples show the rule from both sides."""
        if self.constant:
            return self.matched + self.not_matched > 0
        return self.matched > 0 and self.not_matched > 0


def cover(rule: str, tried: Sequence[Tried], *, constant: bool) -> Coverage:
    """Count the examples of `rule` by what it said."""
    said = [each.verdict for each in tried if each.example.rule == rule]
    return Coverage(rule, said.count(Verdict.MATCHED), said.count(Verdict.NOT_MATCHED), constant)


def read_examples(source: Source, rule: WrittenRule) -> list[Example]:
    """Read the examples of a rule; what is wrong is reported to `source`.

    An example without `operation` is one for each operation that the rule applies to.
    """
    node = rule.nodes.get("examples")
    found: list[Example] = []
    for member in source.items(node, "examples") if node else []:
        found += _read_example(source, rule, member)
    return found


def _read_example(source: Source, rule: WrittenRule, node: Node) -> list[Example]:
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


def _facts(source: Source, node: Node, operation: Operation) -> Facts:
    groups = GROUPS[operation]
    given = source.entries(node, "facts", groups.keys())
    read = {
        group: None if source.is_null(value) else _value(source, value, group, groups[group])
        for group, value in given.items()
    }
    return Facts(
        request=read.get("request") or {},
        tenant=read.get("tenant") or "TENANT1",
        now=(read.get("clock") or {}).get("now") or _NOW,
        service=_service(read),
        open_problems=read.get("open_problems") or (),
        incidents=read.get("incidents") or (),
        problem=ProblemFacts(**(_PROBLEM | (read.get("problem") or {}))),
    )


def _service(read: Mapping[str, Any]) -> Service | None:
    given = read.get("service", {})
    if given is None or not given.get("known", True):
        return None
    renamed = {"service_id" if name == "id" else name: value for name, value in given.items()}
    return Service(**(_SERVICE | {key: each for key, each in renamed.items() if key != "known"}))


def _value(source: Source, node: Node, name: str, fact: Fact) -> Any:
    """Return the value of `node` as its shape asks for."""
    if isinstance(fact, Mapping):
        return _fields(source, node, name, fact)
    if isinstance(fact, ListOf):
        return _members(source, node, name, fact)
    return _READERS[fact](source, node, name)


def _fields(source: Source, node: Node, name: str, shape: Shape) -> dict[str, Any]:
    keys = [key for key in shape if shape[key] is not FactKind.TEXT_BY_NAME]
    given = source.entries(node, name, keys)
    read = {key: _value(source, value, key, shape[key]) for key, value in given.items()}
    return {key: value for key, value in read.items() if value is not None}


def _members(source: Source, node: Node, name: str, fact: ListOf) -> list[dict[str, Any]]:
    """Return a list of members; names with their values may be given in short."""
    if not isinstance(node, MappingNode):
        return [_fields(source, each, name, fact.member) for each in source.items(node, name)]
    short = source.entries(node, name, None)
    return [{"name": key, "value": source.text_of(value, key)} for key, value in short.items()]


def _texts(source: Source, node: Node, name: str) -> list[str]:
    return source.each(node, name, lambda each: source.text_of(each, name))


_READERS: Mapping[FactKind, Callable[[Source, Node, str], Any]] = {
    FactKind.TEXT: Source.text_of,
    FactKind.WHOLE: Source.whole_of,
    FactKind.FLAG: Source.flag_of,
    FactKind.INSTANT: Source.instant_of,
    FactKind.TEXTS: _texts,
}
