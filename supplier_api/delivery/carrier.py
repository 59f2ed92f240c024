"""What a thread does with a claimed lane: send its messages in order, and settle each."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from supplier_api.chance import Chance
from supplier_api.clock import MachineClock
from supplier_api.delivery.reply import Courier, Meaning, Reply
from supplier_api.delivery.retry import (
    Decision,
    Delivered,
    Expired,
    History,
    Policy,
    Refused,
    RetryAt,
    Withheld,
    decide,
)
from supplier_api.observability import bind, get_logger
from supplier_api.store import Gone, Store, StoreUnavailable, UnitOfWork
from supplier_api.store.claims import Attempt, Claim, Fenced, Message, MessageState
from supplier_api.store.lane_rows import LaneRow

LEASE_MARGIN = 5.0  # seconds that a lease must outlast a send
STORE_PAUSE = 0.2  # seconds between two tries to settle while the database is away
T = TypeVar("T")
# Called inside the transaction that settles a message, the problem and the lane locked.
Hook = Callable[[UnitOfWork, Message, Reply], None]
log = get_logger(__name__)


def _nothing(_uow: UnitOfWork, _message: Message, _reply: Reply) -> None:
    """Leave it at that."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where messages go, and how.

    `name` is that of its lanes. `threads` is how many messages are sent at a time, `deadline` the
    seconds that one may take. With `pass_dead_letters` a dead letter does not hold back those
    behind it. The hooks tell the desk, in the transaction that settles the message: the receiver
    took it; it became a dead letter; the receiver does not know the problem (and the message may
    be tried again).
    """

    name: str
    courier: Courier
    policy: Policy
    threads: int = 16
    deadline: float = 30.0
    pass_dead_letters: bool = False
    on_delivered: Hook = _nothing
    on_dead_letter: Hook = _nothing
    on_not_found: Hook = _nothing


@dataclass(slots=True)
class Hold:
    """A claim, and when its lease ends on the monotonic scale."""

    claim: Claim
    lease_ends: float


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent, what came of it, and how long it took."""

    message: Message
    reply: Reply
    milliseconds: int


class Carrier:
    """Sends the messages of claimed lanes to one destination; used by several threads."""

    def __init__(
        self,
        destination: Destination,
        store: Store,
        clock: MachineClock,
        chance: Chance,
        lease: float,
        stopping: threading.Event,
    ) -> None:
        """Prepare to send; `lease` is in seconds, and `stopping` ends a lane after its message."""
        self._to = destination
        self._store = store
        self._clock = clock
        self._chance = chance
        self._lease = lease
        self._stopping = stopping
        self._last_delivered: float | None = None

    def carry(self, hold: Hold) -> None:
        """Send what the lane has to send now, one message after the other, and give it back.

        A claim that was lost meanwhile ends it, and nothing is written.
        """
        message: Message | None = hold.claim.message
        try:
            while message is not None and not self._stopping.is_set():
                with bind(
                    tenant=message.tenant,
                    conversation_id=message.conversation_id,
                    message_id=message.uuid,
                ):
                    self._ensure_lease(hold)
                    message = self._deliver(hold, message)
            if message is not None:
                self.give_back(hold)
        except Fenced:
            log.warning("claim.lost", lane=hold.claim.lane_id)
        except StoreUnavailable as error:
            # The lane becomes due when the lease ends; its message is then "unknown".
            log.error("message.not-settled", lane=hold.claim.lane_id, error=str(error))

    def give_back(self, hold: Hold) -> None:
        """Give the lane back with what is left on it; raises Fenced or StoreUnavailable."""
        self._store.write(lambda uow: uow.lanes.release(hold.claim, self._clock.now()))

    def _ensure_lease(self, hold: Hold) -> None:
        """Let no send begin that might outlast its lease."""
        left = hold.lease_ends - self._clock.monotonic()
        if left > self._to.deadline + LEASE_MARGIN:
            return
        ends, until = self._new_lease()
        self._store.write(lambda uow: uow.lanes.renew(hold.claim, until))
        hold.lease_ends = ends

    def _deliver(self, hold: Hold, message: Message) -> Message | None:
        """Send and settle one message; return the one to be sent next under this claim."""
        began = self._clock.monotonic()
        reply = self._send(message)
        sent = Sent(message, reply, round((self._clock.monotonic() - began) * 1000))
        try:
            return self._settle(hold, sent)
        except (Fenced, StoreUnavailable):
            raise
        except Exception as error:
            # Left as it is, the message would be sent again at once, and for ever.
            log.error("answer.not-applied", error=type(error).__name__, exc_info=True)
            detail = f"answer not applied: {type(error).__name__}"
            failed = Reply(Meaning.TROUBLE, detail, reply.status, unknown=True)
            return self._settle(hold, replace(sent, reply=failed))

    def _send(self, message: Message) -> Reply:
        try:
            return self._to.courier.send(message, self._to.deadline)
        except Exception as error:
            log.error("courier.failed", error=type(error).__name__, exc_info=True)
            return Reply(Meaning.TROUBLE, type(error).__name__, unknown=True)

    def _settle(self, hold: Hold, sent: Sent) -> Message | None:
        """Store what came of it and tell the desk, in one transaction; return what goes next."""
        jitter = self._chance.jitter(self._to.policy.jitter)
        ends, until = self._new_lease()

        def work(uow: UnitOfWork) -> tuple[Decision, Message | None]:
            # The problem first, as the desk does, since a hook may change it.
            try:
                uow.problems.lock(sent.message.problem_id)
            except Gone:
                raise Fenced from None
            lane = uow.lanes.hold(hold.claim)
            now = self._clock.now()
            decision = decide(
                sent.reply, self._history(sent.message, lane), self._to.policy, now, jitter
            )
            self._record(uow, sent, decision, now)
            self._tell_desk(uow, sent, decision)
            if isinstance(decision, Refused | Expired) and not self._to.pass_dead_letters:
                uow.lanes.park(hold.claim)
            retry_at = decision.at if isinstance(decision, RetryAt) else None
            following = uow.lanes.proceed(
                hold.claim,
                now,
                failures=lane.attempts + 1 if retry_at else 0,
                retry_at=retry_at,
                lease_until=until,
            )
            return decision, following

        decision, following = self._write(work, hold.lease_ends)
        hold.lease_ends = ends
        if isinstance(decision, Delivered):
            self._last_delivered = self._clock.monotonic()
        self._report(sent, decision)
        return following

    def _history(self, message: Message, lane: LaneRow) -> History:
        return History(
            attempts=message.attempts,
            first_attempt=message.first_attempt,
            unknown=message.unknown,
            # A lane is held until shortly after each request of the gateway.
            last_request=lane.not_before,
            others_succeed=self._others_succeed(),
        )

    def _record(self, uow: UnitOfWork, sent: Sent, decision: Decision, now: datetime) -> None:
        state, outcome = _outcome(decision)
        reply = sent.reply
        attempt = Attempt(
            now, outcome, reply.status, sent.milliseconds, reply.detail, unknown=reply.unknown
        )
        digest = _digest(sent.message) if state is MessageState.DELIVERED else None
        uow.lanes.record(sent.message, attempt, state, digest)

    def _tell_desk(self, uow: UnitOfWork, sent: Sent, decision: Decision) -> None:
        if sent.reply.meaning is Meaning.NOT_FOUND:
            self._to.on_not_found(uow, sent.message, sent.reply)
        if isinstance(decision, Delivered):
            self._to.on_delivered(uow, sent.message, sent.reply)
        if isinstance(decision, Refused | Expired):
            self._to.on_dead_letter(uow, sent.message, sent.reply)

    def _report(self, sent: Sent, decision: Decision) -> None:
        _, outcome = _outcome(decision)
        tell = log.info if isinstance(decision, Delivered) else log.warning
        tell(
            f"message.{outcome}",
            destination=self._to.name,
            number=sent.message.number,
            kind=sent.message.kind,
            attempt=sent.message.attempts + 1,
            status=sent.reply.status,
            # Our own words; those of a refusal are the receiver's, and may be about people.
            cause=sent.reply.detail if sent.reply.meaning is Meaning.TROUBLE else None,
            ms=sent.milliseconds,
        )

    def _write(self, work: Callable[[UnitOfWork], T], lease_ends: float) -> T:
        """Settle, again and again while the database is away and the lease lasts."""
        while True:
            try:
                return self._store.write(work, deadline=lease_ends)
            except StoreUnavailable:
                if self._clock.monotonic() + STORE_PAUSE >= lease_ends:
                    raise
                threading.Event().wait(STORE_PAUSE)

    def _others_succeed(self) -> bool:
        """Tell whether the destination took anything within the longest wait between attempts."""
        if self._last_delivered is None:
            return False
        ago = self._clock.monotonic() - self._last_delivered
        return ago <= self._to.policy.waits[-1].total_seconds()

    def _new_lease(self) -> tuple[float, datetime]:
        """Return when a lease that is taken now ends: monotonic, and as an instant.

        Taken before the transaction that stores it, so that ours ends first.
        """
        return (
            self._clock.monotonic() + self._lease,
            self._clock.now() + timedelta(seconds=self._lease),
        )


def _outcome(decision: Decision) -> tuple[MessageState, str]:
    """Return what the message becomes, and the attempt's outcome in a word."""
    match decision:
        case Delivered():
            return MessageState.DELIVERED, "delivered"
        case Refused():
            return MessageState.REFUSED, "refused"
        case Expired():
            return MessageState.EXPIRED, "expired"
        case Withheld():
            return MessageState.SKIPPED, "withheld"
        case RetryAt():
            return MessageState.QUEUED, "later"


def _digest(message: Message) -> str:
    """Name the bytes that were sent."""
    return f"sha256:{hashlib.sha256(message.body.encode()).hexdigest()}"
