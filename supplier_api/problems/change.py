"""The use case of amendments and cancellations of a problem, decided in one transaction."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from supplier_api.contract import refusals
from supplier_api.contract.codes import ChangeStatus, ProblemCode
from supplier_api.db import StoreUnavailable, UnitOfWork
from supplier_api.problems.decision_timers import postpone_decision, set_deadline
from supplier_api.problems.idempotency import IdempotentRequest, rejection
from supplier_api.problems.incident_repository import IncidentRepository
from supplier_api.problems.kci import KciContent, cancelled_code, change_answer
from supplier_api.problems.lifecycle import Event, IllegalMove, plan
from supplier_api.problems.model import Base, ChangeRequest, ServiceProblem
from supplier_api.problems.notices import why_deferred
from supplier_api.problems.parts_repository import ChangeRequestRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.rule_evaluation import OutcomeSource, RuleEvaluator
from supplier_api.problems.services import Caller, RequestAnswer, Services, Unavailable
from supplier_api.problems.transition import TooManyCharacteristics, Transition, amended
from supplier_api.rules.model import LIFECYCLE, Decision, Operation, Outcome, Reason

# The event of a change that is applied at once, applied behind queued KCIs, or left open.
EVENTS = {
    Operation.AMENDMENT: (Event.AMEND, Event.AMEND_BEHIND, Event.ASK_AMENDMENT),
    Operation.CANCELLATION: (Event.WITHDRAW, Event.WITHDRAW_BEHIND, Event.ASK_CANCELLATION),
}


def change_problem(
    services: Services,
    rules: RuleEvaluator,
    outcomes: OutcomeSource,
    caller: Caller,
    kind: Operation,
    document: Mapping[str, Any],
) -> RequestAnswer:
    """Decide on a change of a problem, and apply it, leave it open or refuse it.

    422 with NOT_FOUND when the request names no problem of this tenant, or two. The external facts
    are looked up first; everything else is one transaction. Raises services.Unavailable.
    """
    external = rules.external_facts(
        kind, caller, document, lambda: _service_of(services, caller.tenant, document)
    )
    request = IdempotentRequest(services, caller, kind, str(document["id"]), document)

    def transaction(uow: UnitOfWork) -> RequestAnswer:
        claimed = request.claim(uow)
        if claimed is None:
            return request.repeated_answer(uow)
        problem = _lock_problem(uow, caller.tenant, document)
        if problem.doubtful:
            # The request shows that the gateway knows the problem, whatever the answer to it is.
            problem.doubtful = False
            ProblemRepository(uow).save(problem)
        incidents = IncidentRepository(uow).covering(problem)
        decision = rules.decide(kind, external, incidents=incidents, problem=problem)
        override = outcomes.of_change(uow, caller, problem, kind, document["id"])
        if not external.postponed:
            decision = override.decided(decision)
        decision = _if_possible(uow, decision, problem, kind, document)
        if decision.reasons:
            answer = rejection(services, caller.tenant, decision, kind, document)
            request.record(uow, claimed, answer, decision, problem, problem.reference)
            return answer
        transition = Transition(services, uow, problem)
        change, status = _apply_or_keep(
            transition, kind, document, decision, postponed=bool(external.postponed)
        )
        answer = RequestAnswer(status, change_answer(change))
        request.record(uow, claimed, answer, decision, problem, change.reference)
        return answer

    return request.write(transaction)


def _service_of(services: Services, tenant: str, document: Mapping[str, Any]) -> str | None:
    """Return the service of a problem; it never changes, so no lock is needed."""
    try:
        return services.store.read(
            lambda uow: ProblemRepository(uow).service_of(tenant, document["serviceProblemId"])
        )
    except StoreUnavailable as error:
        raise Unavailable(str(error)) from error


def _lock_problem(uow: UnitOfWork, tenant: str, document: Mapping[str, Any]) -> ServiceProblem:
    problem = ProblemRepository(uow).lock_tenants(tenant, document["serviceProblemId"])
    if problem is None:
        raise refusals.UNKNOWN_PROBLEM.error()
    reference = document.get("supplierServiceProblemReference", problem.reference)
    # A gateway that has not received our reference yet cannot send it: any value is accepted.
    if problem.reference_known and reference != problem.reference:
        raise refusals.WRONG_REFERENCE.error()
    return problem


def _if_possible(
    uow: UnitOfWork,
    decision: Decision,
    problem: ServiceProblem,
    kind: Operation,
    document: Mapping[str, Any],
) -> Decision:
    """Reject what the lifecycle or the contract forbids, whatever the rule book says."""
    if decision.reasons:
        return decision
    obstacle = _obstacle(uow, problem, kind, document)
    return rejected_by_lifecycle(decision, obstacle) if obstacle else decision


def _obstacle(
    uow: UnitOfWork, problem: ServiceProblem, kind: Operation, document: Mapping[str, Any]
) -> str | None:
    """Return why the change is not possible, or None."""
    pending = ChangeRequestRepository(uow).pending(problem.id) if problem.state.asked else None
    if pending:
        return refusals.CHANGE_UNDECIDED.message(kind=pending.kind, id=pending.gateway_id)
    try:
        plan(problem.state, EVENTS[kind][0])
        if kind is Operation.AMENDMENT:
            amended(problem.document, document)
    except IllegalMove:
        return refusals.CHANGE_IMPOSSIBLE.message(kind=kind, state=problem.state)
    except TooManyCharacteristics as error:
        return str(error)
    return None


def rejected_by_lifecycle(decision: Decision, why: str) -> Decision:
    """Return the decision to reject what the rule book would have accepted."""
    reason = Reason(LIFECYCLE, ProblemCode.INVALID_REQUEST, why)
    return replace(decision, outcome=Outcome.REJECT, rule=reason.rule, reasons=(reason,))


def _apply_or_keep(
    transition: Transition,
    kind: Operation,
    document: Mapping[str, Any],
    decision: Decision,
    *,
    postponed: bool,
) -> tuple[ChangeRequest, int]:
    """Apply a change that is possible, or keep it until it is decided; return it and 201 or 202."""
    at_once, behind, ask = EVENTS[kind]
    # While the problem itself is undecided, no work has begun that a change could disturb.
    deferred = (
        decision.outcome is Outcome.DEFER and transition.problem.state.base is not Base.UNDECIDED
    )
    change = _new_change(transition, kind, document, deferred=deferred)
    ChangeRequestRepository(transition.uow).add(change)
    if deferred:
        transition.apply(ask)
        status = 202
    else:
        # After a 201 the gateway informs the tenant at once, and so would overtake queued KCIs.
        waiting = transition.has_undelivered()
        if kind is Operation.AMENDMENT:
            transition.problem.document = amended(transition.problem.document, document)
        transition.apply(behind if waiting else at_once, content_of_applied(change), change=change)
        status = 202 if waiting else 201
    later = deferred and postponed
    # Of a problem that is itself postponed the back office has not heard; it will, as amended.
    if not later and transition.problem.next_order > 1:
        why = why_deferred(decision) if deferred else None
        transition.order(kind, decide=deferred, change=change, deferred=why)
    transition.finish(gateway_asked=True)
    if later:
        postpone_decision(transition, kind, change.gateway_id, change.reference)
    if deferred:
        set_deadline(transition, kind, change.reference)
    return change, status


def _new_change(
    transition: Transition, kind: Operation, document: Mapping[str, Any], *, deferred: bool
) -> ChangeRequest:
    tenant = transition.problem.tenant
    return ChangeRequest(
        problem_id=transition.problem.id,
        tenant=tenant,
        kind=kind,
        gateway_id=document["id"],
        reference=transition.services.reference(tenant, kind, document["id"]),
        status=ChangeStatus.PENDING if deferred else ChangeStatus.COMPLETED,
        body=dict(document),
        created=transition.now,
        decided=None if deferred else transition.now,
    )


def content_of_applied(change: ChangeRequest) -> KciContent:
    """Return what the KCI of an applied change must carry."""
    if change.kind is Operation.CANCELLATION:
        return KciContent(cancelled_code(change))
    return KciContent()
