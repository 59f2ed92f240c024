"""Builds the body of a KCI: the Supplier Updates envelope around the problem's current values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from supplier_api.clock import to_wire
from supplier_api.contract.codes import (
    CancellationReason,
    ProblemCode,
    ReasonCode,
    ResolutionStatus,
    Status,
)
from supplier_api.problems.lifecycle import Event, LifecycleStep, carried_by
from supplier_api.problems.model import Base, ChangeRequest, Resolution, ServiceProblem, Waiting
from supplier_api.rules.model import Operation
from supplier_api.value_object import value_object

# The problemCode of a CANCELLED that the tenant asked for.
CANCELLED_CODES = {
    CancellationReason.ISSUE_RESOLVED: ProblemCode.NO_LONGER_REQUIRED,
    CancellationReason.NO_LONGER_REQUIRED: ProblemCode.NO_LONGER_REQUIRED,
    CancellationReason.CUSTOMER_NETWORK_ISSUE: ProblemCode.NETWORK_ISSUE,
    CancellationReason.OTHER: ProblemCode.OTHER,
}
# Our reference is sent from ACKNOWLEDGED on, never before and never with a rejection.
WITHOUT_REFERENCE = frozenset({Base.UNDECIDED, Base.REJECTED})
# The type of the notes about sequence numbers that are never sent.
GAP_NOTE = "Withdrawn update"


@value_object
class KciContent:
    """The content of a KCI besides the problem: code, text, the supplier's own codes and notes.

    `note` is one supplier note as the wire has it but for `created`, which is the KCI's instant.
    """

    problem_code: ProblemCode | None = None
    text: str | None = None
    supplier_codes: tuple[str, ...] = ()
    note: Mapping[str, str] | None = None


NO_CONTENT = KciContent()


@value_object
class KciStamp:
    """The identity of a KCI: its id, its sequence number within the problem, its issue time."""

    id: UUID
    number: int
    issued: datetime


def kci(
    stamp: KciStamp,
    reason: ReasonCode,
    problem: ServiceProblem,
    content: KciContent = NO_CONTENT,
    *,
    change: ChangeRequest | None = None,
    resolution: Resolution | None = None,
) -> dict[str, Any]:
    """Return the KCI's body, with the current values of `problem`, `change` and `resolution`.

    Raises ValueError for an undecided problem: it has no status on the wire.
    """
    body: dict[str, Any] = {
        "id": str(stamp.id),
        "sequenceNumber": stamp.number,
        "issuedOn": to_wire(stamp.issued),
        "reasonCode": reason,
    }
    _add(body, "problemCode", content.problem_code)
    _add(body, "text", content.text)
    _add(body, "supplierCodes", list(content.supplier_codes))
    if content.note:
        body["supplierNotes"] = [{**content.note, "created": to_wire(stamp.issued)}]
    body["serviceProblem"] = problem_entity(problem)
    if change:
        body[f"serviceProblem{change.kind.capitalize()}"] = change_entity(change)
    if resolution:
        body["serviceProblemResolution"] = resolution_entity(resolution)
    return body


def withdrawal(number: int) -> str:
    """Return the sentence about a KCI that an operator withdrew."""
    return f"update {number} was withdrawn"


def add_gap_notes(body: dict[str, Any], sentences: Sequence[str], at: datetime) -> None:
    """Add notes about sequence numbers that are never sent to a KCI.

    A KCI of every reason may carry notes, and none must.
    """
    notes = [{"note": sentence, "type": GAP_NOTE, "created": to_wire(at)} for sentence in sentences]
    body["supplierNotes"] = [*body.get("supplierNotes", []), *notes]


def gap_notes(body: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the notes of a KCI about sequence numbers that are never sent."""
    return [note for note in body.get("supplierNotes", []) if note.get("type") == GAP_NOTE]


def problem_entity(problem: ServiceProblem) -> dict[str, Any]:
    """Return the problem as in the 201 body (*supplier-create*), with its current values."""
    status = problem.state.status
    if status is None:
        raise ValueError("an undecided problem has no status on the wire")
    entity: dict[str, Any] = {"status": status}
    if _carries_reference(problem, status):
        entity["supplierReference"] = problem.reference
    return entity | problem.document


def change_entity(change: ChangeRequest) -> dict[str, Any]:
    """Return an amendment or cancellation as a KCI carries it."""
    entity = {
        "id": change.gateway_id,
        "supplierReference": change.reference,
        "status": change.status,
        "serviceProblemId": change.body["serviceProblemId"],
    }
    hidden = {"supplierServiceProblemReference", *entity}
    return entity | {name: value for name, value in change.body.items() if name not in hidden}


def change_answer(change: ChangeRequest) -> dict[str, Any]:
    """Return the body of the 201 or 202 to an amendment or cancellation (*supplier-amend*)."""
    return {
        "id": change.gateway_id,
        "supplierReference": change.reference,
        **{k: v for k, v in change.body.items() if k not in ("id", "supplierReference")},
    }


def resolution_entity(resolution: Resolution) -> dict[str, Any]:
    """Return a resolution as a KCI and the 200 to the tenant's answer carry it.

    Raises ValueError for one that was withdrawn: the contract has no such status.
    """
    if resolution.status is ResolutionStatus.WITHDRAWN:
        raise ValueError("a resolution that was withdrawn is not sent")
    entity: dict[str, Any] = {
        "supplierReference": resolution.reference,
        "status": resolution.status,
        "resolvedDate": to_wire(resolution.resolved_date),
    }
    if resolution.closed_date:
        entity["closedDate"] = to_wire(resolution.closed_date)
    entity["resolutionDetails"] = resolution.details
    _add(entity, "slaViolation", resolution.sla_violation)
    _add(entity, "tenantNotes", resolution.tenant_notes)
    return entity


def cancelled_code(cancellation: ChangeRequest) -> ProblemCode:
    """Return the problemCode of the CANCELLED that answers `cancellation`."""
    assert cancellation.kind is Operation.CANCELLATION
    return CANCELLED_CODES[CancellationReason(cancellation.body["reasonCode"])]


def _carries_reference(problem: ServiceProblem, status: Status) -> bool:
    if status is Status.CANCELLED:
        # A problem that is cancelled while undecided was never acknowledged: this is its first KCI.
        return problem.reference_known or problem.next_kci > 1
    return problem.state.base not in WITHOUT_REFERENCE


def _add(body: dict[str, Any], name: str, value: object) -> None:
    if value:
        body[name] = value


def content_of_step(
    problem: ServiceProblem, event: Event, step: LifecycleStep, content: KciContent
) -> KciContent:
    """Return the content of one step's KCI: `content`, unless this code supplies its own."""
    if step.event is Event.REJECT_CHANGE and event is not Event.REJECT_CHANGE:
        return _change_overtaken(problem, event)
    if step.kci is ReasonCode.DELAY and step.state.waiting is Waiting.NETWORK_INCIDENT:
        return replace(content, problem_code=ProblemCode.NETWORK_ISSUE)
    return content


def lacking(step: LifecycleStep, content: KciContent) -> list[str]:
    """Return the fields that the KCI of a step must carry and `content` lacks."""
    carries = carried_by(step)
    has = {"text": content.text, "problemCode": content.problem_code}
    return [name for name, value in has.items() if name in carries and not value]


def _change_overtaken(problem: ServiceProblem, event: Event) -> KciContent:
    asked = problem.state.asked
    end = "resolved" if event is Event.RESOLVE else "cancelled by the supplier"
    return KciContent(
        ProblemCode.OTHER, f"The {asked} was not decided before the problem was {end}."
    )
