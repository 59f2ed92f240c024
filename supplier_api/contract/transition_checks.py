"""Checks whether a KCI is possible in its place among the KCIs of its problem. Pure.

The sandbox gateway checks KCIs that arrive, and the supplier a KCI that an operator has edited.
Only what is certainly impossible is refused: a gateway may know less than its supplier, since KCIs
and answers overtake each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from supplier_api.contract.codes import FINAL, ReasonCode, Status

# Sent at most once, and not after the reference is known.
FIRST = frozenset({ReasonCode.ACKNOWLEDGED, ReasonCode.REJECTED})


def impossible_move(status: str, reference: str | None, kci: Mapping[str, Any]) -> str | None:
    """Return why a KCI is impossible now; None if it is possible.

    `status` and `reference` are the problem's before it.
    """
    reason = kci["reasonCode"]
    if reason in FIRST and reference is not None:
        return f"reasonCode: no {reason} once the problem is acknowledged"
    # An ADDITIONAL may show the final status before the update that reports it.
    completes = reason != ReasonCode.ADDITIONAL and _status(kci) == Status.COMPLETED
    if completes and status not in (Status.RESOLVED, Status.COMPLETED):
        return f"serviceProblem.status: COMPLETED only from RESOLVED, the problem is {status}"
    return None


def is_of_another(reference: str | None, kci: Mapping[str, Any]) -> bool:
    """Return whether a KCI carries another reference than `reference`, the problem's."""
    sent = kci["serviceProblem"].get("supplierReference")
    return None not in (reference, sent) and sent != reference


def ends_problem(kci: Mapping[str, Any]) -> bool:
    """Return whether a KCI is the last of its problem.

    An ADDITIONAL never is: one that replaces a withdrawn update shows the current status of the
    problem, and the updates that led to it follow.
    """
    return _status(kci) in FINAL and kci["reasonCode"] != ReasonCode.ADDITIONAL


def impossible_course(
    status: str, reference: str | None, kcis: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[int, str]]:
    """Yield the number of each KCI that is impossible in this order, and why.

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
