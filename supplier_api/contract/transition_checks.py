"""What a KCI cannot say in its place among the others of its problem. Pure.

The sandbox gateway judges by it what arrives, and the supplier what an operator makes of a KCI
before it is sent. Only what is beyond doubt is refused: a gateway may know less than its supplier,
since KCIs and answers overtake each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from supplier_api.contract.codes import FINAL, ReasonCode, Status

# What a supplier says once, and before it gives its reference or with it.
FIRST = frozenset({ReasonCode.ACKNOWLEDGED, ReasonCode.REJECTED})


def impossible_move(status: str, reference: str | None, kci: Mapping[str, Any]) -> str | None:
    """Return why a KCI cannot come when it is its turn; None if it can.

    `status` and `reference` are the problem's before it.
    """
    reason = kci["reasonCode"]
    if reason in FIRST and reference is not None:
        return f"reasonCode: no {reason} once the problem is acknowledged"
    # An ADDITIONAL may tell the end before the update that brings it.
    completes = reason != ReasonCode.ADDITIONAL and _status(kci) == Status.COMPLETED
    if completes and status not in (Status.RESOLVED, Status.COMPLETED):
        return f"serviceProblem.status: COMPLETED only from RESOLVED, the problem is {status}"
    return None


def is_of_another(reference: str | None, kci: Mapping[str, Any]) -> bool:
    """Tell whether a KCI carries another reference than the one that the problem is known by."""
    said = kci["serviceProblem"].get("supplierReference")
    return None not in (reference, said) and said != reference


def ends_problem(kci: Mapping[str, Any]) -> bool:
    """Tell whether a KCI is the last of its problem.

    An ADDITIONAL never is: one that stands in for an update that was withdrawn shows the problem as
    it is by now, and the updates that led there come behind it.
    """
    return _status(kci) in FINAL and kci["reasonCode"] != ReasonCode.ADDITIONAL


def impossible_course(
    status: str, reference: str | None, kcis: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[int, str]]:
    """Yield the number of each KCI that cannot come in this order, and why.

    `status` and `reference` are the problem's before the first of them.
    """
    last: Mapping[str, Any] | None = None
    for kci in kcis:
        number = kci["sequenceNumber"]
        if last is not None:
            ended = f"{_status(last)} in update {last['sequenceNumber']} ends the problem"
            yield number, f"serviceProblem.status: {ended}, nothing can come behind it"
            continue
        if why := impossible_move(status, reference, kci):
            yield number, why
        if ends_problem(kci):
            last = kci
        if status not in FINAL:
            status = _status(kci)
            reference = kci["serviceProblem"].get("supplierReference", reference)


def _status(kci: Mapping[str, Any]) -> str:
    status: str = kci["serviceProblem"]["status"]
    return status
