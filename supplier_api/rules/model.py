"""The model of a rule and of a decision (outcome, reasons, trace), and findings about a book."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from supplier_api.contract.codes import ProblemCode
from supplier_api.logging import SafeToLog
from supplier_api.value_object import value_object


class Operation(StrEnum):
    """The requests that the rule book decides on."""

    PROBLEM = "problem"
    AMENDMENT = "amendment"
    CANCELLATION = "cancellation"


class Outcome(StrEnum):
    """The decision's answer: 422, 202, 201 ACKNOWLEDGED, 201 IN_PROGRESS (a change: applied)."""

    REJECT = "reject"
    DEFER = "defer"
    ACKNOWLEDGE = "acknowledge"
    COMMIT = "commit"


# Begins the trace of a decision that was put off and made later; no rule.
PUT_OFF = "put-off"
# Stored as the rule, where the lifecycle refuses a change that the rule book would accept.
LIFECYCLE = "lifecycle"

# What the gateway is answered; a problem that is committed to is also IN_PROGRESS.
ANSWERS: Mapping[Outcome, str] = {
    Outcome.REJECT: "422",
    Outcome.DEFER: "202",
    Outcome.ACKNOWLEDGE: "201 ACKNOWLEDGED",
    Outcome.COMMIT: "201",
}


def answer_in_words(operation: Operation, outcome: Outcome) -> str:
    """Return what the gateway is answered: the status, and the state of a new problem."""
    working = outcome is Outcome.COMMIT and operation is Operation.PROBLEM
    return f"{ANSWERS[outcome]} IN_PROGRESS" if working else ANSWERS[outcome]


# The contract has no acknowledged change: it is applied (201), open (202) or refused.
LEGAL: Mapping[Operation, frozenset[Outcome]] = {
    Operation.PROBLEM: frozenset(Outcome),
    Operation.AMENDMENT: frozenset({Outcome.REJECT, Outcome.DEFER, Outcome.COMMIT}),
    Operation.CANCELLATION: frozenset({Outcome.REJECT, Outcome.DEFER, Outcome.COMMIT}),
}


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
        begun = self.active_from is None or self.active_from <= now
        return begun and (self.active_until is None or now < self.active_until)

    def only_records(self, profile: str) -> bool:
        """Return whether the rule only records in this profile."""
        return self.mode is Mode.AUDIT or profile in self.audit_in


class Verdict(StrEnum):
    """The result of one rule in one decision.

    audited: it matched, but only records. inactive: its dates exclude today. failed: it could not
    be evaluated. skipped: an earlier rule had decided.
    """

    MATCHED = "matched"
    NOT_MATCHED = "not matched"
    AUDITED = "audited"
    INACTIVE = "inactive"
    FAILED = "failed"
    SKIPPED = "skipped"


@value_object
class Reason:
    """Why a request is refused: the rule, the code for KCIs, a message for third parties."""

    rule: str
    code: ProblemCode
    message: str


@value_object
class RuleTrace:
    """The trace of one rule in a decision. `values` are JSON values by path, personal ones masked.

    `why` is the error when the verdict is `failed`, else empty.
    """

    rule: str
    verdict: Verdict
    values: Mapping[str, Any]
    why: str = ""


@value_object
class Decision:
    """The outcome of a request, and why.

    `rule` is the id of the rule that decided, or `default`, or `fallback` when a rule that might
    have changed the outcome could not be evaluated. `reasons` is empty unless the outcome is
    reject.
    """

    outcome: Outcome
    rule: str
    reasons: tuple[Reason, ...]
    trace: tuple[RuleTrace, ...]
    book_version: str
    # What the deciding rule says of itself.
    description: str = ""
    # What it was made on, as it is stored (rules.stored_facts), where that is kept.
    facts: Mapping[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """Return the decision as plain JSON values, as it is stored and shown."""
        plain = {
            "outcome": str(self.outcome),
            "rule": self.rule,
            "reasons": [
                {"rule": reason.rule, "code": str(reason.code), "message": reason.message}
                for reason in self.reasons
            ],
            "trace": [_trace_document(trace) for trace in self.trace],
            "bookVersion": self.book_version,
        }
        return plain if self.facts is None else {**plain, "facts": self.facts}


def _trace_document(trace: RuleTrace) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "rule": trace.rule,
        "verdict": str(trace.verdict),
        "values": dict(trace.values),
    }
    return plain | {"why": trace.why} if trace.why else plain


class RuleNotEvaluated(Exception):
    """A rule could not be evaluated; the text says why, without any value of the request."""


@dataclass(frozen=True, slots=True, order=True)
class BookFinding:
    """An error or a warning at a position in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int
    text: str
    hint: str = ""

    def __str__(self) -> str:
        """Return `file:line:column: text (hint)`, which editors turn into a link."""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.text}{hint}"


class BookError(SafeToLog):
    """A rule book or a mapping cannot be used. `findings` are all that is wrong, in file order."""

    def __init__(self, findings: Iterable[BookFinding]) -> None:
        """Keep the findings; the text of the error is one line for each."""
        self.findings = tuple(sorted(set(findings)))
        super().__init__("\n".join(str(finding) for finding in self.findings))


def meant(word: str, allowed: Iterable[str]) -> str:
    """Return the hint for a word that is not allowed: the closest allowed one, or all of them."""
    choices = sorted(allowed)
    close = get_close_matches(word, choices, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed: {', '.join(choices)}"
