"""What tenants are shown: a problem as *tenant-get 1.17* has it, and its parts."""

from collections.abc import Mapping
from typing import Any

from supplier_api.contract.codes import ResolutionCode
from supplier_api.sandbox.gateway.codes import RESOLUTION_CATEGORY, DeliveryStatus
from supplier_api.sandbox.gateway.documents import Document, picked
from supplier_api.sandbox.gateway.records.changes import Change
from supplier_api.sandbox.gateway.records.problems import Problem
from supplier_api.sandbox.gateway.records.updates import StoredResolution, StoredUpdate


def problem_view(
    problem: Problem, told: list[StoredUpdate], unsettled: Mapping[int, Document]
) -> Document:
    """Return a problem with its updates.

    `unsettled` is what the tenant said of resolutions and the supplier has not settled yet.
    """
    head = problem_head(problem)
    head["updates"] = [update_view(problem, update, unsettled) for update in told]
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
    problem: Problem, told: StoredUpdate, unsettled: Mapping[int, Document]
) -> Document:
    """Return an update, with today's words of the resolution that it is about."""
    shown = {"id": told.document["id"], "supplier": problem.supplier} | told.document
    shown["deliveryStatus"] = DeliveryStatus.PENDING
    if told.delivered_on is not None:
        shown["deliveryStatus"] = DeliveryStatus.DELIVERED
        shown["deliveredOn"] = told.delivered_on
    if told.resolution_id is not None and told.resolution is not None:
        shown["serviceProblemResolution"] = _resolution_view(
            told.resolution_id, problem.id, told.resolution, unsettled.get(told.resolution_id, {})
        )
    return shown


def change_view(change: Change) -> Document:
    """Return an amendment or cancellation, under the gateway's own id."""
    return {"id": change.id, "status": change.status} | change.document


def answered_view(resolution: StoredResolution, asked: Document) -> Document:
    """Return a resolution as it is once the tenant has said `asked` of it."""
    return _resolution_view(resolution.id, resolution.problem_id, resolution.document, asked)


def _resolution_view(
    gateway_id: int, problem_id: int, said: Mapping[str, Any], asked: Document
) -> Document:
    details = said["resolutionDetails"]
    code = ResolutionCode(details["resolutionCode"])
    shown = {"resolutionCode": code, "resolutionCategory": RESOLUTION_CATEGORY[code]}
    shown |= picked(details, "resolutionText", "supplierCodes", "faultCode")
    return {
        "id": gateway_id,
        "serviceProblemId": problem_id,
        **picked(said, "status", "resolvedDate", "closedDate"),
        "resolutionDetails": shown,
        **picked(said, "slaViolation", "tenantNotes"),
        **asked,
    }
