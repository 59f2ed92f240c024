"""The use cases behind the gateway's four calls: each is one transaction and one answer."""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from supplier_api.contract import refusals
from supplier_api.contract.limits import REFERENCE_PATTERN
from supplier_api.db import StoreUnavailable, UnitOfWork
from supplier_api.problems.change_requests import change_problem
from supplier_api.problems.decision_repository import ClaimedKey, DecisionRepository
from supplier_api.problems.errors import Unavailable
from supplier_api.problems.idempotency import IdempotentRequest, StoredResult, refusal, rejection
from supplier_api.problems.inventory_incidents import known_incidents
from supplier_api.problems.kci import problem_entity
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.maintenance import put_off
from supplier_api.problems.model import Base, ChangeKind, ServiceProblem, State
from supplier_api.problems.outcome_source import RULE_BOOK_ONLY, OutcomeSource
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.resolution_answers import (
    RESOLUTION,
    answered_before,
    settle_resolution,
)
from supplier_api.problems.rule_evaluation import ExternalFacts, RuleEvaluator, named
from supplier_api.problems.service_repository import ServiceRepository
from supplier_api.problems.services import Answer, Caller, Services
from supplier_api.problems.transition import Transition
from supplier_api.problems.work import OrderKind
from supplier_api.rules.model import Decision, Operation, Outcome

FIRST_STATE = {
    Outcome.DEFER: State(Base.UNDECIDED),
    Outcome.ACKNOWLEDGE: State(Base.ACKNOWLEDGED),
    Outcome.COMMIT: State(Base.IN_PROGRESS),
}
OPERATIONS = {
    ChangeKind.AMENDMENT: Operation.AMENDMENT,
    ChangeKind.CANCELLATION: Operation.CANCELLATION,
}


class GatewayRequests:
    """The four operations of the gateway.

    Each takes the caller and the validated request document and returns the answer to send. All
    raise errors.Unavailable when nothing was stored within the answer budget.
    """

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
        self._idempotent = IdempotentRequest(services)

    def raise_problem(self, caller: Caller, document: Mapping[str, Any]) -> Answer:
        """Decide on a new service problem: 201, 202 or 422 (*supplier-create*)."""
        service_id = document["serviceId"]
        with self._in_time(caller):
            outside = self._rule_evaluator.external_facts(
                Operation.PROBLEM, caller, document, service_id
            )
            return self._idempotent.run(
                caller,
                Operation.PROBLEM,
                str(document["id"]),
                document,
                lambda uow, claimed: self._raise(uow, claimed, caller, document, outside),
                lock_service=service_id,
                on_repeat=lambda uow: self._repeated(uow, caller, document["id"]),
            )

    def amend(self, caller: Caller, document: Mapping[str, Any]) -> Answer:
        """Decide on an amendment of a problem: 201, 202 or 422 (*supplier-amend*)."""
        with self._in_time(caller):
            return self._change(caller, ChangeKind.AMENDMENT, document)

    def cancel(self, caller: Caller, document: Mapping[str, Any]) -> Answer:
        """Decide on the cancellation of a problem: 201, 202 or 422."""
        with self._in_time(caller):
            return self._change(caller, ChangeKind.CANCELLATION, document)

    def settle(self, caller: Caller, reference: str, document: Mapping[str, Any]) -> Answer:
        """Record the tenant's answer to a resolution: 200 or 422."""
        if not re.fullmatch(REFERENCE_PATTERN, reference):
            return refusal(self._services, caller, refusals.UNKNOWN_RESOLUTION.error())
        with self._in_time(caller):
            return self._idempotent.run(
                caller,
                RESOLUTION,
                reference,
                document,
                lambda uow, _: settle_resolution(self._services, uow, caller, reference, document),
                refuse_reuse=answered_before,
            )

    def _in_time(self, caller: Caller) -> AbstractContextManager[None]:
        """Bound every wait for the database by the answer budget of this request."""
        return self._services.store.until(caller.entered + self._services.policy.answer_budget)

    def _change(self, caller: Caller, kind: ChangeKind, document: Mapping[str, Any]) -> Answer:
        operation = OPERATIONS[kind]
        service_id = self._service_of(caller, document["serviceProblemId"])
        outside = self._rule_evaluator.external_facts(operation, caller, document, service_id)
        return self._idempotent.run(
            caller,
            operation,
            str(document["id"]),
            document,
            lambda uow, _: change_problem(
                self._services,
                self._rule_evaluator,
                self._outcomes,
                uow,
                caller,
                kind,
                document,
                outside,
            ),
        )

    def _repeated(self, uow: UnitOfWork, caller: Caller, gateway_id: int) -> None:
        """Record that this process has now answered the request, which it may do after another.

        The gateway knows the problem from here on, so its answer is no longer in doubt.
        """
        ProblemRepository(uow).clear_doubtful(caller.tenant, gateway_id)
        DecisionRepository(uow).answered_by(
            caller.tenant, Operation.PROBLEM, str(gateway_id), self._services.process
        )

    def _service_of(self, caller: Caller, problem_id: int) -> str | None:
        """Return the service of a problem; it never changes, so no lock is needed."""
        try:
            return self._services.store.read(
                lambda uow: ProblemRepository(uow).service_of(caller.tenant, problem_id)
            )
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error

    def _raise(
        self,
        uow: UnitOfWork,
        claimed: ClaimedKey,
        caller: Caller,
        document: Mapping[str, Any],
        outside: ExternalFacts,
    ) -> StoredResult:
        tenant, service_id = caller.tenant, document["serviceId"]
        known = ServiceRepository(uow).look(tenant, service_id)
        service = outside.facts.service
        incidents = known_incidents(self._services, uow, known, service_id, service)
        override = self._outcomes.of_problem(uow, caller, document)
        decision = self._rule_evaluator.decide(
            Operation.PROBLEM,
            outside,
            open_problems=override.open_problems(known.open_problems),
            incidents=incidents,
        )
        if not outside.put_off:
            decision, incidents = override.decided(decision), override.incidents(incidents)
        if decision.outcome is Outcome.REJECT:
            refused = rejection(self._services, tenant, decision, Operation.PROBLEM, document)
            return StoredResult(refused, decision=decision)
        problem = self._new(caller, document, outside, decision)
        problem.linked_to = known.doubtful
        transition = Transition(self._services, uow, problem, row_id=claimed.problem_id)
        return self._accept(transition, decision, incidents, put_off_now=bool(outside.put_off))

    def _accept(
        self, transition: Transition, decision: Decision, incidents: list[str], *, put_off_now: bool
    ) -> StoredResult:
        problem = transition.problem
        deferred = decision.outcome is Outcome.DEFER
        answer = Answer(202, None) if deferred else Answer(201, problem_entity(problem))
        if incidents and deferred:
            # It joins the incident, with a KCI, when it is accepted.
            problem.state = State(Base.UNDECIDED, incident=incidents[0])
        elif incidents:
            transition.take(Event.JOIN_INCIDENT, incident=incidents[0])
        if not put_off_now:
            transition.order(OrderKind.PROBLEM, decide=deferred)
        transition.finish(gateway_asked=True)
        if put_off_now:
            key = str(problem.gateway_id)
            put_off(transition, Operation.PROBLEM, key, problem.reference)
        return StoredResult(answer, problem.id, problem.reference, decision)

    def _new(
        self,
        caller: Caller,
        document: Mapping[str, Any],
        outside: ExternalFacts,
        decision: Decision,
    ) -> ServiceProblem:
        now = outside.facts.now
        return ServiceProblem(
            tenant=caller.tenant,
            gateway_id=document["id"],
            reference=self._services.reference(caller.tenant, Operation.PROBLEM, document["id"]),
            service_id=document["serviceId"],
            conversation_id=caller.conversation_id,
            state=FIRST_STATE[decision.outcome],
            document=named(document, outside.facts.service),
            created=now,
            updated=now,
            reference_known=decision.outcome is not Outcome.DEFER,
        )
