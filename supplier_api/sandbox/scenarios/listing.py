"""The list of scenarios, as JSON values, with what each leads to.

That is worked out from the scenario's steps and the lifecycle, so that it is so.
"""

from dataclasses import dataclass
from typing import Any

from supplier_api.contract.codes import Status
from supplier_api.problems import lifecycle
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Base, State
from supplier_api.rules.model import Operation, Outcome
from supplier_api.sandbox.scenarios.catalogue import SCENARIOS
from supplier_api.sandbox.scenarios.model import (
    Play,
    Scenario,
    Step,
    steps_of,
)

BASES = {
    Outcome.ACKNOWLEDGE: Base.ACKNOWLEDGED,
    Outcome.COMMIT: Base.IN_PROGRESS,
    Outcome.DEFER: Base.UNDECIDED,
}
STATUSES = {
    Outcome.REJECT: 422,
    Outcome.DEFER: 202,
    Outcome.ACKNOWLEDGE: 201,
    Outcome.COMMIT: 201,
}


@dataclass(frozen=True, slots=True)
class Results:
    """What a scenario leads to with its default parameters.

    `http` is the answer's status and `status` where the problem then stands, None where it has no
    status yet or keeps the one it has. `updates` are the KCIs as REASON/STATUS; `onward` are those
    that follow the answer to the scenario's question. Of changes it is said for a problem that is
    ACKNOWLEDGED.
    """

    http: int
    status: Status | None = None
    updates: tuple[str, ...] = ()
    onward: tuple[str, ...] = ()


def results(scenario: Scenario) -> Results:
    """Return what `scenario` leads to."""
    http = STATUSES[scenario.answer]
    if scenario.answer is Outcome.REJECT:
        return Results(http)
    play = Play(scenario)
    if scenario.kind is not Operation.PROBLEM:
        return _of_change(http, play)
    updates: list[str] = []
    state = State(BASES[scenario.answer])
    status = state.status
    if scenario.incident:
        state = _happen(state, Event.JOIN_INCIDENT, updates, scenario.incident)
    state = _play(state, steps_of(play, scenario.plan, state.beneath), updates)
    onward: list[str] = []
    if scenario.onward and scenario.question:
        settles = frozenset({scenario.question})
        (settled,) = lifecycle.plan(state, Event.AMEND, settles=settles)
        onward.append(f"{settled.kci}/{settled.state.status}")
        _play(settled.state, steps_of(play, scenario.onward, state.beneath), onward)
    return Results(http, status, tuple(updates), tuple(onward))


def _of_change(http: int, play: Play) -> Results:
    kind = play.scenario.kind
    if play.scenario.answer is Outcome.COMMIT:
        return Results(http, Status.CANCELLED if kind is Operation.CANCELLATION else None)
    asked = State(Base.ACKNOWLEDGED, asked=kind)
    updates: list[str] = []
    _play(asked, steps_of(play, play.scenario.plan, asked.beneath), updates)
    return Results(http, asked.status, tuple(updates))


def _play(state: State, steps: tuple[Step, ...], updates: list[str]) -> State:
    for event, details in steps:
        # A note without a text is an update.
        is_update = event is Event.NOTE and "text" not in details
        state = _happen(state, Event.UPDATE if is_update else event, updates)
    return state


def _happen(state: State, event: Event, updates: list[str], incident: str | None = None) -> State:
    for step in lifecycle.plan(state, event, incident=incident):
        if step.kci:
            updates.append(f"{step.kci}/{step.state.status}")
        state = step.state
    return state


def listed() -> list[dict[str, Any]]:
    """Return every scenario in plain JSON values."""
    return [_listed(scenario) for scenario in SCENARIOS]


def _listed(scenario: Scenario) -> dict[str, Any]:
    found = results(scenario)
    entry: dict[str, Any] = {
        "name": scenario.name,
        "about": scenario.kind,
        "description": scenario.description,
        "answer": found.http,
        "updates": list(found.updates),
        "parameters": [each.listed() for each in scenario.parameters],
    }
    if found.status:
        entry["status"] = found.status
    if scenario.question:
        entry["asks"] = scenario.question
        entry["updatesOnceAnswered"] = list(found.onward)
    return entry
