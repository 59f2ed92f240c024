"""What the tenant is told: one update for each KCI, and those that the gateway makes itself.

The shapes are those of `updates` in *tenant-get 1.17*. What is absent is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from supplier_api.problems.codes import ChangeStatus, ReasonCode, ResolutionCode
from supplier_api.sandbox.codes import (
    RESOLUTION_CATEGORY,
    ActionType,
    GatewayErrorCode,
    UpdateType,
)

Document = dict[str, Any]

ACTIONS = {
    ReasonCode.INFORMATION_REQUIRED: ActionType.INFORMATION_REQUIRED,
    ReasonCode.REAPPOINT: ActionType.REAPPOINT,
    ReasonCode.AMENDMENT_REJECTED: ActionType.RESUBMIT,
    ReasonCode.CANCELLATION_REJECTED: ActionType.RESUBMIT,
    ReasonCode.RESOLVED: ActionType.CONFIRM,
}
# Every other reason code is an information of the same name.
RENAMED = {ReasonCode.REJECTED: "TERMINATED"}

CLOSED = frozenset({ChangeStatus.COMPLETED, ChangeStatus.REJECTED})
# What the tenant is shown of its amendment or cancellation.
CHANGES = {
    "serviceProblemAmendment": (
        "id",
        "status",
        "serviceProblemId",
        "problemText",
        "escalationRequest",
        "characteristics",
        "hazards",
        "onSiteRestrictions",
        "notes",
        "primaryContact",
        "secondaryContact",
        "appointmentReservationId",
    ),
    "serviceProblemCancellation": ("id", "status", "serviceProblemId", "reasonCode", "text"),
}


def of_kci(kci: Mapping[str, Any]) -> Document:
    """Return the update that a KCI becomes, without its resolution, which has a life of its own."""
    update: Document = {"sequenceNumber": kci["sequenceNumber"], "issuedOn": kci["issuedOn"]}
    reason = ReasonCode(kci["reasonCode"])
    action = ACTIONS.get(reason)
    update["updateType"] = UpdateType.ACTION_REQUIRED if action else UpdateType.INFORMATIONAL
    update |= _picked(kci, "supplierNotes")
    said: Document = {"type": action or RENAMED.get(reason, reason)}
    said |= {"code": kci["problemCode"]} if "problemCode" in kci else {}
    said |= _picked(kci, "text", "supplierCodes")
    if "supplierCode" in kci:  # the deprecated field is taken in, but not sent on
        said.setdefault("supplierCodes", [kci["supplierCode"]])
    update["action" if action else "information"] = said
    return update | _closed_changes(kci)


def of_gateway(reason: ReasonCode) -> Document:
    """Return the update that the gateway makes itself after a supplier's synchronous answer."""
    return {"updateType": UpdateType.INFORMATIONAL, "information": {"type": reason}}


def of_error(uuid: str, code: GatewayErrorCode, messages: Sequence[str]) -> Document:
    """Return the update that says why a call to the supplier came to nothing."""
    error = {"uuid": uuid, "code": code, "messages": list(messages)}
    return {"updateType": UpdateType.ERROR, "error": error}


def resolution_view(gateway_id: int, problem_id: int, said: Mapping[str, Any]) -> Document:
    """Return a supplier's resolution as the tenant sees it, under the gateway's own id."""
    details = said["resolutionDetails"]
    code = ResolutionCode(details["resolutionCode"])
    shown = {"resolutionCode": code, "resolutionCategory": RESOLUTION_CATEGORY[code]}
    shown |= _picked(details, "resolutionText", "supplierCodes", "faultCode")
    return {
        "id": gateway_id,
        "serviceProblemId": problem_id,
        **_picked(said, "status", "resolvedDate", "closedDate"),
        "resolutionDetails": shown,
        **_picked(said, "slaViolation", "tenantNotes"),
    }


def _closed_changes(kci: Mapping[str, Any]) -> Document:
    """Return the amendment or cancellation that this KCI closes, if it does."""
    return {
        name: _picked(kci[name], *shown)
        for name, shown in CHANGES.items()
        if name in kci and kci[name]["status"] in CLOSED
    }


def _picked(source: Mapping[str, Any], *names: str) -> Document:
    return {name: source[name] for name in names if name in source}
