"""Parses the rules of the YAML file key by key; the book checks their meaning later."""

import re
from dataclasses import dataclass
from typing import Any

from yaml.nodes import Node, ScalarNode

from supplier_api.contract.codes import ProblemCode
from supplier_api.rules.model import Operation, Outcome
from supplier_api.rules.rule import Definition, Mode, Profile, breaches
from supplier_api.rules.yaml_positions import Source

RULE_KEYS = (
    "id",
    "applies_to",
    "when",
    "then",
    "code",
    "message",
    "mode",
    "audit_in",
    "active_from",
    "active_until",
    "description",
    "examples",
)
REQUIRED_KEYS = ("id", "applies_to", "when", "then")

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ID_MAX = 60
RESERVED = frozenset({"default", "fallback"})


@dataclass(frozen=True, kw_only=True)
class ParsedRule(Definition):
    """A rule of the file, with the text of its condition and the YAML node of each value."""

    when: str
    node: Node
    nodes: dict[str, Node]

    def place(self, key: str) -> Node:
        """Return the node of the value of `key`, or else that of the rule."""
        return self.nodes.get(key, self.node)


def id_fault(name: str) -> str:
    """Return the error in the id of a rule, or an empty text."""
    if name in RESERVED:
        return f"id: {name} is a word of the trace"
    if not _ID.fullmatch(name) or len(name) > _ID_MAX:
        return f"id: {name!r} is not made of small letters, digits and single hyphens"
    return ""


def read_rule(source: Source, node: Node) -> ParsedRule:
    """Parse one rule; errors are reported to `source`.

    A rule is returned in any case, so that the rest of it is checked as well.
    """
    before = len(source.findings)
    nodes = source.entries(node, "rule", RULE_KEYS, REQUIRED_KEYS)
    read = {key: _READERS[key](source, value) for key, value in nodes.items() if key in _READERS}
    usable = {key: value for key, value in read.items() if value is not None}
    rule = ParsedRule(**(_UNREADABLE | usable), node=node, nodes=nodes)
    if len(source.findings) == before:
        for breach in breaches(rule):
            source.report(rule.place(breach.key), breach.text, breach.hint)
    return rule


# Placeholders for values that could not be read; they cause no further errors.
_UNREADABLE: dict[str, Any] = {
    "id": "",
    "applies_to": frozenset(),
    "when": "true",
    "then": Outcome.DEFER,
}


def _id(source: Source, node: Node) -> str | None:
    name = source.text_of(node, "id")
    if name is not None and (fault := id_fault(name)):
        source.report(node, fault)
    return name


def _operations(source: Source, node: Node) -> frozenset[Operation]:
    found = source.each(
        node, "applies_to", lambda each: source.word_of(each, "applies_to", Operation)
    )
    if isinstance(node, ScalarNode) or not found:
        source.report(node, "applies_to: name at least one operation", "[problem]")
    return frozenset(found)


def _profiles(source: Source, node: Node) -> frozenset[Profile]:
    return frozenset(
        source.each(node, "audit_in", lambda each: source.word_of(each, "audit_in", Profile))
    )


_READERS: dict[str, Any] = {
    "id": _id,
    "applies_to": _operations,
    "when": lambda source, node: source.text_of(node, "when"),
    "then": lambda source, node: source.word_of(node, "then", Outcome),
    "code": lambda source, node: source.word_of(node, "code", ProblemCode),
    "message": lambda source, node: source.text_of(node, "message"),
    "mode": lambda source, node: source.word_of(node, "mode", Mode),
    "audit_in": _profiles,
    "active_from": lambda source, node: source.instant_of(node, "active_from"),
    "active_until": lambda source, node: source.instant_of(node, "active_until"),
    "description": lambda source, node: source.text_of(node, "description"),
}
