"""Shows what is personal in a problem to somebody, and records that."""

from collections.abc import Sequence
from typing import Any

from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, Operator, OperatorActionRepository
from supplier_api.problems import view
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Services

# The actions' names.
UNMASK = "unmask"
TEXT_SEARCH = "text search"


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


def record_search(services: Services, found: Sequence[ServiceProblem], by: Operator) -> None:
    """Record who looked for words in what tenants wrote, and what was found; before it is shown.

    The words are not recorded: they may be personal themselves. Raises StoreUnavailable.
    """
    searched = Action(
        at=services.machine.now(),
        who=by.who,
        action=TEXT_SEARCH,
        reason=by.reason,
        detail={"found": [problem.reference for problem in found]},
    )
    services.store.write(lambda uow: OperatorActionRepository(uow).add(searched))
