"""What the tenant is told: one update for each KCI, and those that the gateway makes itself.

The shapes are those of `updates` in *tenant-get 1.17*. What is absent is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from supplier_api.contract.codes import ChangeStatus, ReasonCode
from supplier_api.sandbox.gateway.codes import (
    ActionType,
    CallKind,
    GatewayErrorCode,
    InformationType,
    UpdateType,
)
from supplier_api.sandbox.gateway.documents import Document, picked
from supplier_api.sandbox.gateway.messages import (
    TENANT_AMENDMENT_FIELDS,
    TENANT_CANCELLATION_FIELDS,
)

ACTIONS = {
    ReasonCode.INFORMATION_REQUIRED: ActionType.INFORMATION_REQUIRED,
    ReasonCode.REAPPOINT: ActionType.REAPPOINT,
    ReasonCode.AMENDMENT_REJECTED: ActionType.RESUBMIT,
    ReasonCode.CANCELLATION_REJECTED: ActionType.RESUBMIT,
    ReasonCode.RESOLVED: ActionType.CONFIRM,
}
# Every other reason code is an information of the same name.
RENAMED = {ReasonCode.REJECTED: InformationType.TERMINATED}

CLOSED = frozenset({ChangeStatus.COMPLETED, ChangeStatus.REJECTED})
# Under which name an amendment or cancellation stands in KCIs and updates.
CHANGE_NAMES = {
    CallKind.AMENDMENT: "serviceProblemAmendment",
    CallKind.CANCELLATION: "serviceProblemCancellation",
}
# What the tenant is shown of it.
CHANGE_FIELDS = {
    CallKind.AMENDMENT: ("id", "status", *TENANT_AMENDMENT_FIELDS),
    CallKind.CANCELLATION: ("id", "status", *TENANT_CANCELLATION_FIELDS),
}


def of_kci(kci: Mapping[str, Any]) -> Document:
    """Return the update that a KCI becomes, without its resolution, which has a life of its own."""
    update: Document = {"sequenceNumber": kci["sequenceNumber"], "issuedOn": kci["issuedOn"]}
    reason = ReasonCode(kci["reasonCode"])
    action = ACTIONS.get(reason)
    update["updateType"] = UpdateType.ACTION_REQUIRED if action else UpdateType.INFORMATIONAL
    update |= picked(kci, "supplierNotes")
    said: Document = {"type": action or RENAMED.get(reason, reason)}
    said |= {"code": kci["problemCode"]} if "problemCode" in kci else {}
    said |= picked(kci, "text", "supplierCodes")
    # Of the two one may be there: the deprecated single code, or the list that replaces it.
    if "supplierCode" in kci:
        said.setdefault("supplierCodes", [kci["supplierCode"]])
    if codes := said.get("supplierCodes"):
        said["supplierCode"] = kci.get("supplierCode", codes[0])
    update["action" if action else "information"] = said
    closed = closed_changes(kci)
    return update | {CHANGE_NAMES[kind]: change for kind, change in closed.items()}


def of_gateway(told: InformationType | ActionType, text: str | None = None) -> Document:
    """Return an update that the gateway makes itself.

    Such updates have no number and no date of issue: those belong to the supplier's KCIs.
    """
    said = {"type": told} | ({"text": text} if text else {})
    if isinstance(told, ActionType):
        return {"updateType": UpdateType.ACTION_REQUIRED, "action": said}
    return {"updateType": UpdateType.INFORMATIONAL, "information": said}


def of_error(uuid: str, code: GatewayErrorCode, messages: Sequence[str]) -> Document:
    """Return the update that says why a call to the supplier came to nothing."""
    error = {"uuid": uuid, "code": code, "messages": list(messages)}
    return {"updateType": UpdateType.ERROR, "error": error}


def closed_changes(kci: Mapping[str, Any]) -> dict[CallKind, Document]:
    """Return the amendment or cancellation that a KCI closes, if it does."""
    return {
        kind: picked(kci[name], *CHANGE_FIELDS[kind])
        for kind, name in CHANGE_NAMES.items()
        if name in kci and kci[name]["status"] in CLOSED
    }
