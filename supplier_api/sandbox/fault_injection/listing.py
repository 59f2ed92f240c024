"""The list of faults, as JSON values and as Markdown."""

from collections.abc import Iterator, Sequence
from typing import Any

from supplier_api.sandbox.fault_injection.catalogue import ANSWERS, DELIVERY, KINDS
from supplier_api.sandbox.fault_injection.model import (
    CALLS,
    REASONS,
    TOKEN,
    FaultKind,
    FaultParameter,
)
from supplier_api.sandbox.fault_injection.mutations import MUTATIONS

# The pages' sections, each between markers that name it.
SECTIONS = ("faults", "off-contract")
OPERATIONS = {
    (*CALLS, TOKEN): "the four calls, or `token` by name",
    CALLS: "the four calls",
    REASONS: "KCIs, by reason code",
}


def listed() -> list[dict[str, Any]]:
    """Return every kind of fault in plain JSON values."""
    return [_listed(kind) for kind in KINDS]


def markdown(section: str) -> str:
    """Return one of the sections in Markdown."""
    if section == "off-contract":
        return "\n".join(_breaches())
    answers = _table("Our answers to the gateway (`in`)", ANSWERS)
    updates = _table("Our updates to the gateway (`out`)", DELIVERY)
    return "\n".join([*answers, "", *updates])


def begin(section: str) -> str:
    """Return the line before a section that is made."""
    return f"<!-- {section}: made by `python -m supplier_api.sandbox.fault_injection FILE` -->"


def end(section: str) -> str:
    """Return the line behind it."""
    return f"<!-- end of {section} -->"


def inserted(page: str) -> str:
    """Return a Markdown page with the sections between their markers; ValueError without them."""
    for section in SECTIONS:
        before, found, rest = page.partition(f"{begin(section)}\n")
        _, ended, after = rest.partition(end(section))
        if not found or not ended:
            raise ValueError(f"expected the markers {begin(section)} and {end(section)}")
        page = f"{before}{found}\n{markdown(section)}\n\n{ended}{after}"
    return page


def _listed(kind: FaultKind) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "kind": kind.name,
        "direction": kind.direction,
        "description": kind.description,
        "operations": list(kind.operations),
        "parameters": [_parameter(each) for each in kind.parameters],
    }
    return entry | (kind.breach.plain() if kind.breach else {})


def _parameter(parameter: FaultParameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "type": parameter.type,
        "default": parameter.default,
        "description": parameter.description,
    }


def _table(title: str, kinds: Sequence[FaultKind]) -> Iterator[str]:
    yield from (f"### {title}", "")
    yield "| Kind | What happens | Strikes | Parameters |"
    yield "|---|---|---|---|"
    for kind in kinds:
        struck = OPERATIONS.get(kind.operations, ", ".join(kind.operations))
        yield f"| `{kind.name}` | {kind.description} | {struck} | {_parameters(kind)} |"


def _breaches() -> Iterator[str]:
    yield "| Kind | What is sent | Clause that it breaks | Expected answer | Parameters |"
    yield "|---|---|---|---|---|"
    for kind in (mutation.kind for mutation in MUTATIONS):
        assert kind.breach is not None
        cells = (f"`{kind.name}`", kind.description, kind.breach.clause, kind.breach.expected)
        yield f"| {' | '.join((*cells, _parameters(kind)))} |"


def _parameters(kind: FaultKind) -> str:
    each = [
        f"`{p.name}` ({p.type}; default {p.default or 'none'}): {p.description}"
        for p in kind.parameters
    ]
    return "<br>".join(each) or "none"
