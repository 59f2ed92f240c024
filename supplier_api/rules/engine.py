"""Makes a decision from rules and facts. Never blocks: it runs inside transactions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from supplier_api.contract.codes import ProblemCode
from supplier_api.logging import get_logger
from supplier_api.rules.cel import Bound, CombinedExpression, Expression, Language
from supplier_api.rules.fact_paths import Path, Reading, readings
from supplier_api.rules.facts import GROUPS, UNKNOWN, Facts, values
from supplier_api.rules.model import (
    Decision,
    Operation,
    Outcome,
    Reason,
    RuleNotEvaluated,
    RuleTrace,
    Verdict,
)
from supplier_api.rules.rule import Definition, Template, parse_template, within

_log = get_logger(__name__)


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
        return within(self.active_from, now, self.active_until)


def prepare(
    definition: Definition, operation: Operation, profile: str, condition: Condition
) -> Rule:
    """Return the rule prepared for one of its operations; its message has been checked."""
    refusal = None
    if definition.code is not None and definition.message is not None:
        refusal = RuleRefusal(
            definition.code, parse_template(definition.message, GROUPS[operation])
        )
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


@dataclass(frozen=True, slots=True)
class BookSection:
    """The part of a rule book that decides one operation.

    `default` is the outcome when no rule decides, `fallback` when a rule that might have decided
    could not be evaluated. `groups` are the groups of facts that its rules name, `together` the
    conditions that are evaluated at once.
    """

    operation: Operation
    language: Language
    rules: tuple[Rule, ...]
    default: Outcome
    fallback: Outcome
    groups: frozenset[str]
    together: CombinedExpression | None

    def context(self, facts: Facts, outside: PythonVerdicts) -> EvalContext:
        """Return the facts that the rules name, read and bound once for all rules."""
        read: dict[str, Any] = {group: values(facts, group) for group in self.groups}
        known = {group: value for group, value in read.items() if value is not UNKNOWN}
        return EvalContext(known, self.language.bind(known, self.together), outside)


def decide(section: BookSection, facts: Facts, outside: PythonVerdicts, version: str) -> Decision:
    """Return the decision of one section of the rule book `version`.

    The reasons of all matching reject rules are collected. Without one, the first matching rule
    decides. A rule that cannot be evaluated might have rejected, or decided earlier, so the
    fallback decides; but a rejection stands, since no other rule could undo it.
    """
    context = section.context(facts, outside)
    trace: list[RuleTrace] = []
    reasons: list[Reason] = []
    decided: Rule | None = None
    unevaluated = False
    for rule in section.rules:
        traced = _evaluate(rule, context, facts.now, settled=decided is not None)
        trace.append(traced)
        unevaluated = unevaluated or (traced.verdict is Verdict.FAILED and not rule.audited)
        if traced.verdict is not Verdict.MATCHED:
            continue
        if rule.refusal is None:
            decided = rule
        else:
            message = rule.refusal.message.render(context.values)
            reasons.append(Reason(rule.id, rule.refusal.code, message))
    if reasons:
        outcome, deciding = Outcome.REJECT, reasons[0].rule
    elif unevaluated:
        outcome, deciding = section.fallback, "fallback"
    elif decided:
        outcome, deciding = decided.then, decided.id
    else:
        outcome, deciding = section.default, "default"
    return Decision(outcome, deciding, tuple(reasons), tuple(trace), version)


def _evaluate(rule: Rule, context: EvalContext, now: datetime, *, settled: bool) -> RuleTrace:
    if not rule.active(now):
        return RuleTrace(rule.id, Verdict.INACTIVE, {})
    if settled and rule.refusal is None and not rule.audited:
        return RuleTrace(rule.id, Verdict.SKIPPED, {})
    seen = context.show(rule.reads)
    try:
        matched = evaluate(rule, context)
    except RuleNotEvaluated as error:
        _log.warning("a rule could not be judged", rule=rule.id, why=str(error))
        return RuleTrace(rule.id, Verdict.FAILED, seen, str(error))
    if not matched:
        return RuleTrace(rule.id, Verdict.NOT_MATCHED, seen)
    seen |= context.show(rule.message_reads)
    return RuleTrace(rule.id, Verdict.AUDITED if rule.audited else Verdict.MATCHED, seen)


def evaluate(rule: Rule, context: EvalContext) -> bool:
    """Return whether the rule's condition holds; raises RuleNotEvaluated.

    A rule that names an unknown group is not evaluated at all, even if part of its condition could
    be: its author meant the whole.
    """
    missing = rule.groups - context.values.keys()
    if missing:
        raise RuleNotEvaluated(f"not known in time: {', '.join(sorted(missing))}")
    return rule.condition.holds(context)
