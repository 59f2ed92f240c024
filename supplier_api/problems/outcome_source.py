"""Where an outcome may come from besides the rule book.

In production from nowhere: `RULE_BOOK_ONLY` leaves every decision as the rule book made it. The
sandbox binds a source of its own, which lays the outcomes that testers choose over it.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from supplier_api.db import UnitOfWork
from supplier_api.problems.model import ChangeKind, ServiceProblem
from supplier_api.problems.services import Caller
from supplier_api.rules.model import Decision, Operation


class OutcomeOverride(Protocol):
    """What lies over the rule book's decision on one request."""

    def open_problems(self, known: list[str]) -> list[str]:
        """Return those of the problems `known` to be open on the service that count."""

    def incidents(self, known: list[str]) -> list[str]:
        """Return the incidents that the problem is part of, of those `known` and others."""

    def decided(self, decision: Decision) -> Decision:
        """Return the decision that stands; what the rule book refuses stays refused."""


class OutcomeSource(Protocol):
    """Tells what lies over the decision on a request; asked in the transaction that decides it."""

    def of_problem(
        self, uow: UnitOfWork, caller: Caller, document: Mapping[str, Any]
    ) -> OutcomeOverride:
        """Return what lies over the decision on the new problem of `document`."""

    def of_change(
        self,
        uow: UnitOfWork,
        caller: Caller,
        problem: ServiceProblem,
        kind: ChangeKind,
        gateway_id: int,
    ) -> OutcomeOverride:
        """Return what lies over the decision on a change of a locked problem."""

    def of_earlier(
        self, uow: UnitOfWork, problem: ServiceProblem, operation: Operation, gateway_id: str
    ) -> OutcomeOverride:
        """Return what was chosen with a request whose decision was put off until now."""


class _RuleBookOnly:
    """Leaves everything as it is; it is its own override."""

    def of_problem(self, *_asked: object) -> "_RuleBookOnly":
        return self

    of_change = of_earlier = of_problem

    def open_problems(self, known: list[str]) -> list[str]:
        return known

    incidents = open_problems

    def decided(self, decision: Decision) -> Decision:
        return decision


RULE_BOOK_ONLY: OutcomeSource = _RuleBookOnly()
