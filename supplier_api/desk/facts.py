"""Where the facts of a decision come from: outside the transaction, and inside it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from supplier_api.decisions.book import RuleBook
from supplier_api.decisions.facts import Facts, ProblemFacts
from supplier_api.decisions.inventory import TimedInventory
from supplier_api.decisions.model import Decision, Operation
from supplier_api.decisions.rule import OutsideVerdicts
from supplier_api.desk.model import Caller, Office
from supplier_api.problems.model import ServiceProblem


@dataclass(frozen=True, slots=True)
class Outside:
    """What was learned before the transaction."""

    facts: Facts
    verdicts: OutsideVerdicts


class Judge:
    """The rule book with the facts it asks for.

    What lies outside the house gets half the answer budget together; what is missing then is
    unknown, and the book's fallback decides.
    """

    def __init__(self, office: Office, book: RuleBook, inventory: TimedInventory) -> None:
        """Judge by `book` on what `inventory` and the office's store know."""
        self._office = office
        self._book = book
        self._inventory = inventory

    def outside(
        self,
        operation: Operation,
        caller: Caller,
        request: Mapping[str, Any],
        service_id: str | None,
    ) -> Outside:
        """Look up what lies outside, and let the rules written in Python judge on it."""
        facts = Facts(request, caller.tenant, self._office.business.now(caller.tenant))
        named = self._book.groups(operation)
        # Of a new problem the desk itself needs the specification's name and a known incident.
        if service_id and (operation is Operation.PROBLEM or "service" in named):
            service = self._inventory.find(caller.tenant, service_id, self._left(caller))
            facts = replace(facts, service=service)
        return Outside(facts, self._book.judge_outside(operation, facts, self._left(caller)))

    def decide(
        self,
        operation: Operation,
        outside: Outside,
        *,
        open_problems: list[str] | None = None,
        incidents: list[str] | None = None,
        problem: ServiceProblem | None = None,
    ) -> Decision:
        """Decide, within the transaction that has read the rest."""
        facts = replace(
            outside.facts,
            open_problems=open_problems or (),
            incidents=incidents or (),
            problem=_problem_facts(problem) if problem else None,
        )
        return self._book.decide(operation, facts, outside.verdicts)

    def _left(self, caller: Caller) -> float:
        until = caller.entered + self._office.policy.answer_budget / 2
        return max(0.0, until - self._office.machine.monotonic())


def _problem_facts(problem: ServiceProblem) -> ProblemFacts:
    state = problem.state
    return ProblemFacts(
        reference=problem.reference,
        status=state.status or state.base,
        base=state.base,
        waiting=state.waiting,
        awaits=state.awaits,
        open=state.open,
        terminal=state.terminal,
    )
