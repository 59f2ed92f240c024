"""The list of scenarios, as JSON values and as Markdown."""

from collections.abc import Iterator
from typing import Any

from supplier_api.sandbox.scenarios.catalogue import SCENARIOS
from supplier_api.sandbox.scenarios.model import Scenario, ScenarioKind, ScenarioParameter, Value
from supplier_api.sandbox.scenarios.results import results

BEGIN = "<!-- scenarios: made by `python -m supplier_api.sandbox.scenarios FILE` -->"
END = "<!-- end of scenarios -->"
TITLES = {
    ScenarioKind.PROBLEM: "Service problems",
    ScenarioKind.AMENDMENT: "Amendments",
    ScenarioKind.CANCELLATION: "Cancellations",
}


def listed() -> list[dict[str, Any]]:
    """Return every scenario in plain JSON values."""
    return [_listed(scenario) for scenario in SCENARIOS]


def markdown() -> str:
    """Return every scenario in Markdown, a table for each kind and one of the parameters."""
    lines = [line for kind in ScenarioKind for line in _table(kind)]
    return "\n".join([*lines, *_parameters()])


def inserted(page: str) -> str:
    """Return a Markdown page with the list between its two markers; ValueError without them."""
    before, begin, rest = page.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the markers {BEGIN} and {END}")
    return f"{before}{begin}\n{markdown()}\n{end}{after}"


def _listed(scenario: Scenario) -> dict[str, Any]:
    found = results(scenario)
    entry: dict[str, Any] = {
        "name": scenario.name,
        "about": scenario.kind,
        "description": scenario.description,
        "answer": found.http,
        "updates": list(found.updates),
        "parameters": [_parameter(each) for each in scenario.parameters],
    }
    if found.status:
        entry["status"] = found.status
    if scenario.question:
        entry["asks"] = scenario.question
        entry["updatesOnceAnswered"] = list(found.onward)
    return entry


def _parameter(parameter: ScenarioParameter) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": parameter.name,
        "type": parameter.type,
        "description": parameter.description,
    }
    if parameter.default is not None:
        entry["default"] = parameter.default
    return entry


def _table(kind: ScenarioKind) -> Iterator[str]:
    yield from (f"### {TITLES[kind]}", "")
    yield "| Scenario | What happens | Answer | Updates that follow | Parameters |"
    yield "|---|---|---|---|---|"
    for scenario in SCENARIOS:
        if scenario.kind is kind:
            found = results(scenario)
            answer = f"{found.http} {found.status}" if found.status else str(found.http)
            updates = [f"`{each}`" for each in found.updates] or ["none"]
            if found.onward:
                updates.append("*the tenant amends*")
                updates += [f"`{each}`" for each in found.onward]
            names = ", ".join(f"`{each.name}`" for each in scenario.parameters) or "none"
            cells = (f"`{scenario.name}`", scenario.description, answer)
            yield f"| {' | '.join((*cells, '<br>'.join(updates), names))} |"
    yield ""


def _parameters() -> Iterator[str]:
    yield from ("### Parameters", "")
    yield "| Parameter | Type | Default | What it sets |"
    yield "|---|---|---|---|"
    for parameter in _all_parameters():
        defaults = _defaults(parameter)
        shown = defaults.pop() if len(defaults) == 1 else "the scenario's own"
        yield f"| `{parameter.name}` | {parameter.type} | {shown} | {parameter.description} |"
    yield ""


def _all_parameters() -> list[ScenarioParameter]:
    """Return each parameter once for each thing that it sets."""
    found: dict[tuple[str, str], ScenarioParameter] = {}
    for scenario in SCENARIOS:
        for parameter in scenario.parameters:
            found.setdefault((parameter.name, parameter.description), parameter)
    return sorted(found.values(), key=lambda each: each.name)


def _defaults(like: ScenarioParameter) -> set[str]:
    return {
        _shown(each.default)
        for scenario in SCENARIOS
        for each in scenario.parameters
        if (each.name, each.description) == (like.name, like.description)
    }


def _shown(default: Value | None) -> str:
    if default is None:
        return "see there"
    return f"`{','.join(default)}`" if isinstance(default, list) else f"`{default}`"
