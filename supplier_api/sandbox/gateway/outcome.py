"""What the supplier's verdict makes of a problem, and what the tenant is told of it."""

from sqlalchemy import Connection

from supplier_api.contract.codes import FINAL, Status
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
    GatewayStatus,
    InformationType,
)
from supplier_api.sandbox.gateway.documents import Document
from supplier_api.sandbox.gateway.records import changes, kcis
from supplier_api.sandbox.gateway.records.calls import SupplierCall
from supplier_api.sandbox.gateway.records.changes import Change
from supplier_api.sandbox.gateway.records.problems import Problem
from supplier_api.sandbox.gateway.update_log import UpdateLog
from supplier_api.sandbox.gateway.updates import CHANGE_NAMES, of_gateway
from supplier_api.sandbox.gateway.views import change_view

# What the supplier's 202 makes of the problem.
ASKED = {
    CallKind.AMENDMENT: Status.PENDING_AMENDMENT,
    CallKind.CANCELLATION: Status.PENDING_CANCELLATION,
}


class SupplierOutcome:
    """Applies verdicts inside the caller's transaction."""

    def __init__(self, update_log: UpdateLog) -> None:
        """Tell tenants by `update_log`."""
        self._update_log = update_log

    def apply(
        self, connection: Connection, call: SupplierCall, problem: Problem, verdict: Verdict
    ) -> None:
        """Move the problem to where the verdict on a call takes it. The caller saves it."""
        self._update_log.touch(problem)
        if call.kind is CallKind.PROBLEM:
            self._raised(connection, problem, verdict)
        elif call.kind is CallKind.RESOLUTION:
            self._answered(connection, call, problem, verdict)
        else:
            self._changed(connection, call, problem, verdict)

    # ---- a new problem

    def _raised(self, connection: Connection, problem: Problem, verdict: Verdict) -> None:
        match verdict:
            case SupplierAccepted(document):
                self._acknowledge(connection, problem, document)
            case SupplierRefused():
                problem.status = Status.REJECTED
                problem.final_number = 0
            case SupplierFailed():
                problem.status = GatewayStatus.FAILED_TO_SEND
        self._tell_trouble(connection, problem, verdict, {})

    def _acknowledge(self, connection: Connection, problem: Problem, document: Document) -> None:
        problem.status = document["status"]
        problem.reference = document.get("supplierReference")
        specification = document["serviceSpecification"]
        problem.document = problem.document | {"serviceSpecification": specification}
        self._update_log.tell(connection, problem, of_gateway(InformationType.ACKNOWLEDGED))
        if document["status"] == Status.IN_PROGRESS:
            self._update_log.tell(connection, problem, of_gateway(InformationType.COMMITTED))

    # ---- an amendment or a cancellation

    def _changed(
        self, connection: Connection, call: SupplierCall, problem: Problem, verdict: Verdict
    ) -> None:
        assert call.subject_id is not None
        change = changes.move(connection, call.subject_id, _state_of_change(verdict))
        match verdict:
            case SupplierAccepted():
                self._apply(connection, problem, change)
            case SupplierDeferred() if problem.status not in FINAL:
                problem.status = ASKED[change.kind]
        self._tell_trouble(connection, problem, verdict, _shown(change))

    def _apply(self, connection: Connection, problem: Problem, change: Change) -> None:
        done = InformationType.AMENDED
        if change.kind is CallKind.AMENDMENT:
            problem.document = with_amendment(problem.document, change.document)
        else:
            done = InformationType.CANCELLED
            problem.status = Status.CANCELLED
            # Nothing comes after the end but what is here and waits for an earlier number.
            highest = kcis.highest_number(connection, problem.id)
            problem.final_number = max(problem.next_number - 1, highest)
        self._update_log.tell(connection, problem, of_gateway(done) | _shown(change))

    # ---- the answer to a resolution

    def _answered(
        self, connection: Connection, call: SupplierCall, problem: Problem, verdict: Verdict
    ) -> None:
        if isinstance(verdict, SupplierAccepted):
            self._update_log.save_resolution(connection, problem, verdict.document)
        self._tell_trouble(connection, problem, verdict, {}, resolution_id=call.subject_id)

    def _tell_trouble(
        self,
        connection: Connection,
        problem: Problem,
        verdict: Verdict,
        about: Document,
        *,
        resolution_id: int | None = None,
    ) -> None:
        """Tell the tenant of a refusal or a failure, if the verdict is one."""
        if not isinstance(verdict, SupplierRefused | SupplierFailed):
            return
        code = (
            verdict.code
            if isinstance(verdict, SupplierFailed)
            else GatewayErrorCode.INVALID_REQUEST
        )
        self._update_log.tell_error(
            connection, problem, code, verdict.messages, about, resolution_id=resolution_id
        )


def _state_of_change(verdict: Verdict) -> ChangeState:
    match verdict:
        case SupplierAccepted():
            return ChangeState.COMPLETED
        case SupplierDeferred():
            return ChangeState.PENDING
        case SupplierRefused():
            return ChangeState.REJECTED
        case SupplierFailed():
            return ChangeState.FAILED_TO_SEND


def _shown(change: Change) -> Document:
    return {CHANGE_NAMES[change.kind]: change_view(change)}
