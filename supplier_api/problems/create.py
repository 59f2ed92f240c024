"""The use case of a new service problem: POST /service-problems, decided in one transaction."""

from collections.abc import Mapping
from typing import Any

from supplier_api.db import UnitOfWork
from supplier_api.problems.decision_timers import postpone_decision, set_deadline
from supplier_api.problems.idempotency import IdempotentRequest, rejection
from supplier_api.problems.incident_coverage import coverage_keys
from supplier_api.problems.incident_repository import IncidentRepository
from supplier_api.problems.incidents import lift
from supplier_api.problems.kci import problem_entity
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Base, ServiceProblem, State
from supplier_api.problems.notices import why_deferred
from supplier_api.problems.repository import KnownOfService, ProblemRepository
from supplier_api.problems.rule_evaluation import (
    ExternalFacts,
    OutcomeOverride,
    OutcomeSource,
    RuleEvaluator,
    with_specification_name,
)
from supplier_api.problems.services import Caller, RequestAnswer, Services
from supplier_api.problems.transition import Transition
from supplier_api.rules.facts import Service, Unknown
from supplier_api.rules.model import Decision, Operation, Outcome

FIRST_STATE = {
    Outcome.DEFER: State(Base.UNDECIDED),
    Outcome.ACKNOWLEDGE: State(Base.ACKNOWLEDGED),
    Outcome.COMMIT: State(Base.IN_PROGRESS),
}


def create_problem(
    services: Services,
    rules: RuleEvaluator,
    outcomes: OutcomeSource,
    caller: Caller,
    document: Mapping[str, Any],
) -> RequestAnswer:
    """Decide on a new service problem: 201, 202 or 422 (*supplier-create*).

    The external facts are looked up first; everything else is one transaction. Raises
    services.Unavailable.
    """
    gateway_id, service_id = document["id"], document["serviceId"]
    external = rules.external_facts(Operation.PROBLEM, caller, document, lambda: service_id)
    request = IdempotentRequest(services, caller, Operation.PROBLEM, str(gateway_id), document)

    def transaction(uow: UnitOfWork) -> RequestAnswer:
        claimed = request.claim(uow, lock_service=service_id)
        if claimed is None:
            answer = request.repeated_answer(uow)
            # The gateway knows the problem from here on, so its answer is no longer in doubt.
            ProblemRepository(uow).clear_doubtful(caller.tenant, gateway_id)
            request.answered_again(uow)
            return answer
        parent, parent_unknown = _parent(uow, caller.tenant, document)
        keys = coverage_keys(document, *place_of(external.facts.service), parent)
        known = ProblemRepository(uow).known_of_service(caller.tenant, keys)
        override = outcomes.of_problem(uow, caller, document)
        decision, incidents = decide_on_problem(
            services, rules, uow, override, external, service_id, known
        )
        if decision.outcome is Outcome.REJECT:
            answer = rejection(services, caller.tenant, decision, Operation.PROBLEM, document)
            request.record(uow, claimed, answer, decision)
            return answer
        problem = _new_problem(services, caller, document, external, decision)
        problem.parent, problem.parent_unknown = parent, parent_unknown
        problem.linked_to = known.doubtful_reference
        deferred = decision.outcome is Outcome.DEFER
        answer = (
            RequestAnswer(202, None) if deferred else RequestAnswer(201, problem_entity(problem))
        )
        transition = Transition(services, uow, problem)
        if incidents:
            _join_incident(transition, incidents[0])
        if not external.postponed:
            why = why_deferred(decision) if deferred else None
            transition.order(Operation.PROBLEM, decide=deferred, deferred=why)
        transition.finish(gateway_asked=True)
        if external.postponed:
            postpone_decision(transition, Operation.PROBLEM, gateway_id, problem.reference)
        if deferred:
            set_deadline(transition, Operation.PROBLEM, problem.reference)
        request.record(uow, claimed, answer, decision, problem, problem.reference)
        return answer

    return request.write(transaction)


def decide_on_problem(
    services: Services,
    rules: RuleEvaluator,
    uow: UnitOfWork,
    override: OutcomeOverride,
    external: ExternalFacts,
    service_id: str,
    known: KnownOfService,
) -> tuple[Decision, list[str]]:
    """Return the decision on a new problem, and the incidents that it is part of.

    A decision that is postponed is not overridden: it is made later.
    """
    incidents = _known_incidents(services, uow, known, service_id, external.facts.service)
    decision = rules.decide(
        Operation.PROBLEM,
        external,
        open_problems=override.open_problems(known.open_problems),
        incidents=incidents,
    )
    if external.postponed:
        return decision, incidents
    return override.decided(decision), override.incidents(incidents)


def _known_incidents(
    services: Services,
    uow: UnitOfWork,
    known: KnownOfService,
    service_id: str,
    service: Service | Unknown | None,
) -> list[str]:
    """Return the incidents on a service: those declared here, and the one that the inventory names.

    `service` is the inventory's current answer. An incident that it named before and no longer
    names is over on this service; an incident that people ended stays over.
    """
    if isinstance(service, Unknown):
        return known.incidents
    code = service.incident if service else None
    over = [each for each in known.from_inventory if each != code]
    for each in over:
        lift(services, uow, each, service_id)
    last = [each for each in known.incidents if each not in over]
    if code is None or code in last or IncidentRepository(uow).ended(code):
        return last
    IncidentRepository(uow).note(code, service_id, services.machine.now())
    return [*last, code]


def _new_problem(
    services: Services,
    caller: Caller,
    document: Mapping[str, Any],
    external: ExternalFacts,
    decision: Decision,
) -> ServiceProblem:
    now = external.facts.now
    area, exchange = place_of(external.facts.service)
    return ServiceProblem(
        tenant=caller.tenant,
        gateway_id=document["id"],
        reference=services.reference(caller.tenant, Operation.PROBLEM, document["id"]),
        service_id=document["serviceId"],
        conversation_id=caller.conversation_id,
        state=FIRST_STATE[decision.outcome],
        document=with_specification_name(document, external.facts.service),
        created=now,
        updated=now,
        reference_known=decision.outcome is not Outcome.DEFER,
        area=area,
        exchange=exchange,
    )


def place_of(service: Service | Unknown | None) -> tuple[str | None, str | None]:
    """Return area and exchange of a service, as the inventory has them."""
    return (service.area, service.exchange) if isinstance(service, Service) else (None, None)


def _parent(uow: UnitOfWork, tenant: str, document: Mapping[str, Any]) -> tuple[str | None, bool]:
    """Return our reference of the parent that a request names, and whether it is an unknown one."""
    gateway_id = document.get("parentServiceProblemId")
    reference = document.get("parentServiceProblemReference")
    if gateway_id is None and reference is None:
        return None, False
    known = ProblemRepository(uow).known_as(tenant, gateway_id, reference)
    return known, known is None


def _join_incident(transition: Transition, incident: str) -> None:
    """Have a new problem wait for the incident's end; an undecided one joins when accepted."""
    if transition.problem.state.base is Base.UNDECIDED:
        transition.problem.state = State(Base.UNDECIDED, incident=incident)
    else:
        transition.apply(Event.JOIN_INCIDENT, incident=incident)
