"""What the supplier's verdict makes of a problem, and what the tenant is told of it."""

from supplier_api.contract.codes import FINAL, Status
from supplier_api.sandbox.gateway.amending import amended
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
    InformationType,
    ProblemStatus,
)
from supplier_api.sandbox.gateway.model import Change, Document, Problem, SupplierCall
from supplier_api.sandbox.gateway.repository import GatewayRepository
from supplier_api.sandbox.gateway.updates import CHANGE_NAMES, UpdateLog, change_view, of_gateway

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


class SupplierOutcome:
    """Applies verdicts inside the caller's transaction."""

    def __init__(self, update_log: UpdateLog) -> None:
        """Tell tenants by `update_log`."""
        self._update_log = update_log

    def apply(
        self,
        repository: GatewayRepository,
        call: SupplierCall,
        problem: Problem,
        verdict: Verdict,
    ) -> None:
        """Move the problem to where the verdict on a call takes it. The caller saves it."""
        self._update_log.touch(problem)
        about: Document = {}
        resolution_id: int | None = None
        if call.kind is CallKind.PROBLEM:
            self._raised(repository, problem, verdict)
        elif call.kind is CallKind.RESOLUTION:
            resolution_id = call.subject_id
            if isinstance(verdict, SupplierAccepted):
                self._update_log.save_resolution(repository, problem, verdict.document)
        else:
            about = self._changed(repository, call, problem, verdict)
        if isinstance(verdict, SupplierRefused | SupplierFailed):
            code = getattr(verdict, "code", GatewayErrorCode.INVALID_REQUEST)
            self._update_log.add_error(
                repository, problem, code, verdict.messages, about, resolution_id=resolution_id
            )

    def _raised(self, repository: GatewayRepository, problem: Problem, verdict: Verdict) -> None:
        match verdict:
            case SupplierAccepted(document):
                self._acknowledge(repository, problem, document)
            case SupplierRefused():
                problem.status = Status.REJECTED
                problem.final_number = 0
            case SupplierFailed():
                problem.status = ProblemStatus.FAILED_TO_SEND

    def _acknowledge(
        self, repository: GatewayRepository, problem: Problem, document: Document
    ) -> None:
        problem.status = document["status"]
        problem.reference = document.get("supplierReference")
        specification = document["serviceSpecification"]
        problem.document = problem.document | {"serviceSpecification": specification}
        self._update_log.add(repository, problem, of_gateway(InformationType.ACKNOWLEDGED))
        if document["status"] == Status.IN_PROGRESS:
            self._update_log.add(repository, problem, of_gateway(InformationType.COMMITTED))

    def _changed(
        self,
        repository: GatewayRepository,
        call: SupplierCall,
        problem: Problem,
        verdict: Verdict,
    ) -> Document:
        """Move an amendment or a cancellation; return it as the tenant is shown it."""
        assert call.subject_id is not None
        state = CHANGE_STATES[type(verdict)]
        change = repository.move_change(problem.id, call.kind, call.subject_id, state)
        assert change is not None
        shown = {CHANGE_NAMES[change.kind]: change_view(change)}
        match verdict:
            case SupplierAccepted():
                done = self._complete(repository, problem, change)
                self._update_log.add(repository, problem, of_gateway(done) | shown)
            case SupplierDeferred() if problem.status not in FINAL:
                problem.status = ASKED[change.kind]
        return shown

    def _complete(
        self, repository: GatewayRepository, problem: Problem, change: Change
    ) -> InformationType:
        if change.kind is CallKind.AMENDMENT:
            problem.document = amended(problem.document, change.document)
            return InformationType.AMENDED
        problem.status = Status.CANCELLED
        # Nothing comes after the end but what is here and waits for an earlier number.
        highest = repository.highest_kci_number(problem.id)
        problem.final_number = max(problem.next_number - 1, highest)
        return InformationType.CANCELLED
