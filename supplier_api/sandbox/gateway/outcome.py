"""What the supplier's verdict makes of a problem, and the update about it."""

from supplier_api.contract.codes import FINAL, InformationType, Status
from supplier_api.contract.field_table import with_amendment
from supplier_api.sandbox.gateway.answers import (
    SupplierAccepted,
    SupplierDeferred,
    SupplierFailed,
    SupplierRefused,
    Verdict,
)
from supplier_api.sandbox.gateway.codes import (
    CallKind,
    ChangeState,
    GatewayErrorCode,
    ProblemStatus,
    UpdateType,
)
from supplier_api.sandbox.gateway.model import Change, Document, Problem, SupplierCall
from supplier_api.sandbox.gateway.repository import Records
from supplier_api.sandbox.gateway.updates import CHANGE_NAMES, change_view, of_gateway

# What the supplier's 202 makes of the problem.
ASKED = {
    CallKind.AMENDMENT: Status.PENDING_AMENDMENT,
    CallKind.CANCELLATION: Status.PENDING_CANCELLATION,
}
CHANGE_STATES: dict[type[Verdict], ChangeState] = {
    SupplierAccepted: ChangeState.COMPLETED,
    SupplierDeferred: ChangeState.PENDING,
    SupplierRefused: ChangeState.REJECTED,
    SupplierFailed: ChangeState.FAILED_TO_SEND,
}


def apply_verdict(records: Records, call: SupplierCall, problem: Problem, verdict: Verdict) -> None:
    """Move the problem to where the verdict on a call takes it. The caller saves it."""
    records.touch(problem)
    about: Document = {}
    resolution_id: int | None = None
    if call.kind is CallKind.PROBLEM:
        _raised(records, problem, verdict)
    elif call.kind is CallKind.RESOLUTION:
        resolution_id = call.subject_id
        if isinstance(verdict, SupplierAccepted):
            records.save_resolution(problem, verdict.document)
    else:
        about = _changed(records, call, problem, verdict)
    if isinstance(verdict, SupplierRefused | SupplierFailed):
        error = {
            "uuid": records.uuid(problem, "error"),
            "code": getattr(verdict, "code", GatewayErrorCode.INVALID_REQUEST),
            "messages": verdict.messages,
        }
        update = {"updateType": UpdateType.ERROR, "error": error} | about
        records.add_update(problem, update, resolution_id=resolution_id)


def _raised(records: Records, problem: Problem, verdict: Verdict) -> None:
    match verdict:
        case SupplierAccepted(document):
            problem.status = document["status"]
            problem.reference = document.get("supplierReference")
            specification = document["serviceSpecification"]
            problem.document = problem.document | {"serviceSpecification": specification}
            records.add_update(problem, of_gateway(InformationType.ACKNOWLEDGED))
            if document["status"] == Status.IN_PROGRESS:
                records.add_update(problem, of_gateway(InformationType.COMMITTED))
        case SupplierRefused():
            problem.status = Status.REJECTED
            problem.final_number = 0
        case SupplierFailed():
            problem.status = ProblemStatus.FAILED_TO_SEND


def _changed(records: Records, call: SupplierCall, problem: Problem, verdict: Verdict) -> Document:
    """Move an amendment or a cancellation; return it as the tenant is shown it."""
    assert call.subject_id is not None
    state = CHANGE_STATES[type(verdict)]
    change = records.move_change(problem.id, call.kind, call.subject_id, state)
    assert change is not None
    shown = {CHANGE_NAMES[change.kind]: change_view(change)}
    match verdict:
        case SupplierAccepted():
            done = _complete(records, problem, change)
            records.add_update(problem, of_gateway(done) | shown)
        case SupplierDeferred() if problem.status not in FINAL:
            problem.status = ASKED[change.kind]
    return shown


def _complete(records: Records, problem: Problem, change: Change) -> InformationType:
    if change.kind is CallKind.AMENDMENT:
        problem.document = with_amendment(problem.document, change.document)
        return InformationType.AMENDED
    problem.status = Status.CANCELLED
    # Nothing comes after the end but what is here and waits for an earlier number.
    highest = records.highest_kci_number(problem.id)
    problem.final_number = max(problem.next_number - 1, highest)
    return InformationType.CANCELLED
