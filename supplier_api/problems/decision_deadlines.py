"""The deadlines of decisions that people owe: the reminder, and what is decided without them.

A request that was answered 202 may stay undecided for ever, unless somebody looks. The deadline is
a timer of the problem, set with the answer and deleted with the decision, whoever makes it.
"""

from datetime import datetime, timedelta

from supplier_api.clock import to_wire
from supplier_api.contract.codes import ChangeStatus
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import MAINTENANCE, SwitchRepository
from supplier_api.logging import get_logger
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Base, ChangeRequest, ServiceProblem
from supplier_api.problems.notices import why_recorded
from supplier_api.problems.parts_repository import ChangeRequestRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import DecisionDeadline, Services
from supplier_api.problems.timer_repository import (
    DECIDE,
    DECISION_DEADLINE,
    Timer,
    TimerRepository,
)
from supplier_api.problems.transition import Transition
from supplier_api.problems.work import BackOfficeEvent, Cause, Notice
from supplier_api.rules.model import Operation

# For how long the rule book's own decision, if that was put off, has its turn before the fallback;
# and how often a deadline that passes in maintenance is looked at.
WAIT = timedelta(minutes=1)
_EVENTS = {
    (True, "accept"): Event.ACCEPT,
    (True, "reject"): Event.REJECT,
    (False, "accept"): Event.ACCEPT_CHANGE,
    (False, "reject"): Event.REJECT_CHANGE,
}
log = get_logger(__name__)


class DecisionDeadlines:
    """What is done when a decision is due: the handlers of both kinds of timers."""

    def __init__(self, services: Services, events: BackOfficeEvents) -> None:
        """Work with `services`; a fallback is applied as one of the `events`."""
        self._services = services
        self._events = events

    def remind(self, uow: UnitOfWork, timer: Timer) -> datetime | None:
        """Remind the back office of a decision that it owes; one that was made needs nothing."""
        assert timer.problem_id is not None
        problem = ProblemRepository(uow).lock(timer.problem_id)
        if _is_open(uow, problem, timer):
            ends = [
                each.due_at
                for each in TimerRepository(uow).of(problem.id)
                if each.kind == DECISION_DEADLINE and each.subject == timer.subject
            ]
            self._tell(uow, problem, timer, ends[0] if ends else timer.due_at)
        return None

    def expire(self, uow: UnitOfWork, timer: Timer) -> datetime | None:
        """Apply the fallback to what is still undecided, or else remind the back office again.

        In maintenance nothing is decided: the deadline waits for its end. A decision that was put
        off is the rule book's own, which is tried first.
        """
        assert timer.problem_id is not None
        problem = ProblemRepository(uow).lock(timer.problem_id)
        deadline = self._services.policy.deadlines.get(Operation(timer.data["operation"]))
        if deadline is None or not _is_open(uow, problem, timer):
            return None
        later = self._services.business.now(timer.tenant) + WAIT
        if deadline.fallback and SwitchRepository(uow).get(MAINTENANCE):
            return later
        if deadline.fallback and not timer.data.get("waited") and _put_off(uow, timer):
            TimerRepository(uow).remember(timer.id, {**timer.data, "waited": True})
            return later
        log.warning("decision.overdue", **_about(problem, timer), fallback=deadline.fallback)
        if deadline.fallback is None:
            self._tell(uow, problem, timer, timer.due_at)
        else:
            self._events.apply(uow, problem.id, _fallback(timer, deadline), Cause.DEADLINE)
        return None

    def _tell(
        self, uow: UnitOfWork, problem: ServiceProblem, timer: Timer, decide_by: datetime
    ) -> None:
        log.warning("decision.due", **_about(problem, timer), decide_by=to_wire(decide_by))
        transition = Transition(self._services, uow, problem)
        if Notice.DECISION_DUE not in self._services.order_kinds or not transition.told():
            return
        transition.order(
            Notice.DECISION_DUE,
            decide=True,
            change=_change(uow, timer),
            deferred=_why(uow, problem, timer),
            decide_by=decide_by,
        )
        transition.finish()


def _is_open(uow: UnitOfWork, problem: ServiceProblem, timer: Timer) -> bool:
    """Return whether what the timer was set for is still undecided."""
    if timer.data["operation"] == Operation.PROBLEM:
        return problem.state.base is Base.UNDECIDED
    change = _change(uow, timer)
    return change is not None and change.status is ChangeStatus.PENDING


def _change(uow: UnitOfWork, timer: Timer) -> ChangeRequest | None:
    """Return the change request that the timer was set for; None if that was the problem."""
    if timer.data["operation"] == Operation.PROBLEM or timer.problem_id is None:
        return None
    return ChangeRequestRepository(uow).find(timer.problem_id, timer.subject or "")


def _put_off(uow: UnitOfWork, timer: Timer) -> bool:
    """Return whether the rule book has not decided yet."""
    assert timer.problem_id is not None
    beside = TimerRepository(uow).of(timer.problem_id)
    return any(each.kind == DECIDE and each.subject == timer.subject for each in beside)


def _why(uow: UnitOfWork, problem: ServiceProblem, timer: Timer) -> dict[str, object] | None:
    change = _change(uow, timer)
    key = str(change.gateway_id if change else problem.gateway_id)
    for row in DecisionRepository(uow).of(problem.id):
        if (row["operation"], row["key"]) == (timer.data["operation"], key):
            return why_recorded(row["rule"], row["trace"])
    return None


def _fallback(timer: Timer, deadline: DecisionDeadline) -> BackOfficeEvent:
    of_problem = timer.data["operation"] == Operation.PROBLEM
    event = _EVENTS[of_problem, deadline.fallback or ""]
    return BackOfficeEvent(
        id=f"deadline-{timer.subject}",
        event=event,
        problem_code=deadline.code,
        text=deadline.text,
        change_reference=None if of_problem else timer.subject,
    )


def _about(problem: ServiceProblem, timer: Timer) -> dict[str, str | None]:
    """Return what a log line names: codes and references."""
    return {
        "operation": timer.data["operation"],
        "reference": problem.reference,
        "subject": timer.subject,
    }
