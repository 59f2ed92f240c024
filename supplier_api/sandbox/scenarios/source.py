"""What testers choose, as a source of outcomes: in the transaction that decides a request.

The door reads what a request chooses before anything else is asked (`choice.read_request`); here it
is completed by what was set for the conversation and the tenant, and kept under the request's key
for whatever comes later: a decision that was put off, a change, the simulated back office.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.sql import ColumnElement

from supplier_api.contract.codes import ProblemCode
from supplier_api.db import UnitOfWork
from supplier_api.db.compiled_statements import CompiledStatement, among
from supplier_api.db.tables import scenario_choice, scenario_default
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.services import Caller
from supplier_api.problems.work import WorkOrder
from supplier_api.rules.model import Decision, Operation, Outcome, Reason, RuleTrace, Verdict
from supplier_api.sandbox.scenarios.catalogue import recall
from supplier_api.sandbox.scenarios.choice import CHOSEN, is_scenario_service, read_scenario
from supplier_api.sandbox.scenarios.model import Play
from supplier_api.sandbox.tenant_settings import of_this_call

_CHANGES = (Operation.AMENDMENT, Operation.CANCELLATION)
_t = scenario_default.c
# Asked at every call.
_DEFAULTS = CompiledStatement(
    select(_t.scenarios)
    .where(_t.tenant == bindparam("tenant"), among(_t.conversation_id, "conversations"))
    .order_by(_t.conversation_id.desc())
)


class ScenarioRepository:
    """The scenarios within one transaction: those set as defaults, and those chosen by requests.

    A default is a name with its parameters, as it was set. An empty conversation stands for all of
    the tenant's.
    """

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def defaults(self, tenant: str, conversation_id: str) -> list[str]:
        """Return what was set for the conversation, and behind it what was for its tenant."""
        whose = {"tenant": tenant, "conversations": [conversation_id, ""]}
        rows = _DEFAULTS.run(self._connection, whose)
        return [name for (names,) in rows for name in names]

    def get(self, tenant: str, conversation_id: str) -> list[str]:
        """Return what was set for exactly this; nothing if nothing was."""
        query = select(_t.scenarios).where(_which(tenant, conversation_id))
        return self._connection.execute(query).scalar() or []

    def put(self, tenant: str, conversation_id: str, names: Sequence[str]) -> None:
        """Set it, whatever was set before."""
        self.delete(tenant, conversation_id)
        values = {"tenant": tenant, "conversation_id": conversation_id, "scenarios": list(names)}
        self._connection.execute(insert(scenario_default), values)

    def delete(self, tenant: str, conversation_id: str) -> None:
        """Forget what was set for exactly this."""
        self._connection.execute(delete(scenario_default).where(_which(tenant, conversation_id)))

    def keep(
        self,
        tenant: str,
        operation: Operation,
        gateway_id: int,
        plays: Mapping[Operation, Play | None],
    ) -> None:
        """Keep what was chosen with a request, by kind; nothing is kept of nothing."""
        plain = {str(kind): play.plain() for kind, play in plays.items() if play}
        if plain:
            key = {"tenant": tenant, "operation": operation, "gateway_id": gateway_id}
            self._connection.execute(insert(scenario_choice), {**key, "plays": plain})

    def kept(self, tenant: str, operation: str, gateway_id: int) -> Mapping[str, Any]:
        """Return what was chosen with a request, Play.plain by kind; nothing if nothing was."""
        of = scenario_choice.c
        query = select(of.plays).where(
            of.tenant == tenant, of.operation == operation, of.gateway_id == gateway_id
        )
        found: Mapping[str, Any] | None = self._connection.execute(query).scalar()
        return found or {}


def _which(tenant: str, conversation_id: str) -> ColumnElement[bool]:
    return (_t.tenant == tenant) & (_t.conversation_id == conversation_id)


@dataclass(frozen=True, slots=True)
class ScenarioOverride:
    """The outcome of a scenario, laid over what the rule book decides on one request.

    The request is about `service_id`; `play` is None when no scenario was chosen.
    """

    play: Play | None
    service_id: str

    def open_problems(self, known: list[str]) -> list[str]:
        """Return the problems open on the service; one that stands for a scenario has none."""
        return [] if is_scenario_service(self.service_id) else known

    def incidents(self, known: list[str]) -> list[str]:
        """Return the incidents that the problem is part of, the scenario's own included."""
        invented = self.play.scenario.incident if self.play else None
        return [*known, invented] if invented else known

    def decided(self, decision: Decision) -> Decision:
        """Return the decision with the scenario's outcome; what the book refuses stays refused."""
        if self.play is None or not self.play.named:
            return decision
        name = f"scenario {self.play.scenario.name}"
        trace = (*decision.trace, RuleTrace(name, Verdict.MATCHED, dict(self.play.values)))
        if self.play.scenario.answer is Outcome.REJECT:
            code = ProblemCode(self.play.get("problemCode"))
            reason = Reason(name, code, f"{self.play.get('text')} ({code})")
            return replace(
                decision,
                outcome=Outcome.REJECT,
                rule=decision.rule if decision.reasons else name,
                reasons=(*decision.reasons, reason),
                trace=trace,
            )
        if decision.reasons:
            return decision
        outcome = self.play.scenario.answer
        return replace(decision, outcome=outcome, rule=name, trace=trace)


class ScenarioSource:
    """Lays the scenarios that testers choose over the rule book's decisions."""

    def of_problem(
        self, uow: UnitOfWork, caller: Caller, document: Mapping[str, Any]
    ) -> ScenarioOverride:
        """Return what is chosen for a new problem; it is kept for its later changes too."""
        choice = CHOSEN.get()
        play = choice.play(Operation.PROBLEM, *_defaults(uow, caller))
        # A default for changes is looked up when they come: it may be another by then.
        plays = {Operation.PROBLEM: play, **{kind: choice.play(kind) for kind in _CHANGES}}
        ScenarioRepository(uow).keep(caller.tenant, Operation.PROBLEM, document["id"], plays)
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
        scenarios = ScenarioRepository(uow)
        kept = scenarios.kept(problem.tenant, Operation.PROBLEM, problem.gateway_id)
        play = CHOSEN.get().play(kind, recall(kept.get(kind)), *_defaults(uow, caller))
        asked = recall(kept.get(Operation.PROBLEM)) if problem.state.awaits else None
        plays = {kind: play, Operation.PROBLEM: asked}
        scenarios.keep(problem.tenant, kind, gateway_id, plays)
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
    whose = caller.tenant, caller.conversation_id
    call = of_this_call()
    if call and (call.tenant, call.conversation_id) == whose:
        names = call.scenarios
    else:
        names = ScenarioRepository(uow).defaults(*whose)
    return [read_scenario(name) for name in names]
