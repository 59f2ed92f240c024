"""Completes attempts: records their outcome and updates their problems, many in one transaction.

It waits for no lock: an attempt whose lane or problem another transaction has locked is left for
the next transaction, so that no problem waits for another. When the transaction fails it is rolled
back as a whole, and each attempt is completed by itself: only the one at fault fails.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable, UnitOfWork
from supplier_api.delivery.flow_control import FlowControl
from supplier_api.delivery.model import (
    Destination,
    Lease,
    Meaning,
    Reply,
    Sent,
    ids_of,
    lease_from_now,
)
from supplier_api.delivery.retry_policy import (
    Ending,
    History,
    NotCounted,
    RetryAt,
    RetryDecision,
    decide,
)
from supplier_api.ids import IdSource
from supplier_api.logging import bind, get_logger, written_together
from supplier_api.outbox.model import (
    Attempt,
    AttemptRecord,
    Claim,
    Fenced,
    LaneRow,
    LaneStep,
    Message,
    MessageState,
    Revision,
)
from supplier_api.outbox.pauses import PauseRepository, Scope
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.repository import ProblemRepository

STORE_PAUSE = 0.2  # seconds between two tries while the database is unavailable
LOCK_PAUSE = 0.02  # seconds until rows that other transactions had locked are tried again
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CompletionResult:
    """What has to be done after attempts were completed.

    `following` are lanes whose next message may be sent now, under the same claim. `again` are
    attempts that could not be completed now; try them again after `pause` seconds.
    """

    following: list[Lease] = field(default_factory=list)
    again: list[Sent] = field(default_factory=list)
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class _Written:
    """What a transaction has written: the decisions, the lost lanes, the next message of each."""

    decided: list[tuple[Sent, RetryDecision]]
    lost: frozenset[int]
    following: dict[int, Message]


class Completer:
    """Completes attempts to send to one destination; several threads may use it at once."""

    def __init__(
        self,
        destination: Destination,
        store: Store,
        clock: MachineClock,
        id_source: IdSource,
        lease: float,
        flow_control: FlowControl,
    ) -> None:
        """Prepare; `lease` is in seconds."""
        self._to = destination
        self._store = store
        self._clock = clock
        self._id_source = id_source
        self._lease = lease
        self._flow_control = flow_control
        self._last_delivered: float | None = None

    def complete(self, attempts: Sequence[Sent], *, keep: bool = True) -> CompletionResult:
        """Complete the attempts; return which have to be tried again, and which lanes go on.

        Without `keep` no lane goes on: all are given back. A claim that was lost meanwhile is
        logged, and nothing is written about it.
        """
        if not attempts:
            return CompletionResult()
        try:
            return self._complete_together(attempts, keep)
        except StoreUnavailable as error:
            again = self._still_leased(attempts, str(error))
            return CompletionResult(again=again, pause=STORE_PAUSE)
        except Exception as error:  # noqa: BLE001 - completing one by one finds the one at fault
            if len(attempts) > 1:
                return _all(self.complete([attempt], keep=keep) for attempt in attempts)
            return self._complete_as_failed(attempts[0], error, keep)

    def complete_now(self, sent: Sent) -> RetryDecision:
        """Complete one attempt, waiting for its problem and its lane; the lane is given back.

        Raises Fenced if the claim was lost, what the hooks raise, and StoreUnavailable; then
        nothing is written.
        """
        message = sent.message

        def work(uow: UnitOfWork) -> RetryDecision:
            ProblemRepository(uow).lock(message.problem_id)
            LaneRepository(uow).lock(message.problem_id, self._to.name)
            written = self._write(uow, [sent], None)
            if written.lost:
                raise Fenced
            return written.decided[0][1]

        decision = self._store.write(work)
        self._record_outcome(sent, decision)
        return decision

    def _complete_together(self, attempts: Sequence[Sent], keep: bool) -> CompletionResult:
        """Complete the attempts in one transaction."""
        ends, until = lease_from_now(self._clock, self._lease)
        written = self._store.write(
            lambda uow: self._write(uow, attempts, until if keep else None),
            deadline=min(attempt.lease.lease_ends for attempt in attempts),
        )
        with written_together():
            for sent, decision in written.decided:
                self._record_outcome(sent, decision)
            for lane_id in written.lost:
                log.warning("claim.lost", lane=lane_id)
        done = {sent.lease.claim.lane_id for sent, _ in written.decided} | written.lost
        again = [sent for sent in attempts if sent.lease.claim.lane_id not in done]
        following = [
            Lease(_next(sent.lease.claim, written.following[sent.message.lane_id]), ends)
            for sent, _ in written.decided
            if sent.message.lane_id in written.following
        ]
        return CompletionResult(
            following, self._still_leased(again, "locked"), LOCK_PAUSE if again else 0.0
        )

    def _write(
        self, uow: UnitOfWork, attempts: Sequence[Sent], lease_until: datetime | None
    ) -> _Written:
        """Lock problems, then lanes; record the outcomes, call the hooks, move the lanes on."""
        to_lock = self._problems_to_lock(uow, attempts)
        locked = ProblemRepository(uow).lock_free(to_lock)
        lanes = LaneRepository(uow).lock_claimed([sent.lease.claim for sent in attempts])
        now = self._clock.now()
        decided = [
            (sent, self._decide(uow, sent, lanes.rows[sent.message.lane_id], now))
            for sent in attempts
            if sent.message.lane_id in lanes.rows
            and (sent.message.problem_id not in to_lock or sent.message.problem_id in locked)
        ]
        LaneRepository(uow).record([_record(sent, decision, now) for sent, decision in decided])
        rows = lanes.rows
        if self._call_hooks(uow, decided, locked):
            rows = LaneRepository(uow).lock_claimed([sent.lease.claim for sent, _ in decided]).rows
        steps = [self._step(sent, decision, rows) for sent, decision in decided]
        following = LaneRepository(uow).proceed(steps, rows, now, lease_until)
        return _Written(decided, lanes.lost, following)

    def _problems_to_lock(self, uow: UnitOfWork, attempts: Sequence[Sent]) -> set[int]:
        """Return the ids of problems that a hook may change: they are locked before their lanes."""
        accepted = [sent.message for sent in attempts if sent.reply.meaning is Meaning.ACCEPTED]
        others = {sent.message.problem_id for sent in attempts} - {
            message.problem_id for message in accepted
        }
        return others.union(self._to.concerns(uow, accepted) if accepted else ())

    def _decide(self, uow: UnitOfWork, sent: Sent, lane: LaneRow, now: datetime) -> RetryDecision:
        message = sent.message
        history = History(
            attempts=message.attempts,
            first_attempt=message.first_attempt,
            unknown=message.unknown,
            # Each request of the gateway holds its lane back until shortly after the answer.
            last_request=lane.not_before,
            others_succeed=self._others_succeed(),
            paused=self._paused_time(uow, message, now),
            withdrawn=message.mended == Revision.WITHDRAWN,
        )
        jitter = self._id_source.jitter(self._to.policy.jitter)
        decision = decide(sent.reply, history, self._to.policy, now, jitter)
        return self._flow_control.adjust(uow, sent.lease.claim, sent.reply, decision, now)

    def _paused_time(self, uow: UnitOfWork, message: Message, now: datetime) -> timedelta:
        """Return how long pauses held a message back; queried only if it seems too old."""
        first = message.first_attempt
        if first is None or now - first < self._to.policy.max_age:
            return timedelta()
        scope = Scope(message.destination, message.tenant, message.problem_id)
        return PauseRepository(uow).paused_time(scope, first, now)

    def _call_hooks(
        self, uow: UnitOfWork, decided: Sequence[tuple[Sent, RetryDecision]], locked: set[int]
    ) -> bool:
        """Call the hooks of those whose problem is locked; return whether there were any."""
        with_problem = [each for each in decided if each[0].message.problem_id in locked]
        for sent, decision in with_problem:
            message, reply = sent.message, sent.reply
            with bind(**ids_of(message)):
                if reply.meaning is Meaning.NOT_FOUND:
                    self._to.on_not_found(uow, message, reply)
                if decision is Ending.DELIVERED:
                    self._to.on_delivered(uow, message, reply)
                if decision is Ending.LEFT_OUT:
                    self._to.on_left_out(uow, message, reply)
        return bool(with_problem)

    def _step(self, sent: Sent, decision: RetryDecision, rows: Mapping[int, LaneRow]) -> LaneStep:
        claim, failures = sent.lease.claim, rows[sent.message.lane_id].attempts
        if isinstance(decision, NotCounted):
            return LaneStep(claim, failures, decision.at, goes_on=False)
        if isinstance(decision, RetryAt):
            return LaneStep(claim, failures + 1, decision.at)
        return LaneStep(claim, parks=decision.dead and not self._to.pass_dead_letters)

    def _record_outcome(self, sent: Sent, decision: RetryDecision) -> None:
        """Log and count a completed attempt, and pass it to flow control; called once for each."""
        if decision is Ending.DELIVERED:
            self._last_delivered = self._clock.monotonic()
        self._flow_control.record_outcome(sent.lease.claim, sent.reply, decision)
        message, reply, outcome = sent.message, sent.reply, _outcome(decision)[1]
        self._to.on_completed(outcome)
        write = log.info if decision is Ending.DELIVERED else log.warning
        write(
            f"message.{outcome}",
            **ids_of(message),
            destination=self._to.name,
            number=message.number,
            kind=message.kind,
            attempt=message.attempts + 1,
            status=reply.status,
            # Our own text; a refusal's text is the receiver's, and may name people.
            cause=reply.detail if reply.meaning in (Meaning.FAILED, Meaning.NOT_SENT) else None,
            ms=sent.milliseconds,
        )

    def _complete_as_failed(self, sent: Sent, error: Exception, keep: bool) -> CompletionResult:
        """Complete an attempt as failed, after its answer could not be applied."""
        if isinstance(error, Fenced):
            log.warning("claim.lost", lane=sent.lease.claim.lane_id)
            return CompletionResult()
        with bind(**ids_of(sent.message)):
            log.error("answer.not-applied", error=type(error).__name__, exc_info=error)
        if sent.not_applied:
            # The lane becomes due when the lease ends; its message is then "unknown".
            return CompletionResult()
        # Without this, the message would be sent again at once, and for ever.
        detail = f"answer not applied: {type(error).__name__}"
        # The destination is not at fault, so this does not count against it.
        failed = Reply(Meaning.FAILED, detail, sent.reply.status, unknown=True, counts=False)
        return self.complete([replace(sent, reply=failed, not_applied=True)], keep=keep)

    def _still_leased(self, attempts: Sequence[Sent], why: str) -> list[Sent]:
        """Return the attempts whose lease lasts long enough to try again; log the others."""
        soon = self._clock.monotonic() + STORE_PAUSE
        for sent in attempts:
            if sent.lease.lease_ends <= soon:
                # The lane becomes due when the lease ends; its message is then "unknown".
                lane = sent.lease.claim.lane_id
                log.error("message.not-settled", lane=lane, error=why, **ids_of(sent.message))
        return [sent for sent in attempts if sent.lease.lease_ends > soon]

    def _others_succeed(self) -> bool:
        """Return whether the destination accepted a message within the longest retry wait."""
        if self._last_delivered is None:
            return False
        ago = self._clock.monotonic() - self._last_delivered
        return ago <= self._to.policy.waits[-1].total_seconds()


def _all(parts: Iterable[CompletionResult]) -> CompletionResult:
    whole = list(parts)
    return CompletionResult(
        [lease for part in whole for lease in part.following],
        [sent for part in whole for sent in part.again],
        max(part.pause for part in whole),
    )


def _next(claim: Claim, message: Message) -> Claim:
    """Return the claim with the next message of its lane, which has no failed attempt yet."""
    return replace(claim, message=message, attempts=0, was_due=None)


def _record(sent: Sent, decision: RetryDecision, now: datetime) -> AttemptRecord:
    reply, (state, outcome) = sent.reply, _outcome(decision)
    digest = _digest(sent.message) if state is MessageState.DELIVERED else None
    refusal = None
    if decision in (Ending.REFUSED, Ending.EXPIRED, Ending.LEFT_OUT):
        refusal = reply.refusal or {"status": reply.status, "detail": reply.reason}
    return AttemptRecord(
        sent.message,
        Attempt(now, outcome, reply.status, sent.milliseconds, reply.reason, unknown=reply.unknown),
        state,
        digest,
        refusal,
        counts=not isinstance(decision, NotCounted),
    )


def _outcome(decision: RetryDecision) -> tuple[MessageState, str]:
    """Return the message's new state, and the attempt's outcome as its log names it."""
    if isinstance(decision, Ending):
        return decision.value
    outcome = decision.outcome if isinstance(decision, NotCounted) else "later"
    return MessageState.QUEUED, outcome


def _digest(message: Message) -> str:
    """Return the SHA-256 digest of the bytes that were sent."""
    return f"sha256:{hashlib.sha256(message.body.encode()).hexdigest()}"
