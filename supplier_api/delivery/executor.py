"""Sends the next message of a claimed lane, within the lease."""

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable
from supplier_api.delivery.model import (
    Destination,
    Lease,
    Meaning,
    Reply,
    Sent,
    ids_of,
    lease_from_now,
)
from supplier_api.logging import get_logger
from supplier_api.outbox.model import Fenced, Message
from supplier_api.outbox.repository import LaneRepository

LEASE_MARGIN = 5.0  # seconds that a lease must outlast a send
log = get_logger(__name__)


class Executor:
    """Sends the messages of claimed lanes to one destination; used by several threads."""

    def __init__(
        self, destination: Destination, store: Store, clock: MachineClock, lease: float
    ) -> None:
        """Prepare to send; `lease` is in seconds."""
        self._to = destination
        self._store = store
        self._clock = clock
        self._lease = lease

    def send(self, lease: Lease, *, probe: bool = False) -> Sent | None:
        """Send the next message of the lane; return the attempt, which has to be completed.

        Returns None, and sends nothing, if the claim was lost or its lease cannot be renewed.
        `probe`: it is the probe of an open breaker.
        """
        if not self._ensure_lease(lease):
            return None
        if probe:
            self._to.before_probe()
        began = self._clock.monotonic()
        reply = self._call(lease.claim.message)
        return Sent(lease, reply, round((self._clock.monotonic() - began) * 1000))

    def _ensure_lease(self, lease: Lease) -> bool:
        """Renew the lease if a send that begins now could outlast it; return whether it is ours."""
        left = lease.lease_ends - self._clock.monotonic()
        if left > self._to.deadline + LEASE_MARGIN:
            return True
        ends, until = lease_from_now(self._clock, self._lease)
        claim = lease.claim
        try:
            self._store.write(lambda uow: LaneRepository(uow).renew(claim, until))
        except Fenced:
            log.warning("claim.lost", lane=claim.lane_id, **ids_of(claim.message))
            return False
        except StoreUnavailable as error:
            ids = ids_of(claim.message)
            log.error("message.not-sent", lane=claim.lane_id, error=str(error), **ids)
            return False
        lease.lease_ends = ends
        return True

    def _call(self, message: Message) -> Reply:
        try:
            return self._to.transport.send(message, self._to.deadline)
        except Exception as error:
            ids = ids_of(message)
            log.error("transport.failed", error=type(error).__name__, exc_info=True, **ids)
            return Reply(Meaning.FAILED, type(error).__name__, unknown=True)
