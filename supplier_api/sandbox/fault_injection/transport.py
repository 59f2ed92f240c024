"""Lets KCIs go wrong on purpose, where a tester has set it so: a transport around the gateway's.

What is stored is never changed. A copy that breaks the contract is sent besides the real message,
and whatever the gateway answers to it, only the answer to the real one counts.
"""

import json
import re
from dataclasses import replace
from typing import Any

from supplier_api.clock import MachineClock
from supplier_api.contract.codes import ReasonCode
from supplier_api.contract.headers import TENANT
from supplier_api.db import Store
from supplier_api.delivery.model import Meaning, Reply, ids_of
from supplier_api.logging import get_logger
from supplier_api.outbox.model import Message
from supplier_api.outbox.repository import LaneRepository
from supplier_api.sandbox.fault_injection.active_faults import ActiveFaults, InterceptedCall
from supplier_api.sandbox.fault_injection.model import InjectedFault, Place
from supplier_api.sandbox.fault_injection.mutations import Mutation
from supplier_api.sandbox.fault_injection.sending import (
    SENDING,
    Copy,
    CopyingTransport,
    FaultySending,
)

_DELAYED = re.compile(r"fault ([0-9]+)")
log = get_logger(__name__)


def tenant_header(message: Message) -> dict[str, str]:
    """Return the header by which our own sandbox gateway learns whose problem a KCI is about.

    The published call names no tenant; a gateway that has sent the problem knows.
    """
    return {TENANT: message.tenant}


class FaultyTransport:
    """The gateway's transport, with faults."""

    def __init__(self, transport: CopyingTransport, store: Store, clock: MachineClock) -> None:
        """Send by `transport`; the faults are in `store`."""
        self._transport = transport
        self._store = store
        self._clock = clock
        self._faults = ActiveFaults(store, clock)
        # What the gateway has taken ahead of its turn, by UUID.
        self._ahead: dict[str, Reply] = {}

    def send(self, message: Message, seconds: float) -> Reply:
        """Send the message as the fault wants it that strikes it, or as it is."""
        if taken := self._ahead.pop(message.uuid, None):
            return taken
        fault = self._strike(message)
        if fault is None:
            return self._transport.send(message, seconds)
        sending = FaultySending(
            fault, message, self._transport, self._store, self._clock, seconds, self._ahead
        )
        if isinstance(fault.kind, Mutation):
            reply = _mutate(sending, fault.kind)
        else:
            reply = SENDING[fault.kind.name](sending)
        # What goes wrong on purpose is no failure of the gateway.
        return replace(reply, counts=False)

    def _strike(self, message: Message) -> InjectedFault | None:
        delayed = {
            int(found[1]) for entry in message.log if (found := _DELAYED.search(entry["detail"]))
        }

        def fits(fault: InjectedFault) -> bool:
            return fault.id not in delayed and self._fits(fault, message)

        call = InterceptedCall(Place.WORKER, message.kind, message.tenant, message.conversation_id)
        candidates = self._faults.look(
            lambda uow, is_set: self._faults.candidates(uow, is_set, call)
        )
        return self._faults.strike(candidates or [], fits)

    def _fits(self, fault: InjectedFault, message: Message) -> bool:
        """Tell whether that can be done with this message."""
        if fault.kind.name == "stale-sequence":
            return message.number > 1
        kind = fault.kind
        if not isinstance(kind, Mutation):
            return True
        if kind.after_201 and not self._was_answered_201(message):
            return False
        return kind.fits(json.loads(message.body), fault.all_values())

    def _was_answered_201(self, message: Message) -> bool:
        """Tell whether the problem was answered 201: else its ACKNOWLEDGED is a KCI of its own."""
        rows = self._store.read(lambda uow: LaneRepository(uow).messages_of(message.problem_id))
        return all(row["kind"] != ReasonCode.ACKNOWLEDGED for row in rows)


def _mutate(sending: FaultySending, mutation: Mutation) -> Reply:
    """Send the real message, and on the right side of it the copy that breaks the contract."""
    if not mutation.after:
        bad = _send_bad(sending, mutation)
        return sending.note(sending.real(), f"before it {bad}")
    real = sending.real()
    if real.meaning is not Meaning.ACCEPTED:
        return real
    return sending.note(real, f"behind it {_send_bad(sending, mutation)}")


def _send_bad(sending: FaultySending, mutation: Mutation) -> str:
    """Send the copy; return in words what was answered and what should have been."""
    document: dict[str, Any] = json.loads(sending.message.body)
    fault = sending.fault
    body = json.dumps(mutation.change(document, fault.all_values()), ensure_ascii=False).encode()
    reply = sending.copy(Copy(body, fault.plain(), token=mutation.token))
    breach = fault.kind.breach
    assert breach is not None
    answered = reply.detail
    as_expected = reply.status in breach.statuses
    log.info(
        "fault.answered",
        kind=fault.kind.name,
        status=reply.status,
        expected=breach.expected,
        as_expected=as_expected,
        **ids_of(sending.message),
    )
    return f"{fault.kind.name}: answered {answered}, expected {breach.expected}"
