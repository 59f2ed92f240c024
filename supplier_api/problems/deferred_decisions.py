"""Postponed decisions: the worker makes them as soon as the rule book can be evaluated again.

There are two steps, as in an immediate decision. The external facts are looked up first; then, in
one transaction under the locks that a create takes, the rule book decides, and its decision
replaces the provisional one in the record. The answer that was sent (202) does not change: a repeat
of the request gets it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from supplier_api.clock import to_wire
from supplier_api.contract.codes import ChangeStatus
from supplier_api.contract.limits import TEXT_MAX
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import MAINTENANCE, SwitchRepository
from supplier_api.logging import get_logger
from supplier_api.problems.change import content_of_applied, rejected_by_lifecycle
from supplier_api.problems.create import decide_on_problem, place_of
from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.problems.decision_timers import set_deadline
from supplier_api.problems.incident_coverage import keys_of
from supplier_api.problems.incident_repository import IncidentRepository
from supplier_api.problems.kci import KciContent
from supplier_api.problems.lifecycle import Event, legal_events
from supplier_api.problems.model import Base, ChangeRequest, ServiceProblem
from supplier_api.problems.notices import why_deferred
from supplier_api.problems.parts_repository import ChangeRequestRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.rule_evaluation import (
    RULE_BOOK_ONLY,
    ExternalFacts,
    OutcomeOverride,
    OutcomeSource,
    RuleEvaluator,
    with_specification_name,
)
from supplier_api.problems.services import Caller, Services
from supplier_api.problems.timer_repository import Timer, TimerRepository
from supplier_api.problems.transition import TooManyCharacteristics, Transition, amended
from supplier_api.rules.facts import UNKNOWN
from supplier_api.rules.model import PUT_OFF, Decision, Operation, Outcome, Verdict

# The inventory may fail for one service only: after this many tries the book decides without it.
TRIES = 5
TRY_AGAIN = timedelta(seconds=5)
NO_LIMIT = 1_000_000
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PreparedDecision:
    """The external facts, and the version of the problem that they were looked up for."""

    operation: Operation
    service_id: str
    version: int
    external: ExternalFacts


class DeferredDecisions:
    """Makes postponed decisions."""

    def __init__(
        self,
        services: Services,
        rule_evaluator: RuleEvaluator,
        outcomes: OutcomeSource = RULE_BOOK_ONLY,
    ) -> None:
        """Decide by `rule_evaluator`, and by what `outcomes` lays over it."""
        self._services = services
        self._rule_evaluator = rule_evaluator
        self._outcomes = outcomes

    def room(self, uow: UnitOfWork) -> int:
        """Return how many decisions may be made now: 0 in maintenance, 1 to probe a source."""
        if SwitchRepository(uow).get(MAINTENANCE):
            return 0
        watch = self._rule_evaluator.watch
        if not watch.down:
            return NO_LIMIT
        return 0 if watch.seconds_until_probe() > 0 else 1

    def next_try(self) -> datetime | None:
        """Return the machine time of the next probe; None if no source is down."""
        if not self._rule_evaluator.watch.down:
            return None
        seconds = self._rule_evaluator.watch.seconds_until_probe()
        return self._services.machine.now() + timedelta(seconds=seconds)

    def prepare(self, timer: Timer) -> PreparedDecision | None:
        """Look up the external facts; None if that cannot be done now. Raises db.Gone."""
        assert timer.problem_id is not None
        operation = Operation(timer.data["operation"])
        problem, change = self._services.store.read(lambda uow: _read(uow, timer))
        request = change.body if change else problem.document
        caller = Caller(
            problem.tenant,
            request_id="",
            conversation_id=problem.conversation_id,
            entered=self._services.machine.monotonic(),
        )
        external = self._rule_evaluator.look_up(
            operation, caller, request, lambda: problem.service_id
        )
        if external.postponed:
            return None
        return PreparedDecision(operation, problem.service_id, problem.version, external)

    def lock(self, uow: UnitOfWork, timer: Timer, prepared: PreparedDecision) -> None:
        """Take the locks that come before the problem's own."""
        DecisionRepository(uow).lock(timer.tenant, prepared.operation, timer.data["key"])
        if prepared.operation is Operation.PROBLEM:
            ProblemRepository(uow).lock_service(timer.tenant, prepared.service_id)

    def decide(self, uow: UnitOfWork, timer: Timer, prepared: PreparedDecision) -> datetime | None:
        """Decide under the locks; return None when that is done, else when to try again."""
        if SwitchRepository(uow).get(MAINTENANCE):
            return timer.due_at
        assert timer.problem_id is not None
        problem = ProblemRepository(uow).lock(timer.problem_id)
        if problem.version != prepared.version:
            # The problem has changed since the facts were looked up: they may no longer apply.
            return timer.due_at
        tries = timer.data.get("tries", 0)
        if prepared.external.missing and tries < TRIES:
            TimerRepository(uow).remember(timer.id, {**timer.data, "tries": tries + 1})
            return self._services.business.now(timer.tenant) + TRY_AGAIN
        transition = Transition(self._services, uow, problem)
        if prepared.operation is Operation.PROBLEM:
            decision = self._decide_problem(transition, timer, prepared.external)
        else:
            decision = self._decide_change(transition, timer, prepared)
        if decision is not None:
            self._record(uow, timer, decision)
            if decision.outcome is Outcome.DEFER:
                # People have their whole time from when they are asked.
                set_deadline(transition, prepared.operation, timer.subject or "")
        return None

    # -- a problem

    def _decide_problem(
        self, transition: Transition, timer: Timer, external: ExternalFacts
    ) -> Decision | None:
        problem = transition.problem
        if external.facts.service is not UNKNOWN:
            problem.area, problem.exchange = place_of(external.facts.service)
        if problem.state.base is not Base.UNDECIDED:
            self._settle_accepted(transition)
            return None
        # Of two postponed problems on a service, only the older one counts as open for the other.
        known = ProblemRepository(transition.uow).known_of_service(
            problem.tenant, keys_of(problem), before=problem.id
        )
        decision, incidents = decide_on_problem(
            self._services,
            self._rule_evaluator,
            transition.uow,
            self._override(transition, timer),
            external,
            problem.service_id,
            known,
        )
        problem.document = with_specification_name(problem.document, external.facts.service)
        self._settle_problem(transition, decision, incidents)
        return decision

    def _settle_problem(
        self, transition: Transition, decision: Decision, incidents: list[str]
    ) -> None:
        problem = transition.problem
        if decision.outcome is Outcome.REJECT:
            transition.apply(Event.REJECT, _refusal(decision))
        elif decision.outcome is not Outcome.DEFER:
            transition.apply(Event.ACCEPT)
            if decision.outcome is Outcome.COMMIT:
                transition.apply(Event.START)
            if incidents:
                transition.apply(Event.JOIN_INCIDENT, incident=incidents[0])
        elif incidents:
            # It joins, with a KCI, when it is accepted.
            problem.state = replace(problem.state, incident=incidents[0])
        if decision.outcome is not Outcome.REJECT:
            deferred = decision.outcome is Outcome.DEFER
            why = why_deferred(decision) if deferred else None
            transition.order(Operation.PROBLEM, decide=deferred, deferred=why)
        transition.finish()

    def _settle_accepted(self, transition: Transition) -> None:
        """Do the rest for a problem that people accepted meanwhile.

        Its work order is sent if none was; it joins an incident that covers where it is.
        """
        problem = transition.problem
        if problem.state.terminal:
            return
        incidents = IncidentRepository(transition.uow).covering(problem)
        if problem.state.incident is None and Event.JOIN_INCIDENT in legal_events(problem.state):
            for incident in incidents[:1]:
                transition.apply(Event.JOIN_INCIDENT, incident=incident)
        if problem.next_order == 1:
            transition.order(Operation.PROBLEM, decide=False)
        transition.finish()

    # -- a change

    def _decide_change(
        self, transition: Transition, timer: Timer, prepared: PreparedDecision
    ) -> Decision | None:
        change = ChangeRequestRepository(transition.uow).find(
            transition.problem.id, timer.subject or ""
        )
        if change is None or change.status is not ChangeStatus.PENDING:
            return None
        # The rules see the state of the problem without the change request itself.
        beneath = replace(transition.problem, state=replace(transition.problem.state, asked=None))
        decision = self._rule_evaluator.decide(
            prepared.operation,
            prepared.external,
            incidents=IncidentRepository(transition.uow).covering(transition.problem),
            problem=beneath,
        )
        override = self._override(transition, timer)
        decision = _possible(override.decided(decision), transition.problem, change)
        if decision.outcome is Outcome.REJECT:
            transition.apply(Event.REJECT_CHANGE, _refusal(decision), change=change)
        else:
            deferred = decision.outcome is Outcome.DEFER
            if not deferred:
                transition.apply(Event.ACCEPT_CHANGE, content_of_applied(change), change=change)
            why = why_deferred(decision) if deferred else None
            transition.order(change.kind, decide=deferred, change=change, deferred=why)
        transition.finish()
        return decision

    def _override(self, transition: Transition, timer: Timer) -> OutcomeOverride:
        operation = Operation(timer.data["operation"])
        return self._outcomes.of_earlier(
            transition.uow, transition.problem, operation, timer.data["key"]
        )

    # -- the record

    def _record(self, uow: UnitOfWork, timer: Timer, decision: Decision) -> None:
        """Store the decision in the record; its trace begins with an entry about the delay."""
        operation = timer.data["operation"]
        row_id = DecisionRepository(uow).lock(timer.tenant, operation, timer.data["key"])
        if row_id is None:
            return
        decided = decision.document()
        now = to_wire(self._services.business.now(timer.tenant))
        first = {"rule": PUT_OFF, "verdict": str(Verdict.MATCHED), "values": {"decided": now}}
        decided["trace"] = [first, *decided["trace"]]
        DecisionRepository(uow).decided(row_id, decided)
        log.info("decision.made-later", operation=operation, outcome=str(decision.outcome))


def _read(uow: UnitOfWork, timer: Timer) -> tuple[ServiceProblem, ChangeRequest | None]:
    assert timer.problem_id is not None
    problem = ProblemRepository(uow).get(timer.problem_id)
    change = None
    if timer.data["operation"] != Operation.PROBLEM:
        change = ChangeRequestRepository(uow).find(problem.id, timer.subject or "")
    return problem, change


def _possible(decision: Decision, problem: ServiceProblem, change: ChangeRequest) -> Decision:
    """Reject an amendment that exceeds the limits of the contract, whatever the book decided."""
    if decision.outcome is not Outcome.COMMIT or change.kind is not Operation.AMENDMENT:
        return decision
    try:
        amended(problem.document, change.body)
    except TooManyCharacteristics as error:
        return rejected_by_lifecycle(decision, str(error))
    return decision


def _refusal(decision: Decision) -> KciContent:
    """Return the content of a rejection's KCI: the first reason's code, the text of all."""
    text = "; ".join(reason.message for reason in decision.reasons)
    return KciContent(decision.reasons[0].code, text[:TEXT_MAX])
