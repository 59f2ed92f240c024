"""Writes the sections of docs/ that the code knows better: `python -m scripts.made_pages`.

Each stands between two markers of its name.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill

from supplier_api.contract.personal import FIELDS, STORED
from supplier_api.rules.model import Operation
from supplier_api.sandbox.catalogue import Parameter, ParameterValue
from supplier_api.sandbox.fault_injection.catalogue import ANSWERS, DELIVERY, EVERYWHERE
from supplier_api.sandbox.fault_injection.model import CALLS, REASONS, FaultKind
from supplier_api.sandbox.fault_injection.mutations import MUTATIONS
from supplier_api.sandbox.scenarios.catalogue import SCENARIOS
from supplier_api.sandbox.scenarios.listing import results
from supplier_api.sandbox.scenarios.model import Scenario

DOCS = Path(__file__).resolve().parents[1] / "docs"
WIDTH = 118
TITLES = {
    Operation.PROBLEM: "Service problems",
    Operation.AMENDMENT: "Amendments",
    Operation.CANCELLATION: "Cancellations",
}
# What a list of operations is called.
OPERATIONS = {
    EVERYWHERE: "the four calls, or `token` by name",
    CALLS: "the four calls",
    REASONS: "KCIs, by reason code",
}


def scenarios() -> str:
    """Return every scenario, a table for each kind and one of the parameters."""
    head = ("Scenario", "What happens", "Answer", "Updates that follow", "Parameters")
    lines: list[str] = []
    for kind in Operation:
        rows = [_scenario(scenario) for scenario in SCENARIOS if scenario.kind is kind]
        lines += [f"### {TITLES[kind]}", "", *_table(head, rows), ""]
    parameters = _table(("Parameter", "Type", "Default", "What it sets"), _scenario_parameters())
    return "\n".join([*lines, "### Parameters", "", *parameters])


def _scenario(scenario: Scenario) -> tuple[str, ...]:
    found = results(scenario)
    answer = f"{found.http} {found.status}" if found.status else str(found.http)
    updates = [f"`{each}`" for each in found.updates] or ["none"]
    if found.onward:
        updates += ["*the tenant amends*", *(f"`{each}`" for each in found.onward)]
    names = ", ".join(f"`{each.name}`" for each in scenario.parameters) or "none"
    return (f"`{scenario.name}`", scenario.description, answer, "<br>".join(updates), names)


def _scenario_parameters() -> Iterator[tuple[str, ...]]:
    """Yield a row of each parameter once for each thing that it sets."""
    alike: dict[tuple[str, str], list[Parameter]] = {}
    for each in (each for scenario in SCENARIOS for each in scenario.parameters):
        alike.setdefault((each.name, each.description), []).append(each)
    for (name, description), parameters in sorted(alike.items(), key=lambda item: item[0][0]):
        defaults = {_default(each.default) for each in parameters}
        shown = defaults.pop() if len(defaults) == 1 else "the scenario's own"
        yield (f"`{name}`", parameters[0].type, shown, description)


def _default(default: ParameterValue | None) -> str:
    if default is None:
        return "see there"
    return f"`{','.join(default)}`" if isinstance(default, list) else f"`{default}`"


def faults() -> str:
    """Return the faults of answers and of delivery."""
    head = ("Kind", "What happens", "Strikes", "Parameters")
    answers = _table(head, map(_fault, ANSWERS))
    updates = _table(head, map(_fault, DELIVERY))
    titles = "### Our answers to the gateway (`in`)", "### Our updates to the gateway (`out`)"
    return "\n".join([titles[0], "", *answers, "", titles[1], "", *updates])


def _fault(kind: FaultKind) -> tuple[str, ...]:
    strikes = OPERATIONS.get(kind.operations, ", ".join(kind.operations))
    return (f"`{kind.name}`", kind.description, strikes, _fault_parameters(kind))


def off_contract() -> str:
    """Return the KCIs off the contract."""
    head = ("Kind", "What is sent", "Clause that it breaks", "Expected answer", "Parameters")
    rows = [
        (f"`{it.name}`", it.description, breach.clause, breach.expected, _fault_parameters(it))
        for it in MUTATIONS
        if (breach := it.breach)
    ]
    return "\n".join(_table(head, rows))


def _fault_parameters(kind: FaultKind) -> str:
    each = [
        f"`{p.name}` ({p.type}; default {p.default or 'none'}): {p.description}"
        for p in kind.parameters
    ]
    return "<br>".join(each) or "none"


def personal_data() -> str:
    """Return which personal data go when."""
    named = ", ".join(f"`{name}` ({what})" for name, what in FIELDS.items())
    said = fill(f"Personal, or free text, are: {named}.", WIDTH, break_on_hyphens=False)
    rows = [(f"`{it.column}`", it.holds, it.goes, it.after) for it in STORED]
    return "\n".join([said, "", *_table(("column", "holds", "what goes", "after"), rows)])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


# By page, then by the name in the markers.
SECTIONS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "conformance-target.md": {
        "scenarios": scenarios,
        "faults": faults,
        "off-contract": off_contract,
    },
    "operations.md": {"personal data": personal_data},
}


def current(page: str, sections: Mapping[str, Callable[[], str]]) -> str:
    """Return a page with its sections between their markers; raises ValueError without them."""
    for name, made in sections.items():
        begin = f"<!-- {name}: made by `python -m scripts.made_pages` -->\n"
        end = f"<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not found or not ended:
            raise ValueError(f"expected the markers {begin.strip()} and {end}")
        page = f"{before}{begin}\n{made()}\n\n{end}{after}"
    return page


if __name__ == "__main__":
    for name, sections in SECTIONS.items():
        file = DOCS / name
        file.write_text(current(file.read_text(encoding="utf-8"), sections), encoding="utf-8")
