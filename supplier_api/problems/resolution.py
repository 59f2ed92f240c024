"""The use case of the tenant's answer to a resolution: accepted or rejected, once."""

import re
from collections.abc import Mapping
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.contract import refusals
from supplier_api.contract.codes import ResolutionStatus
from supplier_api.contract.limits import REFERENCE_PATTERN
from supplier_api.db import UnitOfWork
from supplier_api.problems.idempotency import RESOLUTION, IdempotentRequest, refusal
from supplier_api.problems.kci import resolution_entity
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Base, Resolution, ServiceProblem
from supplier_api.problems.parts_repository import ResolutionRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Caller, RequestAnswer, Services
from supplier_api.problems.transition import Transition
from supplier_api.problems.work import RESOLUTION_ANSWER

EVENTS = {
    ResolutionStatus.ACCEPTED: Event.ACCEPT_RESOLUTION,
    ResolutionStatus.REJECTED: Event.REJECT_RESOLUTION,
}


def answer_resolution(
    services: Services, caller: Caller, reference: str, document: Mapping[str, Any]
) -> RequestAnswer:
    """Record the tenant's answer to the resolution `reference`: 200 or 422.

    422 with NOT_FOUND for a resolution that is not this tenant's, with INVALID_REQUEST for one that
    is no longer the problem's current one, was withdrawn, or was closed by silence and is now
    rejected. Raises
    services.Unavailable.
    """
    if not re.fullmatch(REFERENCE_PATTERN, reference):
        return refusal(services, caller, refusals.UNKNOWN_RESOLUTION.error())
    request = IdempotentRequest(services, caller, RESOLUTION, reference, document)

    def transaction(uow: UnitOfWork) -> RequestAnswer:
        claimed = request.claim(uow)
        if claimed is None:
            return request.repeated_answer(uow)
        resolution, problem = _lock_current(uow, caller.tenant, reference)
        problem.doubtful = False
        transition = Transition(services, uow, problem)
        status = ResolutionStatus(document["status"])
        if problem.state.base is Base.RESOLVED:
            resolution.tenant_notes = document.get("tenantNotes")
            transition.apply(EVENTS[status], resolution=resolution)
            transition.order(RESOLUTION_ANSWER, decide=False, resolution=resolution)
        else:
            _after_closure(resolution, status)
        transition.finish(gateway_asked=True)
        answer = RequestAnswer(200, resolution_entity(resolution))
        request.record(uow, claimed, answer, problem=problem, reference=reference)
        return answer

    return request.write(transaction)


def _lock_current(
    uow: UnitOfWork, tenant: str, reference: str
) -> tuple[Resolution, ServiceProblem]:
    problem = ProblemRepository(uow).lock_resolved(tenant, reference)
    if problem is None:
        raise refusals.UNKNOWN_RESOLUTION.error()
    current = ResolutionRepository(uow).current(problem.id)
    assert current is not None
    if current.reference != reference:
        raise refusals.RESOLUTION_REPLACED.error(reference=current.reference)
    if current.status is ResolutionStatus.WITHDRAWN:
        assert current.closed_date is not None  # it is when it was withdrawn
        raise refusals.RESOLUTION_WITHDRAWN.error(when=to_wire(current.closed_date))
    return current, problem


def _after_closure(resolution: Resolution, status: ResolutionStatus) -> None:
    """Raise RequestRefused unless the tenant accepts a resolution that is accepted already."""
    if status is ResolutionStatus.ACCEPTED and resolution.status is ResolutionStatus.ACCEPTED:
        return
    closed = to_wire(resolution.closed_date) if resolution.closed_date else "an earlier day"
    raise refusals.PROBLEM_CLOSED.error(when=closed)
