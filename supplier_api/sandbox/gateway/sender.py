"""Sends what tenants asked for to the suppliers, after the tenants had their answer.

What is to be sent is a row that outlives a restart. The calls about one problem are sent one after
the other. A call that never left is sent by the next process. A call that was under way when the
process ended may have reached the supplier, and nothing is sent twice: it has failed, with
GATEWAY_FAULT.
"""

import queue
import threading
from collections.abc import Mapping
from functools import partial

from supplier_api.contract.codes import FINAL, InformationType, Status
from supplier_api.contract.field_table import with_amendment
from supplier_api.contract.headers import CONVERSATION_ID, TENANT
from supplier_api.logging import bind, get_logger
from supplier_api.sandbox.gateway import supplier_calls
from supplier_api.sandbox.gateway.codes import (
    CallKind,
    ChangeState,
    GatewayErrorCode,
    ProblemStatus,
    UpdateType,
)
from supplier_api.sandbox.gateway.inbox import Inbox
from supplier_api.sandbox.gateway.model import Change, Document, Problem, SupplierCall, picked
from supplier_api.sandbox.gateway.repository import GatewayServices, Records
from supplier_api.sandbox.gateway.supplier_calls import (
    SupplierAccepted,
    SupplierDeferred,
    SupplierFailed,
    SupplierRefused,
    SupplierVerdict,
)
from supplier_api.sandbox.gateway.supplier_client import NoSupplierAnswer, SupplierClient, timed_out
from supplier_api.sandbox.gateway.updates import CHANGE_NAMES, change_view, of_gateway

log = get_logger(__name__)

STOPPED = "The gateway was stopped while it waited for the supplier's answer"
BROKEN = "The gateway could not call the supplier"
# What the supplier's 202 makes of the problem.
ASKED = {
    CallKind.AMENDMENT: Status.PENDING_AMENDMENT,
    CallKind.CANCELLATION: Status.PENDING_CANCELLATION,
}
CHANGE_STATES: dict[type[SupplierVerdict], ChangeState] = {
    SupplierAccepted: ChangeState.COMPLETED,
    SupplierDeferred: ChangeState.PENDING,
    SupplierRefused: ChangeState.REJECTED,
    SupplierFailed: ChangeState.FAILED_TO_SEND,
}


class Sender:
    """Calls suppliers, and passes the gaps between KCIs whose wait is over.

    In the background threads run `send_when_woken`, and `look_after` again and again; `run_due`
    does the same work once.
    """

    def __init__(
        self,
        services: GatewayServices,
        inbox: Inbox,
        clients: Mapping[str, SupplierClient],
        stopping: threading.Event,
    ) -> None:
        """Call by `clients`; nothing new is sent once `stopping` is set.

        A call is given up when its answer is not there after the time-out of the configuration.
        """
        self._services = services
        self._inbox = inbox
        self._clients = clients
        self._timeout = services.config.supplier_timeout
        self._stopping = stopping
        self._calls_to_make: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._give_up_at: dict[int, float] = {}

    def wake(self) -> None:
        """Tell one thread that there is something to send, or that it has to stop."""
        self._calls_to_make.put(None)

    def recover(self) -> None:
        """Settle the calls that an earlier process left under way."""
        for call_id in self._services.read(Records.calls_in_flight):
            self._settle(call_id, SupplierFailed(GatewayErrorCode.GATEWAY_FAULT, [STOPPED]))

    def run_due(self) -> None:
        """Send everything that waits, one call after the other, then `look_after`."""
        self._send_all()
        self.look_after()

    def look_after(self) -> None:
        """Give up the calls that take too long, and pass the gaps whose wait is over."""
        now = self._services.machine.monotonic()
        for call_id, end in list(self._give_up_at.items()):
            if end <= now:
                self._settle(call_id, _failed(timed_out(self._timeout)))
                self.wake()  # the thread that still waits cannot send the problem's next call
        self._inbox.pass_gaps()

    def send_when_woken(self) -> None:
        """Send what waits whenever `wake` is called, until the process stops."""
        while True:
            self._calls_to_make.get()
            if self._stopping.is_set():
                return
            try:
                self._send_all()
            except Exception:
                log.exception("sandbox sender failed")

    def close(self) -> None:
        """Close the connections to the suppliers."""
        for client in self._clients.values():
            client.close()

    def _send_all(self) -> None:
        while not self._stopping.is_set() and (claimed := self._services.write(_claim)):
            self._send(*claimed)

    def _send(self, call: SupplierCall, problem: Problem) -> None:
        self._give_up_at[call.id] = self._services.machine.monotonic() + self._timeout
        with bind(
            gateway_id=problem.id,
            tenant=problem.tenant,
            conversation_id=call.headers[CONVERSATION_ID],
        ):
            try:
                verdict = self._ask(call, problem)
            except NoSupplierAnswer as error:
                verdict = _failed(error)
            except Exception:
                log.exception("call to supplier failed")
                verdict = SupplierFailed(GatewayErrorCode.GATEWAY_FAULT, [BROKEN])
            self._settle(call.id, verdict)

    def _ask(self, call: SupplierCall, problem: Problem) -> SupplierVerdict:
        if call.kind is not CallKind.PROBLEM and problem.status == ProblemStatus.FAILED_TO_SEND:
            text = f"Service problem {problem.id} could not be sent, so nothing about it was"
            raise NoSupplierAnswer(GatewayErrorCode.INVALID_REQUEST, text)
        place = self._services.read(lambda records: records.place_of(call))
        answer = self._clients[problem.supplier].send(
            supplier_calls.METHODS.get(call.kind, "POST"),
            call.path,
            {**call.headers, TENANT: problem.tenant},
            supplier_calls.completed(call, problem),
            # The same in every run where ids are repeatable.
            partial(self._services.ids.uuid, problem.tenant, "call", problem.id, place),
        )
        log.info("supplier answered", status=answer.status)
        return supplier_calls.judge(call.kind, answer, _expected(call))

    def _settle(self, call_id: int, verdict: SupplierVerdict) -> None:
        """Apply a verdict, once: the first one counts. Then the KCIs that waited for it."""

        def settle(records: Records) -> None:
            call = records.settle_call(call_id)
            if call is None:
                return
            problem = records.problem(call.problem_id)
            apply_verdict(records, call, problem, verdict)
            self._inbox.catch_up(records, problem)

        self._services.write(settle)
        self._give_up_at.pop(call_id, None)


def _claim(records: Records) -> tuple[SupplierCall, Problem] | None:
    """Mark the oldest call whose turn it is as under way; return it and its problem, or None."""
    call = records.claim_call()
    if call is None:
        return None
    problem = records.problem(call.problem_id)
    if call.kind is CallKind.PROBLEM:
        problem.status = ProblemStatus.SENT_TO_SUPPLIER
    return call, problem


def _failed(error: NoSupplierAnswer) -> SupplierFailed:
    return SupplierFailed(error.code, [str(error)])


def _expected(call: SupplierCall) -> Document:
    """Return what the supplier's answer must repeat."""
    if call.kind is CallKind.RESOLUTION:
        reference = call.path.removeprefix(supplier_calls.RESOLUTIONS)
        return {"supplierReference": reference, "status": call.body["status"]}
    return picked(call.body, "id", "serviceProblemId")


def apply_verdict(
    records: Records, call: SupplierCall, problem: Problem, verdict: SupplierVerdict
) -> None:
    """Move the problem to where the verdict on a call takes it."""
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


def _raised(records: Records, problem: Problem, verdict: SupplierVerdict) -> None:
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


def _changed(
    records: Records, call: SupplierCall, problem: Problem, verdict: SupplierVerdict
) -> Document:
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
