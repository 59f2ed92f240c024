"""A decision that was made before, as it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from supplier_api.rules.model import LIFECYCLE, PUT_OFF, Operation, Outcome, Verdict
from supplier_api.rules.rule import RESERVED, id_fault

# What a rule says of a request that it fits, whether or not it only records.
MATCHES = frozenset({Verdict.MATCHED, Verdict.AUDITED})


@dataclass(frozen=True, slots=True)
class PastDecision:
    """A decision of the rule book; `created` is business time.

    `reasons` and `trace` are as Decision.document has them; a decision that is thinned has no
    trace. `facts` is None where they were not kept, or not read.
    """

    tenant: str
    operation: Operation
    key: str
    reference: str | None
    created: datetime
    outcome: Outcome
    rule: str
    reasons: list[dict[str, Any]]
    trace: list[dict[str, Any]]
    book_version: str
    facts: Mapping[str, Any] | None = None

    @property
    def overruled(self) -> bool:
        """Whether something else decided than the rule book and the lifecycle: a scenario."""
        return self.rule not in {*RESERVED, LIFECYCLE} and bool(id_fault(self.rule))

    def verdicts(self) -> dict[str, str]:
        """Return the verdict of each rule, in the order of the book."""
        pairs = ((each["rule"], each["verdict"]) for each in self.trace)
        # A trace also tells of a delay, and of a scenario.
        return {rule: it for rule, it in pairs if rule != PUT_OFF and not id_fault(rule)}
