"""Collects the facts of a decision, before the transaction and inside it, and has it made.

Besides the rule book an outcome may come from an OutcomeSource. In production there is none:
`RULE_BOOK_ONLY` leaves every decision as the rule book made it. The sandbox binds a source of its
own, which lays the outcomes that testers choose over it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from supplier_api.db import UnitOfWork
from supplier_api.logging import get_logger
from supplier_api.problems.maintenance import Maintenance
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.services import Caller, Services
from supplier_api.rules.book import RuleBook
from supplier_api.rules.facts import UNKNOWN, Facts, ProblemFacts, Service, Unknown
from supplier_api.rules.model import Decision, Operation, Outcome, Verdict
from supplier_api.rules.plugins import OutageLimits, PythonVerdicts, SourceWatch
from supplier_api.rules.reloading import Loaded
from supplier_api.rules.stored_facts import to_stored
from supplier_api.value_object import value_object

_log = get_logger(__name__)

# Stored as the deciding rule of a decision that was postponed.
IN_MAINTENANCE = "maintenance"
INVENTORY_DOWN = "inventory-down"
LIMITS = OutageLimits(failures=5, seconds=10.0, probe_every=5.0)


@value_object
class ExternalFacts:
    """The facts found before the transaction, and the rule book that will decide on them in it.

    `postponed` is the reason why the decision is postponed, if it is. `missing`: the inventory was
    asked and gave no answer.
    """

    book: RuleBook
    facts: Facts
    verdicts: PythonVerdicts
    postponed: str | None = None
    missing: bool = False


class RuleEvaluator:
    """Evaluates the rule book on a request.

    The inventory and the Python rules share half the answer budget; facts that are missing then are
    UNKNOWN, and the book's fallback decides. While the inventory is down or maintenance is on, the
    decision is postponed.
    """

    def __init__(
        self,
        services: Services,
        loaded: Callable[[], Loaded],
        limits: OutageLimits = LIMITS,
    ) -> None:
        """Evaluate the book of `loaded`; `limits` say when the inventory counts as down."""
        self._services = services
        self._loaded = loaded
        # The tenant and service of the last query that the inventory did not answer.
        self._unanswered: tuple[str, str] | None = None
        self.maintenance = Maintenance(services)
        self.watch = SourceWatch("inventory", limits, services.machine)

    def why_postponed(self) -> str | None:
        """Return why decisions are postponed at this moment; None if they are not."""
        if self.maintenance.lasts():
            return IN_MAINTENANCE
        return INVENTORY_DOWN if self.watch.down else None

    @property
    def book(self) -> RuleBook:
        """The rule book in use."""
        return self._loaded().book

    @property
    def book_version(self) -> str:
        """The digest of the rule book in use."""
        return self._loaded().book.version

    def external_facts(
        self,
        operation: Operation,
        caller: Caller,
        request: Mapping[str, Any],
        service_id: Callable[[], str | None],
    ) -> ExternalFacts:
        """Return the external facts of a request; none are looked up during maintenance.

        `service_id` returns the service that it is about; it is called only if that is asked for.
        """
        if self.maintenance.lasts():
            book = self._loaded().book
            return ExternalFacts(book, self._facts(caller, request), {}, postponed=IN_MAINTENANCE)
        return self.look_up(operation, caller, request, service_id)

    def look_up(
        self,
        operation: Operation,
        caller: Caller,
        request: Mapping[str, Any],
        service_id: Callable[[], str | None],
    ) -> ExternalFacts:
        """Ask the inventory, then run the rules written in Python; as external_facts."""
        service: Service | Unknown | None = UNKNOWN
        loaded = self._loaded()
        # Creating a problem needs the service in any case: specification name and incident.
        needed = operation is Operation.PROBLEM or "service" in loaded.book.groups(operation)
        asked = service_id() if needed else None
        if asked:
            seconds = self._seconds_left(caller)
            # Given less than half of its usual time, no answer is not a sign of failure.
            fair = seconds >= self._services.policy.answer_budget / 4
            service = self.service(
                caller.tenant, asked, seconds, loaded=loaded, counts_as_failure=fair
            )
        facts = self._facts(caller, request, service)
        missing = bool(asked) and service is UNKNOWN
        if missing and self.watch.down:
            return ExternalFacts(loaded.book, facts, {}, postponed=INVENTORY_DOWN, missing=True)
        verdicts = loaded.book.plugins.evaluate(operation, facts, self._seconds_left(caller))
        return ExternalFacts(loaded.book, facts, verdicts, missing=missing)

    def probe(self) -> None:
        """Ask the inventory again if it is down and a probe is due; requests may be rare."""
        asked = self._unanswered
        if self.watch.down and asked:
            self.service(*asked, self._services.policy.answer_budget / 2)

    def decide(
        self,
        operation: Operation,
        external: ExternalFacts,
        *,
        open_problems: list[str] | None = None,
        incidents: list[str] | None = None,
        problem: ServiceProblem | None = None,
    ) -> Decision:
        """Return the decision, inside the transaction that read the rest; DEFER if postponed."""
        if external.postponed:
            return Decision(Outcome.DEFER, external.postponed, (), (), external.book.version)
        found = external.facts
        facts = Facts(
            found.request,
            found.tenant,
            found.now,
            found.service,
            open_problems=UNKNOWN if open_problems is None else open_problems,
            incidents=UNKNOWN if incidents is None else incidents,
            problem=_problem_facts(problem) if problem else UNKNOWN,
        )
        decision = external.book.decide(operation, facts, external.verdicts)
        for each in decision.trace:
            if each.verdict is Verdict.FAILED:
                _log.warning("a rule could not be judged", rule=each.rule, why=each.why)
        return replace(decision, facts=to_stored(facts))

    def _facts(
        self,
        caller: Caller,
        request: Mapping[str, Any],
        service: Service | Unknown | None = UNKNOWN,
    ) -> Facts:
        return Facts(request, caller.tenant, self._services.business.now(caller.tenant), service)

    def service(
        self,
        tenant: str,
        service_id: str,
        seconds: float,
        *,
        loaded: Loaded | None = None,
        counts_as_failure: bool = True,
    ) -> Service | Unknown | None:
        """Return a service from the inventory, asked for `seconds` at most.

        While it is down it is asked only when a probe is due, else the result is UNKNOWN. `loaded`
        holds the inventory to ask, by default the one in use; `counts_as_failure` is about no
        answer.
        """
        if not self.watch.may_ask():
            return UNKNOWN
        inventory = (loaded or self._loaded()).inventory
        service = inventory.find(tenant, service_id, seconds)
        if service is not UNKNOWN:
            self.watch.answered()
        elif counts_as_failure:
            self._unanswered = tenant, service_id
            self.watch.failed()
        return service

    def _seconds_left(self, caller: Caller) -> float:
        until = caller.entered + self._services.policy.answer_budget / 2
        return max(0.0, until - self._services.machine.monotonic())


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


def with_specification_name(
    document: Mapping[str, Any], service: Service | Unknown | None
) -> dict[str, Any]:
    """Return the problem's document: the request plus the name of its specification."""
    document = dict(document)
    if isinstance(service, Service) and service.specification_name:
        specification = document["serviceSpecification"]
        document["serviceSpecification"] = {**specification, "name": service.specification_name}
    return document


class OutcomeOverride(Protocol):
    """What lies over the rule book's decision on one request."""

    def open_problems(self, known: list[str]) -> list[str]:
        """Return those of the problems `known` to be open on the service that count."""

    def incidents(self, known: list[str]) -> list[str]:
        """Return the incidents that the problem is part of, of those `known` and others."""

    def decided(self, decision: Decision) -> Decision:
        """Return the decision that stands; what the rule book refuses stays refused."""


class OutcomeSource(Protocol):
    """Returns what lies over a decision; called in the transaction that decides the request."""

    def of_problem(
        self, uow: UnitOfWork, caller: Caller, document: Mapping[str, Any]
    ) -> OutcomeOverride:
        """Return what lies over the decision on the new problem of `document`."""

    def of_change(
        self,
        uow: UnitOfWork,
        caller: Caller,
        problem: ServiceProblem,
        kind: Operation,
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
