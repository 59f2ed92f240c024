"""Replays stored decisions through the draft of a rule book, and counts what would be different.

Nothing is looked up and nothing is written: the facts are those that were stored. A rule that needs
more than these, personal fields above all, cannot be replayed. Its verdict is taken from the trace
if the book that gave it is known and has the rule with the same condition; if not, and if the rule
might have decided, the whole decision is not replayable.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from supplier_api.rules.book import BookSection, Rule, RuleBook
from supplier_api.rules.facts import Path, Reading
from supplier_api.rules.model import ANSWERS, LIFECYCLE, Decision, Operation, Verdict
from supplier_api.rules.past_decision import MATCHES, PastDecision
from supplier_api.rules.plugins import PythonVerdict, PythonVerdicts
from supplier_api.rules.rule import id_fault
from supplier_api.rules.stored_facts import from_stored, not_stored

NOT_REPLAYABLE = "not replayable"
_SHAPES_KEPT = 64  # sets of attributes that older releases did not store


@dataclass(slots=True)
class RuleCount:
    """How often a rule matched (or would have, if it only records), before and in the draft."""

    before: int = 0
    draft: int = 0
    not_replayable: int = 0


@dataclass(slots=True)
class Difference:
    """The requests whose answer would be another one in the same way.

    `rules` counts why; `requests` are the first of them, with their reasons.
    """

    count: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    requests: list[dict[str, Any]] = field(default_factory=list)


class Backtest:
    """A draft, and what it would have changed so far."""

    def __init__(self, draft: RuleBook, known: Iterable[RuleBook], most: int) -> None:
        """Replay through `draft`. `known` are books that may have decided; list `most` requests."""
        self._draft = draft
        self._known = {book.version: _conditions(book) for book in known}
        self._conditions = _conditions(draft)
        self._most = most
        self._prepared = lru_cache(maxsize=_SHAPES_KEPT)(self._prepare)
        self.counts: Counter[str] = Counter()
        self.differences: dict[tuple[Operation, str, str], Difference] = {}
        self.rules: dict[str, RuleCount] = {
            rule.definition.id: RuleCount()
            for section in draft.sections.values()
            for rule in section.rules
        }

    def add(self, past: PastDecision) -> None:
        """Replay one decision."""
        self.counts["decisions"] += 1
        if past.overruled:
            self.counts["overruled"] += 1
            return
        if past.facts is None:
            self.counts["withoutFacts"] += 1
            return
        decision, unknown = self._decide(past)
        before = past.verdicts()
        for rule, verdict in before.items():
            if verdict in MATCHES:
                self.rules.setdefault(rule, RuleCount()).before += 1
        for each in decision.trace:
            self.rules[each.rule].draft += each.verdict in MATCHES
            self.rules[each.rule].not_replayable += each.rule in unknown
        if decision.rule == "fallback" and unknown:
            self.counts["notReplayable"] += 1
            return
        self._compare(past, decision, unknown)

    def document(self) -> dict[str, Any]:
        """Return what was found as plain JSON values."""
        return {
            "draft": self._draft.version,
            **{
                name: self.counts[name]
                for name in (
                    "decisions",
                    "same",
                    "different",
                    "notReplayable",
                    "withoutFacts",
                    "overruled",
                )
            },
            "differences": [
                {
                    "operation": operation,
                    "before": before,
                    "draft": after,
                    "count": found.count,
                    "rules": dict(found.rules.most_common()),
                    "requests": found.requests,
                }
                for (operation, before, after), found in sorted(self.differences.items())
            ],
            "rules": [
                {
                    "rule": rule,
                    "before": count.before,
                    "draft": count.draft,
                    "notReplayable": count.not_replayable,
                }
                for rule, count in self.rules.items()
            ],
        }

    # -- one decision

    def _decide(self, past: PastDecision) -> tuple[Decision, frozenset[str]]:
        """Return the draft's decision, and the rules of which it is not known what they would say.

        These have failed in its trace.
        """
        stored = past.facts or {}
        section, taken = self._prepared(past.operation, not_stored(stored))
        verdicts = self._verdicts(past, taken)
        sections = {**self._draft.sections, past.operation: section}
        book = replace(self._draft, sections=sections)
        decision = book.decide(past.operation, from_stored(past.tenant, stored), verdicts)
        failed = {each.rule for each in decision.trace if each.verdict is Verdict.FAILED}
        unstored = {each.definition.id for each in section.rules if each.groups - _groups(stored)}
        return decision, frozenset(failed & (taken | unstored))

    def _prepare(
        self, operation: Operation, missing: frozenset[Path]
    ) -> tuple[BookSection, frozenset[str]]:
        """Return the draft's section, with the rules that cannot be evaluated on what is stored.

        These are given their verdict, as rules written in Python are.
        """
        section = self._draft.sections[operation]
        taken = frozenset(
            rule.definition.id for rule in section.rules if not _replayable(rule, missing)
        )
        rules = tuple(
            replace(rule, expression=None, groups=frozenset[str]())
            if rule.definition.id in taken
            else rule
            for rule in section.rules
        )
        return replace(section, rules=rules), taken

    def _verdicts(self, past: PastDecision, taken: frozenset[str]) -> PythonVerdicts:
        """Return the verdicts of these rules from the trace, where the same condition gave them."""
        known = self._known.get(past.book_version, {})
        before = past.verdicts() if taken else {}
        found: dict[str, PythonVerdict] = {}
        for rule in taken:
            same = known.get((past.operation, rule)) == self._conditions[past.operation, rule]
            verdict = before.get(rule) if same else None
            matched = verdict in MATCHES if verdict in {*MATCHES, Verdict.NOT_MATCHED} else None
            found[rule] = PythonVerdict(matched, NOT_REPLAYABLE)
        return found

    def _compare(self, past: PastDecision, decision: Decision, unknown: frozenset[str]) -> None:
        # What the lifecycle refused it would refuse again.
        stays = past.rule == LIFECYCLE and not decision.reasons
        before = {
            (each["rule"], each["code"], each["message"])
            for each in past.reasons
            if each["rule"] not in unknown and not id_fault(each["rule"])
        }
        after = {(each.rule, str(each.code), each.message) for each in decision.reasons}
        if stays or (past.outcome is decision.outcome and before == after):
            self.counts["same"] += 1
            return
        self.counts["different"] += 1
        key = past.operation, ANSWERS[past.outcome], ANSWERS[decision.outcome]
        found = self.differences.setdefault(key, Difference())
        found.count += 1
        new = [each for each in decision.reasons if each.rule not in {rule for rule, *_ in before}]
        rules = {each.rule for each in new or decision.reasons}
        if not decision.reasons:
            # What was refused is not refused any more: the reasons that are gone say why.
            rules = {rule for rule, *_ in before} or {decision.rule}
        found.rules.update(rules)
        if len(found.requests) < self._most:
            found.requests.append(_request(past, decision))


def _request(past: PastDecision, decision: Decision) -> dict[str, Any]:
    return {
        "tenant": past.tenant,
        "id": past.key,
        "reference": past.reference,
        "rule": {"before": past.rule, "draft": decision.rule},
        "reasons": {
            "before": [each["message"] for each in past.reasons],
            "draft": [each.message for each in decision.reasons],
        },
    }


def _replayable(rule: Rule, missing: frozenset[Path]) -> bool:
    """Return whether the stored facts have all that the rule reads."""
    reads = (*rule.reads, *rule.message_reads)
    return rule.expression is not None and all(_is_stored(each, missing) for each in reads)


def _is_stored(reading: Reading, missing: frozenset[Path]) -> bool:
    path = reading.path
    # The request as a whole has its personal fields.
    if reading.personal or path == ("request",):
        return False
    return all(path != each and each[: len(path)] != path for each in missing)


def _groups(stored: Mapping[str, Any]) -> frozenset[str]:
    """Return the groups of facts that are stored."""
    return frozenset({"tenant", "clock", *stored})


def _conditions(book: RuleBook) -> dict[tuple[Operation, str], object]:
    """Return the condition of each rule: its text, or its function."""
    return {
        (operation, rule.definition.id): getattr(rule.definition, "when", None)
        for operation, section in book.sections.items()
        for rule in section.rules
    }
