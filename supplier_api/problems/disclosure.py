"""Shows what is personal in a problem to somebody, and records that."""

from typing import Any

from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, Operator, OperatorActionRepository
from supplier_api.problems import view
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Services

UNMASK = "unmask"  # the action's name


def unmasked(services: Services, problem_id: int, by: Operator) -> dict[str, Any]:
    """Return what the tenant wrote, as view.contents does; who looked at it and why is recorded.

    Raises db.Gone and db.StoreUnavailable.
    """

    def work(uow: UnitOfWork) -> dict[str, Any]:
        problem = ProblemRepository(uow).get(problem_id)
        looked = Action(
            at=services.machine.now(),
            who=by.who,
            action=UNMASK,
            reason=by.reason,
            tenant=problem.tenant,
            problem_id=problem_id,
        )
        OperatorActionRepository(uow).add(looked)
        return view.contents(uow, problem)

    return services.store.write(work)
