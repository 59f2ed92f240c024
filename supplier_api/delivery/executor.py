"""What a thread does with a claimed lane: send the message that is next, within the lease."""

import threading

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable
from supplier_api.delivery.completer import Completer, ids_of
from supplier_api.delivery.flow_control import FlowControl
from supplier_api.delivery.model import Destination, Lease, Sent
from supplier_api.delivery.transport import Meaning, Reply
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

        `flow_control` is the dispatcher's, who sees to it that it knows what holds delivery up.
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

    def carry(self, hold: Lease) -> None:
        """Send what the lane has to send now, one message after the other, and give it back.

        A claim that was lost meanwhile ends it, and nothing is written.
        """
        sent = self.send(hold)
        while sent is not None:
            settled = self.completer.settle([sent])
            threading.Event().wait(settled.pause)
            following = settled.following
            sent = self.send(following[0]) if following else next(iter(settled.again), None)

    def send(self, hold: Lease) -> Sent | None:
        """Send the message that is next on the lane; return what came of it, to be settled.

        Nothing is sent, and None returned, once we are stopping, or the message is held up: the
        lane is given back; or when the claim was lost or its lease cannot be made long enough.
        """
        message = hold.claim.message
        with bind(**ids_of(message)):
            try:
                if self._stopping.is_set() or not self.may_begin(hold):
                    self.give_back(hold)
                    return None
                self._ensure_lease(hold)
            except Fenced:
                log.warning("claim.lost", lane=hold.claim.lane_id)
                return None
            except StoreUnavailable as error:
                log.error("message.not-sent", lane=hold.claim.lane_id, error=str(error))
                return None
            if self._flow_control.tries(hold.claim):
                self._to.before_probe()
            began = self._clock.monotonic()
            reply = self._call(message)
            return Sent(hold, reply, round((self._clock.monotonic() - began) * 1000))

    def give_back(self, hold: Lease) -> None:
        """Give the lane back with what is left on it; raises Fenced or StoreUnavailable."""
        self._store.write(lambda uow: LaneRepository(uow).release(hold.claim, self._clock.now()))
        self._flow_control.given_back(hold.claim)

    def may_begin(self, hold: Lease) -> bool:
        """Tell whether nothing holds up the message that is next on a claimed lane."""
        return self._flow_control.lets(hold.claim)

    def _ensure_lease(self, hold: Lease) -> None:
        """Let no send begin that might outlast its lease."""
        left = hold.lease_ends - self._clock.monotonic()
        if left > self._to.deadline + LEASE_MARGIN:
            return
        ends, until = self.completer.new_lease()
        self._store.write(lambda uow: LaneRepository(uow).renew(hold.claim, until))
        hold.lease_ends = ends

    def _call(self, message: Message) -> Reply:
        try:
            return self._to.transport.send(message, self._to.deadline)
        except Exception as error:
            log.error("courier.failed", error=type(error).__name__, exc_info=True)
            return Reply(Meaning.TROUBLE, type(error).__name__, unknown=True)
