"""Sends what tenants asked for to the suppliers, after the tenants had their answer.

What is to be sent is a row that outlives a restart. The calls about one problem are sent one after
the other. A call that never left is sent by the next process. A call that was under way when the
process ended may have reached the supplier, and nothing is sent twice: it has failed, with
GATEWAY_FAULT.
"""

import queue
import threading
from collections.abc import Mapping

from sqlalchemy import Connection

from supplier_api.clock import MachineClock
from supplier_api.logging import bind, get_logger
from supplier_api.sandbox.gateway import answers, outgoing
from supplier_api.sandbox.gateway.answers import SupplierFailed, Verdict
from supplier_api.sandbox.gateway.codes import CallKind, GatewayErrorCode, GatewayStatus
from supplier_api.sandbox.gateway.database import GatewayDatabase
from supplier_api.sandbox.gateway.documents import Document, picked
from supplier_api.sandbox.gateway.inbox import Inbox
from supplier_api.sandbox.gateway.outcome import SupplierOutcome
from supplier_api.sandbox.gateway.records import calls, problems
from supplier_api.sandbox.gateway.records.calls import SupplierCall
from supplier_api.sandbox.gateway.records.problems import Problem
from supplier_api.sandbox.gateway.supplier_client import (
    AccessDenied,
    SupplierClient,
    SupplierSilent,
    SupplierUnreachable,
)

log = get_logger(__name__)

THREADS = 16
# Seconds between looks at what nobody announces: late answers, numbers that were waited for.
LOOK_EVERY = 1.0

STOPPED = SupplierFailed(
    GatewayErrorCode.GATEWAY_FAULT,
    ["The gateway was stopped while it waited for the supplier's answer"],
)
BROKEN = SupplierFailed(GatewayErrorCode.GATEWAY_FAULT, ["The gateway could not call the supplier"])


class Sender:
    """Calls suppliers in the background, and passes the gaps between KCIs whose wait is over.

    `run_due` does the same work once, in the caller's thread.
    """

    def __init__(
        self,
        database: GatewayDatabase,
        machine: MachineClock,
        inbox: Inbox,
        outcome: SupplierOutcome,
        transports: Mapping[str, SupplierClient],
        timeout: float,
    ) -> None:
        """Give a call up when its answer is not there after `timeout` seconds."""
        self._database = database
        self._machine = machine
        self._inbox = inbox
        self._outcome = outcome
        self._transports = transports
        self._timeout = timeout
        self._stopping = threading.Event()
        self._calls_to_make: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._give_up_at: dict[int, float] = {}
        self._threads: list[threading.Thread] = []

    def wake(self) -> None:
        """Tell one thread that there is something to send."""
        self._calls_to_make.put(None)

    def start(self) -> None:
        """Settle what an earlier process left, then work in the background until `stop`."""
        self.recover()
        targets = [self._send_when_woken] * THREADS + [self._look_regularly]
        # Daemons: a supplier that answers drop by drop must not keep the process from ending.
        self._threads = [threading.Thread(target=target, daemon=True) for target in targets]
        for thread in self._threads:
            thread.start()
        self.wake()

    def stop(self, patience: float = 3.0) -> None:
        """Send nothing new and wait `patience` seconds for the answers that are still out."""
        self._stopping.set()
        for _ in self._threads:
            self.wake()
        until = self._machine.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, until - self._machine.monotonic()))
        for transport in self._transports.values():
            transport.close()

    def recover(self) -> None:
        """Settle the calls that an earlier process left under way."""
        for call_id in self._database.read(calls.in_flight):
            self._settle(call_id, STOPPED)

    def run_due(self) -> None:
        """Send everything that waits, one call after the other, then `look_after`."""
        self._send_all()
        self.look_after()

    def look_after(self) -> None:
        """Give up the calls that take too long, and pass the gaps whose wait is over."""
        now = self._machine.monotonic()
        for call_id, end in list(self._give_up_at.items()):
            if end <= now:
                self._settle(call_id, self._timed_out())
                self.wake()  # the thread that still waits cannot send the problem's next call
        self._inbox.pass_gaps()

    # ---- the threads

    def _send_when_woken(self) -> None:
        while True:
            self._calls_to_make.get()
            if self._stopping.is_set():
                return
            try:
                self._send_all()
            except Exception:
                log.exception("sandbox sender failed")

    def _look_regularly(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            try:
                self.look_after()
            except Exception:
                log.exception("sandbox sender failed")

    # ---- one call

    def _send_all(self) -> None:
        while not self._stopping.is_set() and (claimed := self._database.write(_claim)):
            self._send(*claimed)

    def _send(self, call: SupplierCall, problem: Problem) -> None:
        self._give_up_at[call.id] = self._machine.monotonic() + self._timeout
        with bind(
            gateway_id=problem.id,
            tenant=problem.tenant,
            conversation_id=call.headers["X-Conversation-ID"],
        ):
            try:
                verdict = self._ask(call, problem)
            except Exception:
                log.exception("call to supplier failed")
                verdict = BROKEN
            self._settle(call.id, verdict)

    def _ask(self, call: SupplierCall, problem: Problem) -> Verdict:
        if call.kind is not CallKind.PROBLEM and problem.status == GatewayStatus.FAILED_TO_SEND:
            told = f"Service problem {problem.id} could not be sent, so nothing about it was"
            return SupplierFailed(GatewayErrorCode.INVALID_REQUEST, [told])
        transport = self._transports[problem.supplier]
        method = outgoing.METHODS.get(call.kind, "POST")
        body = outgoing.completed(call, problem)
        try:
            place = self._database.read(lambda connection: calls.place(connection, call))
            name = ("call", problem.id, place)
            answer = transport.send(problem.tenant, method, call.path, call.headers, body, name)
        except SupplierSilent:
            return self._timed_out()
        except SupplierUnreachable as error:
            told = f"The supplier API could not be reached: {error}"
            return SupplierFailed(GatewayErrorCode.SUPPLIER_FAULT, [told])
        except AccessDenied as error:
            told = f"The supplier API gave the gateway no access: {error}"
            return SupplierFailed(GatewayErrorCode.NOT_AUTHORISED, [told])
        log.info("supplier answered", status=answer.status)
        return answers.judge(call.kind, answer, _expected(call))

    def _settle(self, call_id: int, verdict: Verdict) -> None:
        """Apply a verdict, once: the first one counts. Then the KCIs that waited for it."""

        def settle(connection: Connection) -> None:
            call = calls.settle(connection, call_id)
            if call is None:
                return
            problem = problems.get(connection, call.problem_id)
            self._outcome.apply(connection, call, problem, verdict)
            problems.save(connection, problem)
            self._inbox.catch_up(connection, problem)

        self._database.write(settle)
        self._give_up_at.pop(call_id, None)

    def _timed_out(self) -> SupplierFailed:
        told = f"The supplier API did not answer within {self._timeout:g} seconds"
        return SupplierFailed(GatewayErrorCode.SUPPLIER_TIMED_OUT, [told])


def _claim(connection: Connection) -> tuple[SupplierCall, Problem] | None:
    """Mark the oldest call whose turn it is as under way; return it and its problem, or None."""
    call = calls.claim(connection)
    if call is None:
        return None
    problem = problems.get(connection, call.problem_id)
    if call.kind is CallKind.PROBLEM:
        problem.status = GatewayStatus.SENT_TO_SUPPLIER
        problems.save(connection, problem)
    return call, problem


def _expected(call: SupplierCall) -> Document:
    """Return what the supplier's answer must repeat."""
    if call.kind is CallKind.RESOLUTION:
        reference = call.path.removeprefix(outgoing.RESOLUTIONS)
        return {"supplierReference": reference, "status": call.body["status"]}
    return picked(call.body, "id", "serviceProblemId")
