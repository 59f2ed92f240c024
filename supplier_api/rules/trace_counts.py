"""What the stored traces say of rules: how often each matched, and what an audit rule would do."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.rules.book import RuleBook
from supplier_api.rules.model import ANSWERS, Outcome, Verdict, meant
from supplier_api.rules.past_decision import PastDecision


@dataclass(slots=True)
class RuleHits:
    """How often a rule had each verdict, and when (business time) it last matched."""

    verdicts: Counter[str] = field(default_factory=Counter)
    last: datetime | None = None

    def document(self, rule: str, *, in_book: bool) -> dict[str, Any]:
        """Return the counts as plain JSON values; `in_book`: the configured book has the rule."""
        return {
            "rule": rule,
            "inBook": in_book,
            **{_KEYS[verdict]: self.verdicts[verdict] for verdict in _KEYS},
            "lastMatched": to_wire(self.last) if self.last else None,
        }


_KEYS = {
    Verdict.MATCHED: "matched",
    Verdict.AUDITED: "audited",
    Verdict.NOT_MATCHED: "notMatched",
    Verdict.FAILED: "failed",
    Verdict.INACTIVE: "inactive",
    Verdict.SKIPPED: "skipped",
}


class HitCounter:
    """Counts the verdicts of every rule, those of the book first, in its order."""

    def __init__(self, book: RuleBook) -> None:
        """Begin with the rules of `book`, none of which has matched."""
        self._in_book = dict.fromkeys(book.definitions())
        self._rules = {rule: RuleHits() for rule in self._in_book}
        self.decisions = 0

    def add(self, past: PastDecision) -> None:
        """Count the trace of one decision; one that is thinned has none."""
        self.decisions += 1
        for rule, verdict in past.verdicts().items():
            hits = self._rules.setdefault(rule, RuleHits())
            hits.verdicts[verdict] += 1
            if verdict == Verdict.MATCHED:
                hits.last = max(hits.last or past.created, past.created)

    def documents(self) -> list[dict[str, Any]]:
        """Return what was counted, rule by rule."""
        return [
            hits.document(rule, in_book=rule in self._in_book) for rule, hits in self._rules.items()
        ]


class UnknownRule(Exception):
    """The rule book has no rule of that name; the text names what may be meant."""


class AuditedRule:
    """What a rule that only records would have done, had it been enforced."""

    def __init__(self, book: RuleBook, rule: str, most: int) -> None:
        """Look for a rule of `book`; list the first `most` requests that it would have changed.

        Raises UnknownRule.
        """
        known = book.definitions()
        if rule not in known:
            raise UnknownRule(f"the rule book has no rule {rule} ({meant(rule, known)})")
        self._rule = rule
        self._then = known[rule].then
        self._most = most
        self._verdicts: Counter[str] = Counter()
        self._changes: Counter[tuple[str, str]] = Counter()
        self._requests: list[dict[str, Any]] = []

    def add(self, past: PastDecision) -> None:
        """Count one decision."""
        verdict = past.verdicts().get(self._rule)
        if verdict is None:
            return
        self._verdicts[verdict] += 1
        if verdict != Verdict.AUDITED or not self._would_change(past):
            return
        change = ANSWERS[past.outcome], ANSWERS[self._then]
        self._changes[change] += 1
        if len(self._requests) < self._most:
            self._requests.append(
                {
                    "tenant": past.tenant,
                    "operation": past.operation,
                    "id": past.key,
                    "reference": past.reference,
                    "at": to_wire(past.created),
                    "before": change[0],
                    "enforced": change[1],
                }
            )

    def document(self) -> dict[str, Any]:
        """Return what was counted as plain JSON values."""
        return {
            "rule": self._rule,
            "then": str(self._then),
            **{_KEYS[verdict]: self._verdicts[verdict] for verdict in _KEYS},
            "changes": [
                {"before": before, "enforced": enforced, "count": count}
                for (before, enforced), count in self._changes.most_common()
            ],
            "requests": self._requests,
        }

    def _would_change(self, past: PastDecision) -> bool:
        """Return whether the outcome would have been another; a rejection stands in any case."""
        if past.outcome is self._then or past.outcome is Outcome.REJECT or past.overruled:
            return False
        if self._then is Outcome.REJECT or past.rule == "default":
            return True
        # Of rules that accept or defer the first decides; the fallback stands before them all.
        rules = list(past.verdicts())
        return past.rule in rules and rules.index(self._rule) < rules.index(past.rule)
