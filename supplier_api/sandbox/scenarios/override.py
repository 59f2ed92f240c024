"""The outcome of a scenario, laid over what the rule book decides."""

from dataclasses import dataclass, replace

from supplier_api.contract.codes import ProblemCode
from supplier_api.rules.model import Decision, Outcome, Reason, RuleTrace, Verdict
from supplier_api.sandbox.scenarios.choice import is_scenario_service
from supplier_api.sandbox.scenarios.model import Play, ScenarioAnswer


@dataclass(frozen=True, slots=True)
class ScenarioOverride:
    """The scenario of one request about `service_id`; `play` is None when none was chosen."""

    play: Play | None
    service_id: str

    def open_problems(self, known: list[str]) -> list[str]:
        """Return the problems open on the service; one that stands for a scenario has none."""
        return [] if is_scenario_service(self.service_id) else known

    def incidents(self, known: list[str]) -> list[str]:
        """Return the incidents that the problem is part of, the scenario's own included."""
        made_up = self.play.scenario.incident if self.play else None
        return [*known, made_up] if made_up else known

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
