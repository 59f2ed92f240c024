"""A loaded rule book, and how it makes a decision from facts."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from supplier_api.contract.codes import ProblemCode
from supplier_api.rules.cel import Activation, Expression, Language
from supplier_api.rules.examples import Coverage, Example, ExampleResult, cover
from supplier_api.rules.facts import UNKNOWN, Facts, Reading, Template, values
from supplier_api.rules.model import (
    BookFinding,
    Decision,
    Definition,
    Operation,
    Outcome,
    Reason,
    RuleNotEvaluated,
    RuleTrace,
    Verdict,
)
from supplier_api.rules.plugins import Plugins, PythonVerdict, PythonVerdicts
from supplier_api.rules.rule import ParsedRule
from supplier_api.value_object import value_object


@value_object
class KnownFacts:
    """The facts of one decision, as its rules read them.

    `values` holds the known groups, `activation` the same for CEL, `unknown` the names of the
    others; `verdicts` is what the rules written in Python said.
    """

    values: Mapping[str, Any]
    activation: Activation
    unknown: frozenset[str]
    verdicts: PythonVerdicts

    def show(self, readings: Iterable[Reading]) -> dict[str, Any]:
        """Return the value of each reading for the trace, by its name."""
        return {each.name: each.shown(self.values) for each in readings}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule prepared for one operation and one profile.

    `expression` is its condition in CEL; without one it is written in Python. `audited`: it only
    records. `refusal`, the code and the message, is set if, and only if, it rejects. `groups` are
    those that condition and message name; `reads` are the condition's, `message_reads` the
    message's.
    """

    definition: Definition
    expression: Expression | None
    audited: bool
    refusal: tuple[ProblemCode, Template] | None
    groups: frozenset[str]
    reads: tuple[Reading, ...]
    message_reads: tuple[Reading, ...]

    def matches(self, known: KnownFacts) -> bool:
        """Return whether the condition holds; raises RuleNotEvaluated.

        A rule that names an unknown group is not evaluated at all, even if part of its condition
        could be: its author meant the whole.
        """
        if missing := self.groups & known.unknown:
            raise RuleNotEvaluated(f"not known in time: {', '.join(sorted(missing))}")
        if self.expression:
            return self.expression.holds(known.activation)
        verdict = known.verdicts.get(self.definition.id, PythonVerdict(None, "was not asked"))
        if verdict.matched is None:
            raise RuleNotEvaluated(verdict.why)
        return verdict.matched

    def trace(self, known: KnownFacts, now: datetime, *, settled: bool) -> RuleTrace:
        """Evaluate the rule. `settled`, when an earlier one decides, skips all but rejections."""
        name = self.definition.id
        if not self.definition.active(now):
            return RuleTrace(name, Verdict.INACTIVE, {})
        if settled and self.refusal is None and not self.audited:
            return RuleTrace(name, Verdict.SKIPPED, {})
        seen = known.show(self.reads)
        try:
            matched = self.matches(known)
        except RuleNotEvaluated as error:
            return RuleTrace(name, Verdict.FAILED, seen, str(error))
        if not matched:
            return RuleTrace(name, Verdict.NOT_MATCHED, seen)
        seen |= known.show(self.message_reads)
        return RuleTrace(name, Verdict.AUDITED if self.audited else Verdict.MATCHED, seen)


@dataclass(frozen=True, slots=True)
class BookSection:
    """The part of a rule book that decides one operation.

    `default` is the outcome when no rule decides, `fallback` when a rule that might have decided
    could not be evaluated. `groups` are the groups of facts that its rules name, `fields` those of
    their fields that are read; a group that is not in it is read as a whole.
    """

    language: Language
    rules: tuple[Rule, ...]
    default: Outcome
    fallback: Outcome
    groups: frozenset[str]
    fields: Mapping[str, frozenset[str]]

    def known(self, facts: Facts, verdicts: PythonVerdicts) -> KnownFacts:
        """Return the facts that the rules name, read and bound once for all rules."""
        fields = self.fields
        read = {group: values(facts, group, fields.get(group)) for group in self.groups}
        known = {group: value for group, value in read.items() if value is not UNKNOWN}
        unknown = self.groups - known.keys()
        return KnownFacts(known, self.language.bind(known), unknown, verdicts)


def fields_read(rules: Iterable[Rule]) -> Mapping[str, frozenset[str]]:
    """Return the fields that conditions and messages read of those groups that none reads whole."""
    paths = [each.path for rule in rules for each in (*rule.reads, *rule.message_reads)]
    whole = {path[0] for path in paths if len(path) == 1}
    return {
        group: frozenset(path[1] for path in paths if path[0] == group)
        for group in {path[0] for path in paths} - whole
    }


def _line(rule: Definition) -> float:
    """Return where a rule stands in the file; those written in Python are behind all others."""
    return rule.node.start_mark.line if isinstance(rule, ParsedRule) else math.inf


@dataclass(frozen=True, slots=True)
class RuleBook:
    """A loaded rule book. `warnings` are findings that do not prevent its use.

    `version` is a digest of the file, and of the rules written in Python, if there are any.
    """

    version: str
    warnings: tuple[BookFinding, ...]
    examples: tuple[Example, ...]
    sections: Mapping[Operation, BookSection]
    plugins: Plugins

    @property
    def size(self) -> int | None:
        """The number of rules, with those written in Python."""
        sections = self.sections.values()
        return len({rule.definition.id for section in sections for rule in section.rules})

    def definitions(self) -> dict[str, Definition]:
        """Return the rules by their ids, with those written in Python, in the order of the file."""
        sections = self.sections.values()
        found = {
            rule.definition.id: rule.definition for section in sections for rule in section.rules
        }
        return dict(sorted(found.items(), key=lambda each: _line(each[1])))

    def groups(self, operation: Operation) -> frozenset[str]:
        """Return the groups of facts that a decision of `operation` needs."""
        return self.sections[operation].groups

    def decide(self, operation: Operation, facts: Facts, verdicts: PythonVerdicts) -> Decision:
        """Return the decision. Never blocks, so that it can run inside a transaction.

        `verdicts` are those of the rules written in Python, which ran before the transaction.

        The reasons of all matching reject rules are collected. Without one, the first matching rule
        decides. A rule that cannot be evaluated might have rejected, or decided earlier, so the
        fallback decides; but a rejection stands, since no other rule could undo it.
        """
        section = self.sections[operation]
        known = section.known(facts, verdicts)
        trace: list[RuleTrace] = []
        reasons: list[Reason] = []
        decided: Definition | None = None
        unevaluated = False
        for rule in section.rules:
            traced = rule.trace(known, facts.now, settled=decided is not None)
            trace.append(traced)
            unevaluated = unevaluated or (traced.verdict is Verdict.FAILED and not rule.audited)
            if traced.verdict is not Verdict.MATCHED:
                continue
            if rule.refusal is None:
                decided = rule.definition
            else:
                code, message = rule.refusal
                reasons.append(Reason(traced.rule, code, message.render(known.values)))
        if reasons:
            outcome, deciding = Outcome.REJECT, reasons[0].rule
        elif unevaluated:
            outcome, deciding = section.fallback, "fallback"
        elif decided:
            outcome, deciding = decided.then, decided.id
        else:
            outcome, deciding = section.default, "default"
        described = decided.description if decided and deciding == decided.id else ""
        return Decision(outcome, deciding, tuple(reasons), tuple(trace), self.version, described)

    def try_examples(self) -> list[ExampleResult]:
        """Evaluate every example of the rules."""
        return [ExampleResult(example, self._verdict(example)) for example in self.examples]

    def coverage(self, tried: Iterable[ExampleResult]) -> list[Coverage]:
        """Return for each rule of the file how its examples cover it."""
        results = list(tried)
        written = {
            rule.definition.id: rule.expression.constant is not None
            for section in self.sections.values()
            for rule in section.rules
            if rule.expression
        }
        return [cover(rule, results, constant=constant) for rule, constant in written.items()]

    def _verdict(self, example: Example) -> Verdict:
        section = self.sections[example.operation]
        rule = next(rule for rule in section.rules if rule.definition.id == example.rule)
        try:
            matched = rule.matches(section.known(example.facts, {}))
        except RuleNotEvaluated:
            return Verdict.FAILED
        return Verdict.MATCHED if matched else Verdict.NOT_MATCHED
