"""The definition of a rule, its checks, and the rule prepared for one operation."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from supplier_api.contract.codes import ProblemCode
from supplier_api.rules.cel import Bound, Expression
from supplier_api.rules.fact_paths import Path, Reading, readings
from supplier_api.rules.facts import GROUPS
from supplier_api.rules.model import LEGAL, Operation, Outcome, RuleNotEvaluated
from supplier_api.rules.template import Template, TemplateError, parse


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
        return _within(self.active_from, now, self.active_until)

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
            parse(message, GROUPS[operation])
        except TemplateError as error:
            found.setdefault(str(error), RuleBreach("message", str(error), error.hint))
    yield from found.values()


@dataclass(frozen=True, slots=True)
class PythonVerdict:
    """The result of a rule written in Python; None when it could not be evaluated, and why."""

    matched: bool | None
    why: str = ""


PythonVerdicts = Mapping[str, PythonVerdict]


@dataclass(frozen=True, slots=True)
class EvalContext:
    """The facts of one decision for its rules: plain, bound for CEL, and the Python verdicts.

    `values` holds the known groups; `shown` caches the values for the trace, since rules often read
    the same.
    """

    values: Mapping[str, Any]
    bound: Bound
    python_verdicts: PythonVerdicts
    shown: dict[str, Any] = field(default_factory=dict)

    def show(self, readings: Collection[Reading]) -> dict[str, Any]:
        """Return the value of each reading for the trace, by its name."""
        shown = self.shown
        for read in readings:
            if read.name not in shown:
                shown[read.name] = read.shown(self.values)
        return {read.name: shown[read.name] for read in readings}


class Condition(Protocol):
    """When a rule matches."""

    @property
    def groups(self) -> frozenset[str]:
        """Return the groups of facts that are needed."""

    @property
    def reads(self) -> tuple[Path, ...]:
        """Return the paths that are read."""

    def holds(self, context: EvalContext) -> bool:
        """Return whether the rule matches; raises RuleNotEvaluated."""


@dataclass(frozen=True, slots=True)
class CelCondition:
    """A condition of the rule book, as a CEL expression."""

    expression: Expression

    @property
    def groups(self) -> frozenset[str]:
        """Return the groups that the expression names."""
        return self.expression.groups

    @property
    def reads(self) -> tuple[Path, ...]:
        """Return the paths that the expression names."""
        return self.expression.reads

    def holds(self, context: EvalContext) -> bool:
        """Evaluate the expression; raises RuleNotEvaluated."""
        return self.expression.holds(context.bound)


@dataclass(frozen=True, slots=True)
class PythonCondition:
    """A condition written in Python, evaluated before the transaction."""

    rule: str
    groups: frozenset[str]

    @property
    def reads(self) -> tuple[Path, ...]:
        """Return whole groups: what the code reads in them is not known."""
        return tuple((group,) for group in sorted(self.groups))

    def holds(self, context: EvalContext) -> bool:
        """Return the rule's verdict; raises RuleNotEvaluated when there is none."""
        verdict = context.python_verdicts.get(self.rule, PythonVerdict(None, "was not asked"))
        if verdict.matched is None:
            raise RuleNotEvaluated(verdict.why)
        return verdict.matched


@dataclass(frozen=True, slots=True)
class RuleRefusal:
    """The code and the message of a reject rule."""

    code: ProblemCode
    message: Template


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule prepared for one operation and one profile.

    `refusal` is set if, and only if, it rejects. `audited`: it only records. `reads` are the
    condition's, `message_reads` the message's.
    """

    id: str
    then: Outcome
    refusal: RuleRefusal | None
    audited: bool
    active_from: datetime | None
    active_until: datetime | None
    condition: Condition
    groups: frozenset[str]
    reads: tuple[Reading, ...]
    message_reads: tuple[Reading, ...]

    def active(self, now: datetime) -> bool:
        """Return whether the rule's dates include `now`."""
        return _within(self.active_from, now, self.active_until)


def _within(start: datetime | None, now: datetime, end: datetime | None) -> bool:
    return (start is None or start <= now) and (end is None or now < end)


def prepare(
    definition: Definition, operation: Operation, profile: str, condition: Condition
) -> Rule:
    """Return the rule prepared for one of its operations; its message has been checked."""
    refusal = None
    if definition.code is not None and definition.message is not None:
        refusal = RuleRefusal(definition.code, parse(definition.message, GROUPS[operation]))
    named = refusal.message.reads if refusal else ()
    return Rule(
        id=definition.id,
        then=definition.then,
        refusal=refusal,
        audited=definition.only_records(profile),
        active_from=definition.active_from,
        active_until=definition.active_until,
        condition=condition,
        groups=condition.groups | {path[0] for path in named},
        reads=readings(condition.reads),
        message_reads=readings(named),
    )
