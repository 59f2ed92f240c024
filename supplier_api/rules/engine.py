"""How a decision is made from rules and facts. Nothing here waits for anything."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from supplier_api.logging import get_logger
from supplier_api.rules.cel import Language, Together
from supplier_api.rules.facts import UNKNOWN, Facts, values
from supplier_api.rules.model import (
    Decision,
    Operation,
    Outcome,
    Reason,
    RuleTrace,
    Unjudged,
    Verdict,
)
from supplier_api.rules.rule import EvalContext, OutsideVerdicts, Rule

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BookSection:
    """The part of a rule book that decides one operation.

    `default` holds when no rule decides, `fallback` when a rule that might have could not be
    judged. `groups` are the groups of facts that its rules name, `together` the conditions that are
    judged at once.
    """

    operation: Operation
    language: Language
    rules: tuple[Rule, ...]
    default: Outcome
    fallback: Outcome
    groups: frozenset[str]
    together: Together | None

    def look(self, facts: Facts, outside: OutsideVerdicts) -> EvalContext:
        """Make the facts that the rules name ready, once for all rules."""
        read: dict[str, Any] = {group: values(facts, group) for group in self.groups}
        known = {group: value for group, value in read.items() if value is not UNKNOWN}
        return EvalContext(known, self.language.bind(known, self.together), outside)


def decide(section: BookSection, facts: Facts, outside: OutsideVerdicts, version: str) -> Decision:
    """Return the decision of one section of the book of that version.

    Every rule that refuses is heard. Without a refusal the first rule that matches decides. A rule
    that cannot be judged might have refused, or decided earlier, and then the fallback decides; but
    a refusal stands, since nothing that the silent rule could say would undo it.
    """
    context = section.look(facts, outside)
    trace: list[RuleTrace] = []
    reasons: list[Reason] = []
    decided: Rule | None = None
    doubtful = False
    for rule in section.rules:
        traced = _rule_evaluator(rule, context, facts.now, settled=decided is not None)
        trace.append(traced)
        doubtful = doubtful or (traced.verdict is Verdict.FAILED and not rule.audited)
        if traced.verdict is not Verdict.MATCHED:
            continue
        if rule.refusal is None:
            decided = rule
        else:
            message = rule.refusal.message.render(context.values)
            reasons.append(Reason(rule.id, rule.refusal.code, message))
    if reasons:
        outcome, deciding = Outcome.REJECT, reasons[0].rule
    elif doubtful:
        outcome, deciding = section.fallback, "fallback"
    elif decided:
        outcome, deciding = decided.then, decided.id
    else:
        outcome, deciding = section.default, "default"
    return Decision(outcome, deciding, tuple(reasons), tuple(trace), version)


def _rule_evaluator(rule: Rule, context: EvalContext, now: datetime, *, settled: bool) -> RuleTrace:
    if not rule.active(now):
        return RuleTrace(rule.id, Verdict.INACTIVE, {})
    if settled and rule.refusal is None and not rule.audited:
        return RuleTrace(rule.id, Verdict.SKIPPED, {})
    seen = context.show(rule.reads)
    try:
        matched = judge(rule, context)
    except Unjudged as error:
        _log.warning("a rule could not be judged", rule=rule.id, why=str(error))
        return RuleTrace(rule.id, Verdict.FAILED, seen, str(error))
    if not matched:
        return RuleTrace(rule.id, Verdict.NOT_MATCHED, seen)
    seen |= context.show(rule.message_reads)
    return RuleTrace(rule.id, Verdict.AUDITED if rule.audited else Verdict.MATCHED, seen)


def judge(rule: Rule, context: EvalContext) -> bool:
    """Tell whether the rule's condition holds; raises Unjudged.

    A rule that names a group of which nothing is known is not even tried: part of its condition
    might hold without that group, but what its author meant cannot be told from a part.
    """
    missing = rule.groups - context.values.keys()
    if missing:
        raise Unjudged(f"not known in time: {', '.join(sorted(missing))}")
    return rule.condition.holds(context)
