"""What a tenant is shown: a problem with one update for each KCI, and those of the gateway itself.

The shapes are those of *tenant-get 1.17*. What is absent is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from supplier_api.contract.codes import (
    REASONS,
    ActionType,
    ChangeStatus,
    InformationType,
    ReasonCode,
    ResolutionCode,
)
from supplier_api.sandbox.gateway.codes import (
    RESOLUTION_CATEGORY,
    CallKind,
    DeliveryStatus,
    UpdateType,
)
from supplier_api.sandbox.gateway.messages import (
    TENANT_AMENDMENT_FIELDS,
    TENANT_CANCELLATION_FIELDS,
)
from supplier_api.sandbox.gateway.model import (
    Change,
    Document,
    Problem,
    StoredResolution,
    StoredUpdate,
    picked,
)

CLOSED = frozenset({ChangeStatus.COMPLETED, ChangeStatus.REJECTED})
# The name of an amendment or cancellation in KCIs and updates.
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
    shown = REASONS[ReasonCode(kci["reasonCode"])].shown
    action = isinstance(shown, ActionType)
    update["updateType"] = UpdateType.ACTION_REQUIRED if action else UpdateType.INFORMATIONAL
    update |= picked(kci, "supplierNotes")
    part: Document = {"type": shown}
    part |= {"code": kci["problemCode"]} if "problemCode" in kci else {}
    part |= picked(kci, "text", "supplierCodes")
    # Of the two one may be there: the deprecated single code, or the list that replaces it.
    if "supplierCode" in kci:
        part.setdefault("supplierCodes", [kci["supplierCode"]])
    if codes := part.get("supplierCodes"):
        part["supplierCode"] = kci.get("supplierCode", codes[0])
    update["action" if action else "information"] = part
    closed = closed_changes(kci)
    return update | {CHANGE_NAMES[kind]: change for kind, change in closed.items()}


def of_gateway(kind: InformationType | ActionType, text: str | None = None) -> Document:
    """Return an update that the gateway makes itself.

    Such updates have no number and no date of issue: those belong to the supplier's KCIs.
    """
    part = {"type": kind} | ({"text": text} if text else {})
    if isinstance(kind, ActionType):
        return {"updateType": UpdateType.ACTION_REQUIRED, "action": part}
    return {"updateType": UpdateType.INFORMATIONAL, "information": part}


def closed_changes(kci: Mapping[str, Any]) -> dict[CallKind, Document]:
    """Return the amendment or cancellation that a KCI closes, if it does."""
    return {
        kind: picked(kci[name], *CHANGE_FIELDS[kind])
        for kind, name in CHANGE_NAMES.items()
        if name in kci and kci[name]["status"] in CLOSED
    }


def problem_view(
    problem: Problem, updates: Sequence[StoredUpdate], unsettled: Mapping[int | None, Document]
) -> Document:
    """Return a problem with its updates.

    `unsettled` are the answers to resolutions that the supplier has not settled yet.
    """
    head = problem_head(problem)
    head["updates"] = [update_view(problem, update, unsettled) for update in updates]
    return head | problem.document


def problem_head(problem: Problem) -> Document:
    """Return what the gateway itself knows of a problem."""
    head: Document = {
        "id": problem.id,
        "status": problem.status,
        "created": problem.created,
        "updated": problem.updated,
    }
    if problem.reference is not None:
        head["supplierIdentifier"] = problem.reference
    return head


def update_view(
    problem: Problem, stored: StoredUpdate, unsettled: Mapping[int | None, Document]
) -> Document:
    """Return an update, with the latest text of the resolution that it is about."""
    shown = {"id": stored.document["id"], "supplier": problem.supplier} | stored.document
    shown["deliveryStatus"] = DeliveryStatus.PENDING
    if stored.delivered_on is not None:
        shown["deliveryStatus"] = DeliveryStatus.DELIVERED
        shown["deliveredOn"] = stored.delivered_on
    if stored.resolution is not None:
        asked = unsettled.get(stored.resolution_id, {})
        shown["serviceProblemResolution"] = answered_view(stored.resolution, asked)
    return shown


def change_view(change: Change) -> Document:
    """Return an amendment or cancellation, under the gateway's own id."""
    return {"id": change.id, "status": change.status} | change.document


def answered_view(resolution: StoredResolution, asked: Document) -> Document:
    """Return a resolution as it is with the tenant's answer `asked`."""
    document = resolution.document
    details = document["resolutionDetails"]
    code = ResolutionCode(details["resolutionCode"])
    shown = {"resolutionCode": code, "resolutionCategory": RESOLUTION_CATEGORY[code]}
    shown |= picked(details, "resolutionText", "supplierCodes", "faultCode")
    return {
        "id": resolution.id,
        "serviceProblemId": resolution.problem_id,
        **picked(document, "status", "resolvedDate", "closedDate"),
        "resolutionDetails": shown,
        **picked(document, "slaViolation", "tenantNotes"),
        **asked,
    }
