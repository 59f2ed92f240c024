"""What testers choose, as a source of outcomes: in the transaction that decides a request.

The door reads what a request chooses before anything else is asked (`read_request`); here it is
completed by what was set for the conversation and the tenant, and kept under the request's key for
whatever comes later: a decision that was put off, a change, the simulated back office.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from supplier_api.db import UnitOfWork
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.services import Caller
from supplier_api.problems.work import WorkOrder
from supplier_api.rules.model import Operation
from supplier_api.sandbox.scenarios.catalogue import recall
from supplier_api.sandbox.scenarios.choice import NOTHING, Choice, read_scenario
from supplier_api.sandbox.scenarios.model import Play, ScenarioKind
from supplier_api.sandbox.scenarios.override import ScenarioOverride
from supplier_api.sandbox.scenarios.repository import ScenarioRepository

# What the request chooses that is being answered in this context.
CHOSEN: ContextVar[Choice] = ContextVar("chosen", default=NOTHING)
_CHANGES = (ScenarioKind.AMENDMENT, ScenarioKind.CANCELLATION)


class ScenarioSource:
    """Lays the scenarios that testers choose over the rule book's decisions."""

    def of_problem(
        self, uow: UnitOfWork, caller: Caller, document: Mapping[str, Any]
    ) -> ScenarioOverride:
        """Return what is chosen for a new problem; it is kept for its later changes too."""
        choice = CHOSEN.get()
        play = choice.play(ScenarioKind.PROBLEM, *_defaults(uow, caller))
        # A default for changes is looked up when they come: it may be another by then.
        plays = {ScenarioKind.PROBLEM: play, **{kind: choice.play(kind) for kind in _CHANGES}}
        _keep(uow, caller.tenant, Operation.PROBLEM, document["id"], plays)
        return ScenarioOverride(play, document["serviceId"])

    def of_change(
        self,
        uow: UnitOfWork,
        caller: Caller,
        problem: ServiceProblem,
        kind: Operation,
        gateway_id: int,
    ) -> ScenarioOverride:
        """Return what is chosen for a change of a locked problem.

        While a question of the supplier is open the problem's own scenario goes with it, so that
        the back office can go on when the change answers that.
        """
        kept = ScenarioRepository(uow).kept(problem.tenant, Operation.PROBLEM, problem.gateway_id)
        about = ScenarioKind(kind.value)
        play = CHOSEN.get().play(about, recall(kept.get(about)), *_defaults(uow, caller))
        asked = recall(kept.get(ScenarioKind.PROBLEM)) if problem.state.awaits else None
        plays = {about: play, ScenarioKind.PROBLEM: asked}
        _keep(uow, problem.tenant, kind, gateway_id, plays)
        return ScenarioOverride(play, problem.service_id)

    def of_earlier(
        self, uow: UnitOfWork, problem: ServiceProblem, operation: Operation, gateway_id: str
    ) -> ScenarioOverride:
        """Return what was chosen with a request whose decision was put off until now."""
        kept = ScenarioRepository(uow).kept(problem.tenant, operation, int(gateway_id))
        return ScenarioOverride(recall(kept.get(str(operation))), problem.service_id)


def chosen_with(uow: UnitOfWork, order: WorkOrder) -> Mapping[str, Any]:
    """Return what was chosen with the request that a work order comes from, Play.plain by kind."""
    operation, request = Operation.PROBLEM, order.problem
    if isinstance(order.kind, Operation) and order.subject:
        operation, request = order.kind, order.subject
    return ScenarioRepository(uow).kept(order.tenant, operation, request["id"])


def _defaults(uow: UnitOfWork, caller: Caller) -> list[Play | None]:
    """Return what was set for the conversation, then what was set for the tenant."""
    names = ScenarioRepository(uow).defaults(caller.tenant, caller.conversation_id)
    return [read_scenario(name) for name in names]


def _keep(
    uow: UnitOfWork,
    tenant: str,
    operation: Operation,
    gateway_id: int,
    plays: Mapping[ScenarioKind, Play | None],
) -> None:
    plain = {str(kind): play.plain() for kind, play in plays.items() if play}
    if plain:
        ScenarioRepository(uow).keep(tenant, operation, gateway_id, plain)
