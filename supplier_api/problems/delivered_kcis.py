"""What follows from the KCIs that the gateway accepted: it knows the problem, closure begins."""

from collections.abc import Sequence
from dataclasses import dataclass

from supplier_api.contract.codes import ReasonCode
from supplier_api.db import UnitOfWork
from supplier_api.problems.parts_repository import ResolutionRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Services
from supplier_api.problems.timer_repository import TimerRepository
from supplier_api.problems.transition import CLOSURE, CLOSURE_NOTICE, closure_times

# KCIs that may lack our reference: as the first KCI of a problem they do not carry it.
WITHOUT_REFERENCE = (ReasonCode.REJECTED, ReasonCode.CANCELLED)


@dataclass(frozen=True, slots=True)
class DeliveredKci:
    """A KCI that the gateway accepted: its reason, and the reference of its resolution or change.

    `reference` is set for a rewritten KCI only: whether it carried our reference. Otherwise that
    follows from the reason.
    """

    problem_id: int
    reason: str
    subject: str | None
    reference: bool | None = None


def concerned(uow: UnitOfWork, delivered: Sequence[DeliveredKci]) -> set[int]:
    """Return the ids of the problems for which kci_delivered has something to record; no lock.

    The others need no lock: a reference is confirmed and a resolution delivered only once, and
    a problem that becomes doubtful during this query does so after the KCI was accepted.
    """
    resolved = {each.problem_id for each in delivered if _may_resolve(each)}
    return resolved | ProblemRepository(uow).unconfirmed([each.problem_id for each in delivered])


def kci_delivered(services: Services, uow: UnitOfWork, delivered: DeliveredKci) -> None:
    """Record an accepted KCI: the gateway knows the problem, and the closure time begins."""
    problem = ProblemRepository(uow).lock(delivered.problem_id)
    if problem.doubtful or not problem.reference_known:
        problem.doubtful = False
        carried_reference = delivered.reference
        if carried_reference is None:
            carried_reference = delivered.reason not in WITHOUT_REFERENCE
        problem.reference_known = problem.reference_known or carried_reference
        ProblemRepository(uow).save(problem)
    if delivered.subject is None:
        return
    # Whatever its reason: a KCI that replaces a refused RESOLVED delivers the resolution, too.
    resolution = ResolutionRepository(uow).find(delivered.subject)
    if resolution is None or resolution.taken:
        return
    resolution.taken = services.business.now(problem.tenant)
    ResolutionRepository(uow).save(resolution)
    times = dict(closure_times(services, resolution.taken))
    for timer in TimerRepository(uow).of(problem.id):
        if timer.kind in (CLOSURE, CLOSURE_NOTICE) and timer.subject == resolution.reference:
            TimerRepository(uow).move(timer.id, times[timer.kind])


def _may_resolve(delivered: DeliveredKci) -> bool:
    """Return whether a KCI may deliver a resolution: RESOLVED, or a KCI that replaces it."""
    return delivered.reason == ReasonCode.RESOLVED or (
        delivered.reference is not None and delivered.subject is not None
    )
