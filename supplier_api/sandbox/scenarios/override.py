"""What a tester chose for a request, laid over what the rule book decides. Sandbox profile only."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from supplier_api.contract.codes import ProblemCode
from supplier_api.db import UnitOfWork
from supplier_api.problems.model import ChangeKind, ServiceProblem
from supplier_api.problems.services import Caller
from supplier_api.rules.model import Decision, Outcome, Reason, RuleTrace, Verdict
from supplier_api.sandbox.scenarios.catalogue import recall
from supplier_api.sandbox.scenarios.choice import Choice, read_scenario
from supplier_api.sandbox.scenarios.model import Play, ScenarioAnswer, ScenarioKind
from supplier_api.sandbox.scenarios.repository import ScenarioRepository


@dataclass(frozen=True, slots=True)
class ScenarioOverride:
    """The scenario of one request.

    `play` is None when none was chosen. `kept` is what goes with the problem or, of a change, with
    its work order: by kind, as Play.plain has it.
    """

    play: Play | None
    kept: Mapping[str, Any] | None

    def decided(self, decision: Decision) -> Decision:
        """Return the decision with the scenario's outcome; what the book refuses stays refused."""
        if self.play is None or not self.play.named:
            return decision
        name = f"scenario {self.play.scenario.name}"
        trace = (*decision.trace, RuleTrace(name, Verdict.MATCHED, self.play.plain()["values"]))
        if self.play.scenario.answer is ScenarioAnswer.REJECT:
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
        outcome = Outcome(self.play.scenario.answer.value)
        return replace(decision, outcome=outcome, rule=name, trace=trace)

    def incidents(self, known: list[str]) -> list[str]:
        """Return the incidents that the problem is part of, the scenario's own included."""
        made_up = self.play.scenario.incident if self.play else None
        return [*known, made_up] if made_up else known


def override_for_problem(uow: UnitOfWork, caller: Caller, choice: Choice) -> ScenarioOverride:
    """Return what is chosen for a new problem, and for its later changes."""
    play = choice.play(ScenarioKind.PROBLEM, *_defaults(uow, caller))
    # A default for changes is looked up when they come: it may be another by then.
    plays = {ScenarioKind.PROBLEM: play, **{kind: choice.play(kind) for kind in _CHANGES}}
    return ScenarioOverride(play, _plain(plays))


def override_for_change(
    uow: UnitOfWork, caller: Caller, choice: Choice, problem: ServiceProblem, kind: ChangeKind
) -> ScenarioOverride:
    """Return what is chosen for a change of a locked problem.

    While a question of the supplier is open the problem's own scenario goes with it, so that the
    back office can go on when the change answers that.
    """
    kept = problem.scenario or {}
    about = ScenarioKind(kind.value)
    own = recall(kept.get(about))
    play = choice.play(about, own, *_defaults(uow, caller))
    asked = recall(kept.get(ScenarioKind.PROBLEM)) if problem.state.awaits else None
    return ScenarioOverride(play, _plain({about: play, ScenarioKind.PROBLEM: asked}))


_CHANGES = (ScenarioKind.AMENDMENT, ScenarioKind.CANCELLATION)


def _defaults(uow: UnitOfWork, caller: Caller) -> list[Play | None]:
    """Return what was set for the conversation, then what was set for the tenant."""
    names = ScenarioRepository(uow).defaults(caller.tenant, caller.conversation_id)
    return [read_scenario(name) for name in names]


def _plain(plays: Mapping[ScenarioKind, Play | None]) -> dict[str, Any] | None:
    return {str(kind): play.plain() for kind, play in plays.items() if play} or None
