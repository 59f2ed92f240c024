"""What a KCI cannot say of a problem as it stands. Pure.

Only what is beyond doubt is refused: a gateway may know less than its supplier, since KCIs and
answers overtake each other.
"""

from collections.abc import Mapping
from typing import Any

from supplier_api.problems.codes import ReasonCode, Status
from supplier_api.sandbox.codes import GatewayStatus

# What a supplier says once, and before it gives its reference or with it.
FIRST = frozenset({ReasonCode.ACKNOWLEDGED, ReasonCode.REJECTED})


def impossible_move(status: str, reference: str | None, kci: Mapping[str, Any]) -> str | None:
    """Return why a KCI cannot come when it is its turn; None if it can.

    `status` and `reference` are the problem's before it.
    """
    reason = kci["reasonCode"]
    if status == GatewayStatus.FAILED_TO_SEND:
        return None
    if reason in FIRST and reference is not None:
        return f"reasonCode: no {reason} once the problem is acknowledged"
    # An ADDITIONAL may have told the end before the update that brings it.
    if reason == ReasonCode.COMPLETED and status not in (Status.RESOLVED, Status.COMPLETED):
        return f"serviceProblem.status: COMPLETED only from RESOLVED, the problem is {status}"
    return None


def is_of_another(reference: str | None, kci: Mapping[str, Any]) -> bool:
    """Tell whether a KCI carries another reference than the one that the problem is known by."""
    said = kci["serviceProblem"].get("supplierReference")
    return None not in (reference, said) and said != reference
