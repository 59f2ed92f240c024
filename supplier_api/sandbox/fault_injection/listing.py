"""The list of faults, as JSON values and as Markdown."""

from collections.abc import Sequence
from typing import Any

from supplier_api.sandbox.catalogue import MadeSections, table
from supplier_api.sandbox.fault_injection.catalogue import ANSWERS, DELIVERY, KINDS
from supplier_api.sandbox.fault_injection.model import CALLS, REASONS, TOKEN, FaultKind
from supplier_api.sandbox.fault_injection.mutations import MUTATIONS

OPERATIONS = {
    (*CALLS, TOKEN): "the four calls, or `token` by name",
    CALLS: "the four calls",
    REASONS: "KCIs, by reason code",
}


def listed() -> list[dict[str, Any]]:
    """Return every kind of fault in plain JSON values."""
    return [_listed(kind) for kind in KINDS]


def _listed(kind: FaultKind) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "kind": kind.name,
        "direction": kind.direction,
        "description": kind.description,
        "operations": list(kind.operations),
        "parameters": [each.listed() for each in kind.parameters],
    }
    return entry | (kind.breach.plain() if kind.breach else {})


def _faults() -> str:
    """Return the faults of answers and of delivery in Markdown."""
    answers = _table("Our answers to the gateway (`in`)", ANSWERS)
    updates = _table("Our updates to the gateway (`out`)", DELIVERY)
    return "\n".join([*answers, "", *updates])


def _table(title: str, kinds: Sequence[FaultKind]) -> list[str]:
    rows = [
        (
            f"`{kind.name}`",
            kind.description,
            OPERATIONS.get(kind.operations, ", ".join(kind.operations)),
            _parameters(kind),
        )
        for kind in kinds
    ]
    head = ("Kind", "What happens", "Strikes", "Parameters")
    return [f"### {title}", "", *table(head, rows)]


def _off_contract() -> str:
    """Return the KCIs off the contract in Markdown."""
    rows = [
        (f"`{kind.name}`", kind.description, breach.clause, breach.expected, _parameters(kind))
        for kind in MUTATIONS
        if (breach := kind.breach)
    ]
    head = ("Kind", "What is sent", "Clause that it breaks", "Expected answer", "Parameters")
    return "\n".join(table(head, rows))


def _parameters(kind: FaultKind) -> str:
    each = [
        f"`{p.name}` ({p.type}; default {p.default or 'none'}): {p.description}"
        for p in kind.parameters
    ]
    return "<br>".join(each) or "none"


PAGE = MadeSections(
    "supplier_api.sandbox.fault_injection", {"faults": _faults, "off-contract": _off_contract}
)
