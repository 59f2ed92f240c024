"""The use case of the tenant's answer to a resolution: accepted or rejected, once."""

from collections.abc import Mapping
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.contract import RequestRefused, refusals
from supplier_api.contract.codes import ResolutionStatus
from supplier_api.db import UnitOfWork
from supplier_api.problems.decision_repository import RecordedDecision
from supplier_api.problems.idempotency import StoredResult
from supplier_api.problems.kci import resolution_entity
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Base, Resolution, ServiceProblem
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.resolution_repository import ResolutionRepository
from supplier_api.problems.services import Answer, Caller, Services
from supplier_api.problems.transition import Transition
from supplier_api.problems.work import OrderKind

RESOLUTION = "resolution"
EVENTS = {
    ResolutionStatus.ACCEPTED: Event.ACCEPT_RESOLUTION,
    ResolutionStatus.REJECTED: Event.REJECT_RESOLUTION,
}


def settle_resolution(
    services: Services,
    uow: UnitOfWork,
    caller: Caller,
    reference: str,
    document: Mapping[str, Any],
) -> StoredResult:
    """Record the tenant's answer to the resolution `reference`.

    Raises RequestRefused: NOT_FOUND for a resolution that is not this tenant's, INVALID_REQUEST for
    one that is no longer the problem's current one, or was closed by silence and is now rejected.
    """
    resolution, problem = _find(uow, caller.tenant, reference)
    problem.doubtful = False
    transition = Transition(services, uow, problem)
    status = ResolutionStatus(document["status"])
    if problem.state.base is Base.RESOLVED:
        resolution.tenant_notes = document.get("tenantNotes")
        transition.take(EVENTS[status], resolution=resolution)
        transition.order(OrderKind.RESOLUTION_ANSWER, decide=False, resolution=resolution)
    else:
        _after_closure(resolution, status)
    transition.finish(gateway_asked=True)
    answer = Answer(200, resolution_entity(resolution))
    return StoredResult(answer, problem.id, reference=reference)


def answered_before(recorded: RecordedDecision) -> RequestRefused:
    """Return the refusal of a second, different answer to the same resolution."""
    status = recorded.body["status"] if recorded.body else "answered"
    return refusals.RESOLUTION_ANSWERED.error(status=status, when=to_wire(recorded.created))


def _find(uow: UnitOfWork, tenant: str, reference: str) -> tuple[Resolution, ServiceProblem]:
    found = ResolutionRepository(uow).find(reference)
    problem = ProblemRepository(uow).lock(found.problem_id) if found else None
    if found is None or problem is None or problem.tenant != tenant:
        raise refusals.UNKNOWN_RESOLUTION.error()
    # Read again under the lock.
    current = ResolutionRepository(uow).current(problem.id)
    assert current is not None
    if current.reference != reference:
        raise refusals.RESOLUTION_REPLACED.error(reference=current.reference)
    return current, problem


def _after_closure(resolution: Resolution, status: ResolutionStatus) -> None:
    """Raise RequestRefused unless the tenant accepts a resolution that is accepted already."""
    if status is ResolutionStatus.ACCEPTED and resolution.status is ResolutionStatus.ACCEPTED:
        return
    closed = to_wire(resolution.closed_date) if resolution.closed_date else "an earlier day"
    raise refusals.PROBLEM_CLOSED.error(when=closed)
