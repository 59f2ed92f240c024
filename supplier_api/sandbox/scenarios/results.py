"""What a scenario leads to: worked out from its steps and the lifecycle, so that it is so."""

from dataclasses import dataclass

from supplier_api.contract.codes import Status
from supplier_api.problems import lifecycle
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Base, State
from supplier_api.rules.model import Operation
from supplier_api.sandbox.scenarios.model import Play, Scenario, ScenarioAnswer, ScenarioKind, Step

BASES = {
    ScenarioAnswer.ACKNOWLEDGE: Base.ACKNOWLEDGED,
    ScenarioAnswer.COMMIT: Base.IN_PROGRESS,
    ScenarioAnswer.DEFER: Base.UNDECIDED,
}
STATUSES = {
    ScenarioAnswer.REJECT: 422,
    ScenarioAnswer.DEFER: 202,
    ScenarioAnswer.ACKNOWLEDGE: 201,
    ScenarioAnswer.COMMIT: 201,
}


@dataclass(frozen=True, slots=True)
class Results:
    """What a scenario leads to with its default parameters.

    `http` is the answer's status and `status` where the problem then stands, None where it has no
    status yet or keeps the one it has. `updates` are the KCIs as REASON/STATUS; `onward` are those
    that follow the answer to the scenario's question. Of changes it is told for a problem that is
    ACKNOWLEDGED.
    """

    http: int
    status: Status | None
    updates: tuple[str, ...]
    onward: tuple[str, ...] = ()


def results(scenario: Scenario) -> Results:
    """Return what `scenario` leads to."""
    http = STATUSES[scenario.answer]
    if scenario.answer is ScenarioAnswer.REJECT:
        return Results(http, None, ())
    play = Play(scenario)
    if scenario.kind is not ScenarioKind.PROBLEM:
        return _changed(http, play)
    told: list[str] = []
    state = State(BASES[scenario.answer])
    status = state.status
    if scenario.incident:
        state = _happen(state, Event.JOIN_INCIDENT, told, scenario.incident)
    state = _play(state, scenario.steps(play, state.beneath), told)
    then: list[str] = []
    if scenario.onward and scenario.question:
        settles = frozenset({scenario.question})
        (settled,) = lifecycle.plan(state, Event.AMEND, settles=settles)
        then.append(f"{settled.kci}/{settled.state.status}")
        _play(settled.state, scenario.onward(play), then)
    return Results(http, status, tuple(told), tuple(then))


def _changed(http: int, play: Play) -> Results:
    kind = Operation(play.scenario.kind.value)
    if play.scenario.answer is ScenarioAnswer.COMMIT:
        return Results(http, Status.CANCELLED if kind is Operation.CANCELLATION else None, ())
    asked = State(Base.ACKNOWLEDGED, asked=kind)
    told: list[str] = []
    _play(asked, play.scenario.steps(play, asked.beneath), told)
    return Results(http, asked.status, tuple(told))


def _play(state: State, steps: tuple[Step, ...], told: list[str]) -> State:
    for event, details in steps:
        # A note without a text is an update.
        untold = event is Event.NOTE and "text" not in details
        state = _happen(state, Event.UPDATE if untold else event, told)
    return state


def _happen(state: State, event: Event, told: list[str], incident: str | None = None) -> State:
    for step in lifecycle.plan(state, event, incident=incident):
        if step.kci:
            told.append(f"{step.kci}/{step.state.status}")
        state = step.state
    return state
