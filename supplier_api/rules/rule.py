"""A rule as it is written: its checks, its message, and how it is read from YAML.

A template holds facts: `service {service.id} is {service.state}`. Messages go to the gateway and
the tenant, so no personal field may be named.
"""

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from yaml.nodes import Node, ScalarNode

from supplier_api.contract.codes import ProblemCode
from supplier_api.contract.limits import MESSAGE_MAX
from supplier_api.rules.fact_kinds import FactKind, Shape
from supplier_api.rules.facts import GROUPS, Path, Template, is_personal, leaves, resolve
from supplier_api.rules.model import LEGAL, Definition, Mode, Operation, Outcome, Profile, meant
from supplier_api.rules.yaml_source import YamlSource

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


class RuleBreach(NamedTuple):
    """An error in one key of a definition, with a hint."""

    key: str
    text: str
    hint: str = ""


def breaches(definition: Definition) -> Iterator[RuleBreach]:
    """Yield the errors of a definition that the contract does not allow."""
    then = definition.then
    for operation in sorted(definition.applies_to):
        if then not in LEGAL[operation]:
            allowed = ", ".join(sorted(LEGAL[operation]))
            yield RuleBreach(
                "then", f"then: {then} is no answer to: {operation}", f"allowed: {allowed}"
            )
    for key in ("code", "message"):
        given = getattr(definition, key) is not None
        if given and then is not Outcome.REJECT:
            yield RuleBreach(key, f"{key}: only a reject has one")
        elif then is Outcome.REJECT and not given:
            yield RuleBreach("then", f"then: reject needs a {key}")
    yield from _message_breaches(definition)


def _message_breaches(definition: Definition) -> Iterator[RuleBreach]:
    message = definition.message
    if message is None:
        return
    found: dict[str, RuleBreach] = {}
    for operation in sorted(definition.applies_to):
        try:
            parse_template(message, GROUPS[operation])
        except TemplateError as error:
            found.setdefault(str(error), RuleBreach("message", str(error), error.hint))
    yield from found.values()


class TemplateError(Exception):
    """A template cannot be used; `hint` may help, or is empty."""

    def __init__(self, text: str, hint: str = "") -> None:
        """Keep the error and the hint."""
        self.hint = hint
        super().__init__(text)


def parse_template(text: str, groups: Shape) -> Template:
    """Return the checked template; `{{` and `}}` stand for braces. Raises TemplateError."""
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise TemplateError(f"message: {error}", "a brace itself is written {{ or }}") from None
    parts = []
    for literal, name, form, conversion in pieces:
        if form or conversion:
            raise TemplateError(f"message: {{{name}}} allows no format and no conversion")
        parts.append((literal, None if name is None else _checked(name, groups)))
    if not any(literal.strip() or path for literal, path in parts):
        raise TemplateError("message: empty")
    if sum(len(literal) for literal, _ in parts) > MESSAGE_MAX:
        raise TemplateError(f"message: longer than {MESSAGE_MAX} characters")
    return Template(tuple(parts))


def _checked(name: str, groups: Shape) -> Path:
    names = name.split(".")
    known = resolve(groups, names)
    if known is None or len(known[0]) < len(names):
        choices = [".".join(path) for path in leaves(groups) if not is_personal(path)]
        raise TemplateError(f"message: unknown fact {{{name}}}", meant(name, choices))
    path, fact = known
    if is_personal(path):
        raise TemplateError(
            f"message: {{{name}}} is personal or free text, and messages go to third parties"
        )
    if not isinstance(fact, FactKind):
        raise TemplateError(f"message: {{{name}}} is no single value")
    return path


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


def read_rule(source: YamlSource, node: Node) -> ParsedRule:
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


def _id(source: YamlSource, node: Node) -> str | None:
    name = source.text_of(node, "id")
    if name is not None and (fault := id_fault(name)):
        source.report(node, fault)
    return name


def _operations(source: YamlSource, node: Node) -> frozenset[Operation]:
    found = source.each(
        node, "applies_to", lambda each: source.word_of(each, "applies_to", Operation)
    )
    if isinstance(node, ScalarNode) or not found:
        source.report(node, "applies_to: name at least one operation", "[problem]")
    return frozenset(found)


def _profiles(source: YamlSource, node: Node) -> frozenset[Profile]:
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
