"""The definition of a rule, its checks, and the templates of refusal messages.

A template holds facts: `service {service.id} is {service.state}`. Messages go to the gateway and
the tenant, so no personal field may be named.
"""

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from supplier_api.clock import to_wire
from supplier_api.contract.codes import ProblemCode
from supplier_api.contract.limits import MESSAGE_MAX
from supplier_api.rules.fact_paths import Path, at, is_personal, leaves, resolve, spelled
from supplier_api.rules.facts import GROUPS, FactKind, Shape
from supplier_api.rules.model import LEGAL, Operation, Outcome, meant

ABSENT = "none"  # in a message, for a fact that is absent


class Mode(StrEnum):
    """Whether a rule decides, or only records that it would have."""

    ENFORCE = "enforce"
    AUDIT = "audit"


class Profile(StrEnum):
    """The profiles of the settings; in each a rule may be set only to record."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A rule without its condition: the keys of the rule book.

    `code` and `message` belong to reject alone. `active_from` and `active_until` are business time,
    the end excluded.
    """

    id: str
    applies_to: frozenset[Operation]
    then: Outcome
    code: ProblemCode | None = None
    message: str | None = None
    mode: Mode = Mode.ENFORCE
    audit_in: frozenset[Profile] = frozenset()
    active_from: datetime | None = None
    active_until: datetime | None = None
    description: str = ""

    def active(self, now: datetime) -> bool:
        """Return whether the rule's dates include `now`."""
        return within(self.active_from, now, self.active_until)

    def only_records(self, profile: str) -> bool:
        """Return whether the rule only records in this profile."""
        return self.mode is Mode.AUDIT or profile in self.audit_in


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


def within(start: datetime | None, now: datetime, end: datetime | None) -> bool:
    """Return whether `now` lies between the dates, the end excluded."""
    return (start is None or start <= now) and (end is None or now < end)


class TemplateError(Exception):
    """A template cannot be used; `hint` may help, or is empty."""

    def __init__(self, text: str, hint: str = "") -> None:
        """Keep the error and the hint."""
        self.hint = hint
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Template:
    """A checked message: literal texts, each followed by the value of a path."""

    parts: tuple[tuple[str, Path | None], ...]

    @property
    def reads(self) -> tuple[Path, ...]:
        """The paths that the message names."""
        return tuple(path for _, path in self.parts if path)

    def render(self, values: Mapping[str, Any]) -> str:
        """Return the message, cut to the limit of the contract (1000 code points)."""
        pieces = (text + (_written(at(values, path)) if path else "") for text, path in self.parts)
        return "".join(pieces)[:MESSAGE_MAX]


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
        choices = [spelled(path) for path in leaves(groups) if not is_personal(path)]
        raise TemplateError(f"message: unknown fact {{{name}}}", meant(name, choices))
    path, fact = known
    if is_personal(path):
        raise TemplateError(
            f"message: {{{name}}} is personal or free text, and messages go to third parties"
        )
    if not isinstance(fact, FactKind):
        raise TemplateError(f"message: {{{name}}} is no single value")
    return path


def _written(value: Any) -> str:
    if value is None or value == []:
        return ABSENT
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(value)
    return to_wire(value) if isinstance(value, datetime) else str(value)
