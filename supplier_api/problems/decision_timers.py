"""Sets the timers of a request that was answered 202: our own decision, and people's deadline."""

from supplier_api.problems.timer_repository import (
    DEADLINES,
    DECIDE,
    DECISION_DEADLINE,
    DECISION_REMINDER,
    Timer,
    TimerRepository,
)
from supplier_api.problems.transition import Transition
from supplier_api.rules.model import Operation


def postpone_decision(
    transition: Transition, operation: Operation, gateway_id: int, subject: str
) -> None:
    """Have the worker decide on a request later; the transition must be finished.

    `subject` is our reference of the problem or of the change request.
    """
    data = {"operation": operation, "key": str(gateway_id)}
    problem = transition.problem
    timer = Timer(problem.id, problem.tenant, DECIDE, transition.now, subject, data)
    TimerRepository(transition.uow).add(timer)


def set_deadline(transition: Transition, operation: Operation, subject: str) -> None:
    """Have people decide in time, from now on, where the settings name a deadline.

    The transition must be finished. `subject` is our reference of the problem or of the change
    request; an earlier deadline of the problem no longer holds.
    """
    problem, policy = transition.problem, transition.services.policy
    due_at = policy.decide_by(operation, transition.now)
    if due_at is None:
        return
    timers = TimerRepository(transition.uow)
    timers.delete_for(problem.id, *DEADLINES)
    data = {"operation": operation}
    if remind := policy.deadlines[operation].remind:
        at = due_at - remind
        timers.add(Timer(problem.id, problem.tenant, DECISION_REMINDER, at, subject, data))
    timers.add(Timer(problem.id, problem.tenant, DECISION_DEADLINE, due_at, subject, data))
