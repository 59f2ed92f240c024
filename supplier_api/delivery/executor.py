"""Sends the next message of a claimed lane, within the lease."""

import threading

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable
from supplier_api.delivery.completer import Completer, ids_of
from supplier_api.delivery.flow_control import FlowControl
from supplier_api.delivery.model import Destination, Lease, Meaning, Reply, Sent
from supplier_api.ids import Chance
from supplier_api.logging import bind, get_logger
from supplier_api.outbox.model import Fenced, Message
from supplier_api.outbox.repository import LaneRepository

__all__ = ["Destination", "Executor", "Lease"]

LEASE_MARGIN = 5.0  # seconds that a lease must outlast a send
log = get_logger(__name__)


class Executor:
    """Sends the messages of claimed lanes to one destination; used by several threads."""

    def __init__(
        self,
        destination: Destination,
        store: Store,
        clock: MachineClock,
        chance: Chance,
        lease: float,
        stopping: threading.Event,
        flow_control: FlowControl | None = None,
    ) -> None:
        """Prepare to send; `lease` is in seconds, and `stopping` ends a lane after its message.

        `flow_control` is the dispatcher's, which keeps the pauses in it current.
        """
        self._to = destination
        self._store = store
        self._clock = clock
        self._stopping = stopping
        self._flow_control = flow_control or FlowControl(
            destination.name, destination.rules, destination.policy, store, clock, chance, ""
        )
        self.completer = Completer(
            destination, store, clock, chance, lease, stopping, self._flow_control
        )

    def deliver_lane(self, lease: Lease) -> None:
        """Send the messages of the lane that are due, one after the other, and release the lane.

        If the claim is lost meanwhile, it stops and writes nothing.
        """
        sent = self.send(lease)
        while sent is not None:
            result = self.completer.complete([sent])
            threading.Event().wait(result.pause)
            following = result.following
            sent = self.send(following[0]) if following else next(iter(result.again), None)

    def send(self, lease: Lease) -> Sent | None:
        """Send the next message of the lane; return the attempt, which has to be completed.

        Returns None, and sends nothing, when the worker is stopping or the message is paused (the
        lane is then given back), or when the claim was lost or its lease cannot be renewed.
        """
        message = lease.claim.message
        with bind(**ids_of(message)):
            try:
                if self._stopping.is_set() or not self.may_begin(lease):
                    self.give_back(lease)
                    return None
                self._ensure_lease(lease)
            except Fenced:
                log.warning("claim.lost", lane=lease.claim.lane_id)
                return None
            except StoreUnavailable as error:
                log.error("message.not-sent", lane=lease.claim.lane_id, error=str(error))
                return None
            if self._flow_control.is_probe(lease.claim):
                self._to.before_probe()
            began = self._clock.monotonic()
            reply = self._call(message)
            return Sent(lease, reply, round((self._clock.monotonic() - began) * 1000))

    def give_back(self, lease: Lease) -> None:
        """Release the lane with the messages left on it; raises Fenced or StoreUnavailable."""
        self._store.write(lambda uow: LaneRepository(uow).release(lease.claim, self._clock.now()))
        self._flow_control.release_probe(lease.claim)

    def may_begin(self, lease: Lease) -> bool:
        """Return whether no pause applies to the next message of a claimed lane."""
        return self._flow_control.may_send(lease.claim)

    def _ensure_lease(self, lease: Lease) -> None:
        """Renew the lease if a send that begins now could outlast it."""
        left = lease.lease_ends - self._clock.monotonic()
        if left > self._to.deadline + LEASE_MARGIN:
            return
        ends, until = self.completer.new_lease()
        self._store.write(lambda uow: LaneRepository(uow).renew(lease.claim, until))
        lease.lease_ends = ends

    def _call(self, message: Message) -> Reply:
        try:
            return self._to.transport.send(message, self._to.deadline)
        except Exception as error:
            log.error("courier.failed", error=type(error).__name__, exc_info=True)
            return Reply(Meaning.FAILED, type(error).__name__, unknown=True)
