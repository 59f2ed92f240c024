"""Makes a decision from rules and facts. Never blocks: it runs inside transactions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from supplier_api.logging import get_logger
from supplier_api.rules.cel import CombinedExpression, Language
from supplier_api.rules.facts import UNKNOWN, Facts, values
from supplier_api.rules.model import (
    Decision,
    Operation,
    Outcome,
    Reason,
    RuleNotEvaluated,
    RuleTrace,
    Verdict,
)
from supplier_api.rules.rule import EvalContext, PythonVerdicts, Rule

_log = get_logger(__name__)


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
