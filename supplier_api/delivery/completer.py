"""Writes down what came of attempts and tells the desk: one transaction for as many as wait.

It waits for no lock: a lane or problem that another transaction holds is left for the next time, so
that no problem waits for another. When something in the transaction goes wrong it is rolled back as
a whole, and each attempt is settled by itself: only the one that is to blame fails.
"""

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypedDict

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable, UnitOfWork
from supplier_api.delivery.flow_control import FlowControl
from supplier_api.delivery.model import Destination, Lease, Sent
from supplier_api.delivery.pauses import time_within
from supplier_api.delivery.retry_policy import (
    Decision,
    Delivered,
    Expired,
    History,
    LeftOut,
    NotCounted,
    RefusedForGood,
    RetryAt,
    Withheld,
    decide,
)
from supplier_api.delivery.transport import Meaning, Reply
from supplier_api.ids import Chance
from supplier_api.logging import bind, get_logger, written_together
from supplier_api.outbox.ack import AttemptRecord, LaneStep
from supplier_api.outbox.lane_rows import LaneRow
from supplier_api.outbox.model import Attempt, Claim, Fenced, Message, MessageState, Revision
from supplier_api.outbox.pauses import PauseRepository, Scope
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.repository import ProblemRepository

STORE_PAUSE = 0.2  # seconds between two tries to settle while the database is away
LOCK_PAUSE = 0.02  # seconds until rows are looked at again that others held locked
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CompletionHandler:
    """What is to be done after a settlement.

    `following` are lanes whose next message may leave now, under the same claim. `again` could not
    be settled now, and should be in `pause` seconds.
    """

    following: list[Lease] = field(default_factory=list)
    again: list[Sent] = field(default_factory=list)
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class _Written:
    """What a transaction has written: the decisions, the lanes that are lost, what goes next."""

    decided: list[tuple[Sent, Decision]]
    lost: frozenset[int]
    following: dict[int, Message]


class Completer:
    """Settles attempts to send to one destination; used by one thread at a time, or by several."""

    def __init__(
        self,
        destination: Destination,
        store: Store,
        clock: MachineClock,
        chance: Chance,
        lease: float,
        stopping: threading.Event,
        flow_control: FlowControl,
    ) -> None:
        """Prepare to settle; `lease` is in seconds. Once `stopping` is set no lane goes on."""
        self._to = destination
        self._store = store
        self._clock = clock
        self._chance = chance
        self._lease = lease
        self._stopping = stopping
        self._flow_control = flow_control
        self._last_delivered: float | None = None

    def settle(self, attempts: Sequence[Sent]) -> CompletionHandler:
        """Settle each of the attempts, or say which are to be settled later.

        A claim that was lost meanwhile is logged, and nothing is written about it.
        """
        if not attempts:
            return CompletionHandler()
        try:
            return self._together(attempts)
        except StoreUnavailable as error:
            return self._later(attempts, error)
        except Exception as error:  # noqa: BLE001 - whose it is, shows when each is alone
            if len(attempts) > 1:
                return _all(self.settle([attempt]) for attempt in attempts)
            return self._not_applied(attempts[0], error)

    def new_lease(self) -> tuple[float, datetime]:
        """Return when a lease that is taken now ends: monotonic, and as an instant.

        Taken before the transaction that stores it, so that ours ends first.
        """
        return (
            self._clock.monotonic() + self._lease,
            self._clock.now() + timedelta(seconds=self._lease),
        )

    def _together(self, attempts: Sequence[Sent]) -> CompletionHandler:
        """Settle the attempts in one transaction."""
        ends, until = self.new_lease()
        written = self._store.write(
            lambda uow: self._write(uow, attempts, until),
            deadline=min(attempt.hold.lease_ends for attempt in attempts),
        )
        with written_together():
            for sent, decision in written.decided:
                self._note(sent, decision)
            for lane_id in written.lost:
                log.warning("claim.lost", lane=lane_id)
        done = {sent.hold.claim.lane_id for sent, _ in written.decided} | written.lost
        again = [sent for sent in attempts if sent.hold.claim.lane_id not in done]
        following = [
            Lease(_next(sent.hold.claim, written.following[sent.message.lane_id]), ends)
            for sent, _ in written.decided
            if sent.message.lane_id in written.following
        ]
        return CompletionHandler(
            following, self._in_time(again, "locked"), LOCK_PAUSE if again else 0.0
        )

    def _write(self, uow: UnitOfWork, attempts: Sequence[Sent], until: datetime) -> _Written:
        """Lock problems, then lanes; record, tell the desk, and then see what goes next."""
        told = self._told(uow, attempts)
        locked = ProblemRepository(uow).lock_free(told)
        held = LaneRepository(uow).hold_free([sent.hold.claim for sent in attempts])
        now = self._clock.now()
        decided = [
            (sent, self._decide(uow, sent, held.rows[sent.message.lane_id], now))
            for sent in attempts
            if sent.message.lane_id in held.rows
            and (sent.message.problem_id not in told or sent.message.problem_id in locked)
        ]
        self._record(uow, decided, now)
        rows = held.rows
        if self._tell_desk(uow, decided, locked):
            rows = LaneRepository(uow).hold_free([sent.hold.claim for sent, _ in decided]).rows
        steps = [_step(sent, decision, rows) for sent, decision in decided]
        lease_until = None if self._stopping.is_set() else until
        return _Written(
            decided, held.lost, LaneRepository(uow).proceed_all(steps, rows, now, lease_until)
        )

    def _told(self, uow: UnitOfWork, attempts: Sequence[Sent]) -> set[int]:
        """Return the problems that the desk may change: they are locked before their lanes."""
        taken = [sent.message for sent in attempts if sent.reply.meaning is Meaning.TAKEN]
        others = {sent.message.problem_id for sent in attempts} - {
            message.problem_id for message in taken
        }
        return others.union(self._to.concerns(uow, taken) if taken else ())

    def _record(
        self, uow: UnitOfWork, decided: Sequence[tuple[Sent, Decision]], now: datetime
    ) -> None:
        """Write down what came of the attempts, also of those that do not count."""
        counted = [each for each in decided if not isinstance(each[1], NotCounted)]
        LaneRepository(uow).record_all([_record(sent, decision, now) for sent, decision in counted])
        for sent, decision in decided:
            if isinstance(decision, NotCounted):
                LaneRepository(uow).remark(sent.message, _attempt(sent, decision, now))

    def _decide(self, uow: UnitOfWork, sent: Sent, lane: LaneRow, now: datetime) -> Decision:
        message = sent.message
        history = History(
            attempts=message.attempts,
            first_attempt=message.first_attempt,
            unknown=message.unknown,
            # A lane is held until shortly after each request of the gateway.
            last_request=lane.not_before,
            others_succeed=self._others_succeed(),
            stood_still=self._stood_still(uow, message, now),
            withdrawn=message.mended == Revision.WITHDRAWN,
        )
        jitter = self._chance.jitter(self._to.policy.jitter)
        decision = decide(sent.reply, history, self._to.policy, now, jitter)
        return self._flow_control.judged(uow, sent.hold.claim, sent.reply, decision, now)

    def _stood_still(self, uow: UnitOfWork, message: Message, now: datetime) -> timedelta:
        """Return how long a message could not leave; asked for only if it seems too old."""
        first = message.first_attempt
        if first is None or now - first < self._to.policy.max_age:
            return timedelta()
        scope = Scope(message.destination, message.tenant, message.problem_id)
        return time_within(PauseRepository(uow).over(scope, first, now), first, now)

    def _tell_desk(
        self, uow: UnitOfWork, decided: Sequence[tuple[Sent, Decision]], locked: set[int]
    ) -> bool:
        """Tell the desk of those whose problem is locked; return whether there were any."""
        told = [each for each in decided if each[0].message.problem_id in locked]
        for sent, decision in told:
            with bind(**ids_of(sent.message)):
                self._tell_of(uow, sent, decision)
        return bool(told)

    def _tell_of(self, uow: UnitOfWork, sent: Sent, decision: Decision) -> None:
        if sent.reply.meaning is Meaning.NOT_FOUND:
            self._to.on_not_found(uow, sent.message, sent.reply)
        if isinstance(decision, Delivered):
            self._to.on_delivered(uow, sent.message, sent.reply)
        if isinstance(decision, LeftOut):
            self._to.on_left_out(uow, sent.message, sent.reply)
        if isinstance(decision, RefusedForGood | Expired):
            self._to.on_dead_letter(uow, sent.message, sent.reply)
            if not self._to.pass_dead_letters:
                LaneRepository(uow).park(sent.hold.claim)

    def _note(self, sent: Sent, decision: Decision) -> None:
        """Take note of an attempt that is settled: called once for each."""
        if isinstance(decision, Delivered):
            self._last_delivered = self._clock.monotonic()
        self._flow_control.settled(sent.hold.claim, sent.reply, decision)
        message, reply = sent.message, sent.reply
        tell = log.info if isinstance(decision, Delivered) else log.warning
        tell(
            f"message.{_outcome(decision)[1]}",
            **ids_of(message),
            destination=self._to.name,
            number=message.number,
            kind=message.kind,
            attempt=message.attempts + 1,
            status=reply.status,
            # Our own words; those of a refusal are the receiver's, and may be about people.
            cause=reply.detail if reply.meaning is Meaning.TROUBLE else None,
            ms=sent.milliseconds,
        )

    def _not_applied(self, sent: Sent, error: Exception) -> CompletionHandler:
        """Settle an attempt as one that failed, after an error that is its own."""
        if isinstance(error, Fenced):
            log.warning("claim.lost", lane=sent.hold.claim.lane_id)
            return CompletionHandler()
        with bind(**ids_of(sent.message)):
            log.error("answer.not-applied", error=type(error).__name__, exc_info=error)
        if sent.not_applied:
            # The lane becomes due when the lease ends; its message is then "unknown".
            return CompletionHandler()
        # Left as it is, the message would be sent again at once, and for ever.
        detail = f"answer not applied: {type(error).__name__}"
        # No trouble of the destination's.
        failed = Reply(Meaning.TROUBLE, detail, sent.reply.status, unknown=True, counts=False)
        return self.settle([replace(sent, reply=failed, not_applied=True)])

    def _later(self, attempts: Sequence[Sent], error: StoreUnavailable) -> CompletionHandler:
        return CompletionHandler(again=self._in_time(attempts, str(error)), pause=STORE_PAUSE)

    def _in_time(self, attempts: Sequence[Sent], why: str) -> list[Sent]:
        """Return those that may be tried again: their leases last."""
        soon = self._clock.monotonic() + STORE_PAUSE
        for sent in attempts:
            if sent.hold.lease_ends <= soon:
                # The lane becomes due when the lease ends; its message is then "unknown".
                lane = sent.hold.claim.lane_id
                log.error("message.not-settled", lane=lane, error=why, **ids_of(sent.message))
        return [sent for sent in attempts if sent.hold.lease_ends > soon]

    def _others_succeed(self) -> bool:
        """Tell whether the destination took anything within the longest wait between attempts."""
        if self._last_delivered is None:
            return False
        ago = self._clock.monotonic() - self._last_delivered
        return ago <= self._to.policy.waits[-1].total_seconds()


def _all(parts: Iterable[CompletionHandler]) -> CompletionHandler:
    whole = list(parts)
    return CompletionHandler(
        [hold for part in whole for hold in part.following],
        [sent for part in whole for sent in part.again],
        max(part.pause for part in whole),
    )


def _next(claim: Claim, message: Message) -> Claim:
    """Return the claim with what goes next; whoever goes on has not failed."""
    return replace(claim, message=message, attempts=0, was_due=None)


def _record(sent: Sent, decision: Decision, now: datetime) -> AttemptRecord:
    state, _ = _outcome(decision)
    digest = _digest(sent.message) if state is MessageState.DELIVERED else None
    refusal = None
    if isinstance(decision, RefusedForGood | Expired | LeftOut):
        reply = sent.reply
        refusal = reply.refusal or {"status": reply.status, "detail": reply.reason}
    return AttemptRecord(sent.message, _attempt(sent, decision, now), state, digest, refusal)


def _attempt(sent: Sent, decision: Decision, now: datetime) -> Attempt:
    _, outcome = _outcome(decision)
    reply = sent.reply
    return Attempt(
        now, outcome, reply.status, sent.milliseconds, reply.reason, unknown=reply.unknown
    )


def _step(sent: Sent, decision: Decision, rows: Mapping[int, LaneRow]) -> LaneStep:
    failures = rows[sent.message.lane_id].attempts
    if isinstance(decision, NotCounted):
        return LaneStep(sent.hold.claim, failures, decision.at, goes_on=False)
    if isinstance(decision, RetryAt):
        return LaneStep(sent.hold.claim, failures + 1, decision.at)
    return LaneStep(sent.hold.claim)


def _outcome(decision: Decision) -> tuple[MessageState, str]:
    """Return what the message becomes, and the attempt's outcome in a word."""
    if isinstance(decision, NotCounted):
        return MessageState.QUEUED, decision.outcome
    return _OUTCOMES[type(decision)]


_OUTCOMES: Mapping[type[Decision], tuple[MessageState, str]] = {
    Delivered: (MessageState.DELIVERED, "delivered"),
    RefusedForGood: (MessageState.REFUSED, "refused"),
    Expired: (MessageState.EXPIRED, "expired"),
    LeftOut: (MessageState.SKIPPED, "left-out"),
    Withheld: (MessageState.SKIPPED, "withheld"),
    RetryAt: (MessageState.QUEUED, "later"),
}


class Ids(TypedDict):
    """What a line of the log names a message by."""

    tenant: str
    conversation_id: str
    gateway_id: int
    reference: str
    message_id: str


def ids_of(message: Message) -> Ids:
    """Return what every line of the log about a message names."""
    return {
        "tenant": message.tenant,
        "conversation_id": message.conversation_id,
        "gateway_id": message.gateway_id,
        "reference": message.reference,
        "message_id": message.uuid,
    }


def _digest(message: Message) -> str:
    """Name the bytes that were sent."""
    return f"sha256:{hashlib.sha256(message.body.encode()).hexdigest()}"
