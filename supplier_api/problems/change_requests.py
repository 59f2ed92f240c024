"""The use case of amendments and cancellations of a problem."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from supplier_api.contract import refusals
from supplier_api.contract.codes import ChangeStatus, ProblemCode
from supplier_api.db import UnitOfWork
from supplier_api.problems.amending import TooManyCharacteristics, amended
from supplier_api.problems.change_repository import ChangeRequestRepository
from supplier_api.problems.idempotency import StoredResult, rejection
from supplier_api.problems.incident_repository import IncidentRepository
from supplier_api.problems.kci import Carried, cancelled_code, change_answer
from supplier_api.problems.lifecycle import Event, IllegalMove, plan
from supplier_api.problems.maintenance import put_off
from supplier_api.problems.model import Base, ChangeKind, ChangeRequest, ServiceProblem
from supplier_api.problems.outcome_source import OutcomeSource
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.rule_evaluation import ExternalFacts, RuleEvaluator
from supplier_api.problems.services import Answer, Caller, Services
from supplier_api.problems.transition import Transition
from supplier_api.problems.work import OrderKind
from supplier_api.rules.model import Decision, Operation, Outcome, Reason

# The event of a change that is applied at once, applied behind queued KCIs, or left open.
EVENTS = {
    ChangeKind.AMENDMENT: (Event.AMEND, Event.AMEND_BEHIND, Event.ASK_AMENDMENT),
    ChangeKind.CANCELLATION: (Event.WITHDRAW, Event.WITHDRAW_BEHIND, Event.ASK_CANCELLATION),
}
ORDERS = {
    ChangeKind.AMENDMENT: OrderKind.AMENDMENT,
    ChangeKind.CANCELLATION: OrderKind.CANCELLATION,
}


def change_problem(
    services: Services,
    rule_evaluator: RuleEvaluator,
    outcomes: OutcomeSource,
    uow: UnitOfWork,
    caller: Caller,
    kind: ChangeKind,
    document: Mapping[str, Any],
    outside: ExternalFacts,
) -> StoredResult:
    """Decide on a change, and apply it, leave it open or refuse it.

    Raises RequestRefused with NOT_FOUND when the request names no problem of this tenant, or two.
    """
    problem = _problem(uow, caller.tenant, document)
    if problem.doubtful:
        # The request shows that the gateway knows the problem, whatever the answer to it is.
        problem.doubtful = False
        ProblemRepository(uow).save(problem)
    decision = rule_evaluator.decide(
        Operation(kind.value),
        outside,
        incidents=IncidentRepository(uow).on_service(problem.service_id),
        problem=problem,
    )
    override = outcomes.of_change(uow, caller, problem, kind, document["id"])
    if not outside.put_off:
        decision = override.decided(decision)
    if not decision.reasons and (obstacle := _obstacle(uow, problem, kind, document)):
        # The lifecycle or the contract forbids it, whatever the rule book says.
        reason = Reason("lifecycle", ProblemCode.INVALID_REQUEST, obstacle)
        decision = replace(decision, outcome=Outcome.REJECT, rule=reason.rule, reasons=(reason,))
    if decision.reasons:
        refused = rejection(services, caller.tenant, decision, kind, document)
        return StoredResult(refused, problem.id, reference=problem.reference, decision=decision)
    transition = Transition(services, uow, problem)
    answer, change = _do(transition, kind, document, decision, put_off_now=bool(outside.put_off))
    return StoredResult(answer, problem.id, reference=change.reference, decision=decision)


def _problem(uow: UnitOfWork, tenant: str, document: Mapping[str, Any]) -> ServiceProblem:
    problem_id = ProblemRepository(uow).find(tenant, document["serviceProblemId"])
    if problem_id is None:
        raise refusals.UNKNOWN_PROBLEM.error()
    problem = ProblemRepository(uow).lock(problem_id)
    named = document.get("supplierServiceProblemReference", problem.reference)
    # A gateway that has not received our reference yet cannot send it: any value is accepted.
    if problem.reference_known and named != problem.reference:
        raise refusals.WRONG_REFERENCE.error()
    return problem


def _obstacle(
    uow: UnitOfWork, problem: ServiceProblem, kind: ChangeKind, document: Mapping[str, Any]
) -> str | None:
    """Return why the change is not possible, or None."""
    if pending := ChangeRequestRepository(uow).pending(problem.id):
        return refusals.CHANGE_UNDECIDED.message(kind=pending.kind, id=pending.gateway_id)
    try:
        plan(problem.state, EVENTS[kind][0])
        if kind is ChangeKind.AMENDMENT:
            amended(problem.document, document)
    except IllegalMove:
        return refusals.CHANGE_IMPOSSIBLE.message(kind=kind, state=problem.state)
    except TooManyCharacteristics as error:
        return str(error)
    return None


def _do(
    transition: Transition,
    kind: ChangeKind,
    document: Mapping[str, Any],
    decision: Decision,
    *,
    put_off_now: bool,
) -> tuple[Answer, ChangeRequest]:
    """Do a change that is possible, or keep it until it is decided."""
    at_once, behind, ask = EVENTS[kind]
    # While the problem itself is undecided, no work has begun that a change could disturb.
    deferred = (
        decision.outcome is Outcome.DEFER and transition.problem.state.base is not Base.UNDECIDED
    )
    change = _new(transition, kind, document, deferred=deferred)
    ChangeRequestRepository(transition.uow).add(change)
    if deferred:
        transition.take(ask)
        status = 202
    else:
        # After a 201 the gateway informs the tenant at once, and so would overtake queued KCIs.
        waiting = transition.undelivered() > 0
        if kind is ChangeKind.AMENDMENT:
            transition.problem.document = amended(transition.problem.document, document)
        transition.take(behind if waiting else at_once, carried_by(change), change=change)
        status = 202 if waiting else 201
    later = deferred and put_off_now
    # Of a problem that is itself put off the back office has not heard; it will, as amended.
    if not later and transition.problem.next_order > 1:
        transition.order(ORDERS[kind], decide=deferred, change=change)
    transition.finish(gateway_asked=True)
    if later:
        operation, key = Operation(kind.value), str(change.gateway_id)
        put_off(transition, operation, key, change.reference)
    return Answer(status, change_answer(change)), change


def _new(
    transition: Transition, kind: ChangeKind, document: Mapping[str, Any], *, deferred: bool
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


def carried_by(change: ChangeRequest) -> Carried:
    """Return what the KCI of an applied change must carry."""
    if change.kind is ChangeKind.CANCELLATION:
        return Carried(cancelled_code(change))
    return Carried()
