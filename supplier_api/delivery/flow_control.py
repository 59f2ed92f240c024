"""Decides what may be sent to a destination now, from the pauses and from the outcomes of calls.

The pauses are rows, the same for all workers; each worker keeps what it last read of them, and a
window of the outcomes it has seen itself. The first worker whose window says so opens the breaker
for all.
"""

import threading
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable, UnitOfWork
from supplier_api.delivery.circuit_breaker import CallOutcome, CallWindow
from supplier_api.delivery.model import Destination, Meaning, Reply
from supplier_api.delivery.retry_policy import (
    Ending,
    NotCounted,
    RetryDecision,
)
from supplier_api.ids import IdSource
from supplier_api.logging import get_logger
from supplier_api.outbox.model import Claim, Message
from supplier_api.outbox.pauses import (
    ActivePauses,
    HeldUp,
    Pause,
    PauseCause,
    PauseRepository,
    Scope,
)
from supplier_api.outbox.repository import LaneRepository

# The outcomes by which a message's log names attempts that do not count.
PROBE = "probe"
HELD = "held"
LAST_REFUSED_KEPT = 500  # lanes
BATCH = 500  # lanes that are made due in one transaction
log = get_logger(__name__)


class FlowControl:
    """Decides what may be sent to a destination now, and learns from the outcomes.

    Used by the dispatcher's thread and by all threads that send.
    """

    def __init__(
        self,
        destination: Destination,
        store: Store,
        clock: MachineClock,
        id_source: IdSource,
        owner: str,
    ) -> None:
        """Begin with no pauses and no outcomes; `owner` is the worker's name."""
        self._name = destination.name
        self._rules = destination.rules
        self._policy = destination.policy
        self._store = store
        self._clock = clock
        self._id_source = id_source
        self._owner = owner
        self._lock = threading.Lock()
        self._window = CallWindow(destination.rules)
        # Lanes refused for good since the last success, by tenant if tenants are counted apart.
        self._refused: dict[str, set[int]] = {}
        # How often a tenant was paused since its last success.
        self._tenant_holds: Counter[str] = Counter()
        # Lanes that were refused, with their tenants: the least useful ones to probe.
        self._last_refused: dict[int, str] = {}
        self._active = ActivePauses()
        # The claim that is the probe of the open breaker: its lane and number.
        self._probing: tuple[int, int] | None = None

    # Called by the dispatcher.

    def update_pauses(self, pauses: Iterable[Pause]) -> None:
        """Replace the pauses in force by `pauses`, as they were just read, and log the changes."""
        with self._lock:
            before, self._active = self._active, ActivePauses.of(self._name, pauses)
            old, new = ({pause.id for pause in each.pauses} for each in (before, self._active))
            begun = [pause for pause in self._active.pauses if pause.id not in old]
            over = [pause for pause in before.pauses if pause.id not in new]
            own = [pause for pause in [*begun, *over] if pause.cause is not PauseCause.OPERATOR]
            self._tenant_holds.update(p.scope.tenant for p in own if p.scope.tenant and p in begun)
            if any(pause.is_whole for pause in own):
                # The outcomes seen until now say nothing about the time after.
                self._window.clear()
                self._refused.clear()
        for pause in begun:
            log.warning(_BEGUN[pause.cause], destination=self._name, **_log_fields(pause))
        for pause in over:
            log.info(_OVER[pause.cause], destination=self._name, **_log_fields(pause))

    def may_claim(self) -> bool:
        """Return whether lanes may be claimed as usual: no pause of the whole, no open breaker."""
        active, now = self._active, self._clock.now()
        return active.breaker() is None and active.stopped(now) is None

    def has_pauses(self) -> bool:
        """Return whether any pause touches the destination."""
        return bool(self._active.pauses)

    def held(self) -> HeldUp:
        """Return which lanes may not be claimed while others may."""
        return self._active.held(self._clock.now())

    def until_next(self) -> float | None:
        """Return the seconds until a lane may be claimed again; None if no end is known."""
        now, active = self._clock.now(), self._active
        if stopped := active.stopped(now):
            return (stopped.until - now).total_seconds() if stopped.until else None
        breaker = active.breaker()
        if breaker is None or breaker.probe is None:
            return 0.0
        next_at = max(breaker.probe.at, breaker.probe.until or now)
        return max(0.0, (next_at - now).total_seconds())

    def take_probe(self, until: datetime) -> Claim | None:
        """Claim the lane for the breaker's probe, if one is due and no other worker sends one.

        The lease lasts until `until`.
        """
        now, breaker = self._clock.now(), self._active.breaker()
        if breaker is None or breaker.probe is None or self.until_next() != 0:
            return None
        last, held, pause_id = breaker.probe.lane, self.held(), breaker.id
        refused = dict(self._last_refused)

        def work(uow: UnitOfWork) -> Claim | None:
            claim = LaneRepository(uow).claim_probe(
                self._name, self._owner, now, until, after=last, held=held, refused=refused
            )
            if claim is None:
                return None
            pauses, lane_id = PauseRepository(uow), claim.lane_id
            if pauses.take_probe(pause_id, lane_id, self._owner, now, until):
                return claim
            LaneRepository(uow).release(claim, now)
            return None

        claim = self._store.write(work)
        if claim:
            self._probing = claim.lane_id, claim.claim_no
        return claim

    # Called for each message.

    def may_send(self, claim: Claim) -> bool:
        """Return whether the claim's message may be sent now."""
        active = self._active
        if not active.pauses:
            return True
        breaker = active.breaker()
        tried = breaker.id if breaker and self.is_probe(claim) else None
        return not active.covers(claim.message, self._clock.now(), but=tried)

    def is_probe(self, claim: Claim) -> bool:
        """Return whether the claim's message is the probe of the open breaker."""
        return self._probing == (claim.lane_id, claim.claim_no)

    def adjust(
        self,
        uow: UnitOfWork,
        claim: Claim,
        reply: Reply,
        decision: RetryDecision,
        now: datetime,
    ) -> RetryDecision:
        """Return the decision on the claim's message, in the light of all other outcomes.

        Called inside the transaction that completes the attempt, which also stores a pause that
        follows from it. It may run again.
        """
        if decision is Ending.DELIVERED or reply.meaning is Meaning.NOT_SENT:
            return decision
        if decision is Ending.REFUSED:
            self._note_refused(claim)
        if self.is_probe(claim):
            return NotCounted(claim.was_due or now, PROBE)
        if self._active.failure_pause(claim.message, now):
            return NotCounted(now, HELD)
        return self._after_failure(uow, claim.message, reply, decision, now) or decision

    def record_outcome(self, claim: Claim, reply: Reply, decision: RetryDecision) -> None:
        """Learn from the outcome of a message, once that is stored."""
        if self.is_probe(claim):
            self._finish_probe(claim, reply, decision)
        elif isinstance(decision, NotCounted):
            if self._active.failure_pause(claim.message, self._clock.now()) is None:
                self._refresh_pauses()
        elif reply.counts and _is_answer(reply, decision):
            with self._lock:
                self._window.note(claim.lane_id, CallOutcome.ANSWERED, self._clock.monotonic())
                if decision is Ending.DELIVERED:
                    key = self._refusal_key(claim.message)
                    self._refused.pop(key, None)
                    self._tenant_holds.pop(key, None)
                    self._last_refused.pop(claim.lane_id, None)

    def release_probe(self, claim: Claim) -> None:
        """Let another worker send the probe, if this claim was the probe and was not sent."""
        breaker = self._active.breaker()
        if not self.is_probe(claim) or breaker is None:
            return
        self._probing = None
        now = self._clock.now()
        self._store.write(
            lambda uow: PauseRepository(uow).end_probe(breaker.id, claim.lane_id, now, failed=False)
        )

    # Internal steps.

    def _after_failure(
        self,
        uow: UnitOfWork,
        message: Message,
        reply: Reply,
        decision: RetryDecision,
        now: datetime,
    ) -> NotCounted | None:
        if not reply.counts:
            return None
        if reply.meaning is Meaning.FAILED:
            return self._after_failed_call(uow, message, reply, now)
        if decision is Ending.REFUSED:
            return self._after_refusal(uow, message, now)
        return None

    def _after_failed_call(
        self, uow: UnitOfWork, message: Message, reply: Reply, now: datetime
    ) -> NotCounted | None:
        """Note a failed call; begin a pause if it is one too many."""
        put_off = _asks_to_wait(reply)
        with self._lock:
            outcome = CallOutcome.PUT_OFF if put_off else CallOutcome.FAILED
            self._window.note(message.lane_id, outcome, self._clock.monotonic())
            rate, warning = self._window.rate(), self._window.warning()
            waits = put_off and self._window.put_off() >= self._rules.lanes
            opens = self._window.opens()
        if warning is not None:
            log.warning(
                "breaker.warning",
                destination=self._name,
                share=warning,
                failing=rate.failing,
                lanes=rate.lanes,
            )
        if waits:
            until = now + self._requested_wait(reply)
            reason = f"asked to wait on {self._rules.lanes} problems ({reply.detail})"
            PauseRepository(uow).begin_or_prolong(
                PauseCause.ASKED,
                Scope(self._name),
                reason=reason,
                who=self._owner,
                now=now,
                until=until,
            )
            return NotCounted(until, HELD)
        return self._open(uow, str(rate), now) if opens else None

    def _after_refusal(self, uow: UnitOfWork, message: Message, now: datetime) -> NotCounted | None:
        """Note a refusal for good; open the breaker rather than park one lane after the other."""
        key = self._refusal_key(message)
        with self._lock:
            refused = self._refused.setdefault(key, set())
            refused.add(message.lane_id)
            holds = self._tenant_holds[key]
        if len(refused) < self._rules.lanes:
            return None
        reason = f"{self._rules.lanes} problems in a row were refused for good"
        if not self._rules.tenants_apart:
            return self._open(uow, reason, now)
        scope, wait = Scope(self._name, key), self._rules.probe_wait(holds)
        until = now + timedelta(seconds=wait)
        PauseRepository(uow).begin_or_prolong(
            PauseCause.BREAKER, scope, reason=reason, who=self._owner, now=now, until=until
        )
        return NotCounted(now, HELD)

    def _refusal_key(self, message: Message) -> str:
        """Return the key by which refusals are counted together."""
        return message.tenant if self._rules.tenants_apart else ""

    def _note_refused(self, claim: Claim) -> None:
        with self._lock:
            self._last_refused[claim.lane_id] = claim.message.tenant
            while len(self._last_refused) > LAST_REFUSED_KEPT:
                del self._last_refused[next(iter(self._last_refused))]

    def _open(self, uow: UnitOfWork, reason: str, now: datetime) -> NotCounted:
        probe_at = now + timedelta(seconds=self._rules.probe_wait(0))
        PauseRepository(uow).open_breaker(
            self._name, reason=reason, who=self._owner, now=now, probe_at=probe_at
        )
        return NotCounted(now, HELD)

    def _requested_wait(self, reply: Reply) -> timedelta:
        """Return how long the destination asked us to wait, up to the policy's maximum."""
        if reply.retry_after is None:
            return self._policy.wait_after(1)
        return min(timedelta(seconds=reply.retry_after), self._policy.retry_after_max)

    def _finish_probe(self, claim: Claim, reply: Reply, decision: RetryDecision) -> None:
        """Close the breaker if the probe was delivered; else schedule another.

        Without a database, the right to send the probe ends with the lane's lease instead.
        """
        breaker = self._active.breaker()
        self._probing = None
        if breaker is None or breaker.probe is None:
            return
        try:
            if decision is Ending.DELIVERED and reply.counts:
                self._close(breaker)
            else:
                failed = reply.counts and isinstance(decision, NotCounted)
                self._schedule_probe(breaker, claim, breaker.probe.failed + 1 if failed else 0)
        except StoreUnavailable as error:
            log.warning("probe.not-stored", destination=self._name, error=str(error))
        self._refresh_pauses()

    def _schedule_probe(self, breaker: Pause, claim: Claim, failed: int) -> None:
        wait = self._rules.probe_wait(failed)
        next_at = self._clock.now() + timedelta(seconds=wait)
        log.warning("breaker.probe-failed", destination=self._name, next_in=wait)
        self._store.write(
            lambda uow: PauseRepository(uow).end_probe(
                breaker.id, claim.lane_id, next_at, failed=failed > 0
            )
        )

    def _close(self, breaker: Pause) -> None:
        """Make lanes due that wait after failures, spread over a time, and only then close."""
        now, spread = self._clock.now(), self._rules.spread
        beyond = now + timedelta(seconds=spread)

        def moment() -> datetime:
            return now + timedelta(seconds=self._id_source.jitter(spread))

        def batch(uow: UnitOfWork) -> int:
            return LaneRepository(uow).bring_forward(Scope(self._name), beyond, moment, BATCH)

        while self._store.write(batch) == BATCH:
            pass
        self._store.write(lambda uow: PauseRepository(uow).end(breaker.id, now))

    def _refresh_pauses(self) -> None:
        """Read the pauses at once, instead of at the dispatcher's next turn."""
        try:
            now = self._clock.now()
            self.update_pauses(self._store.read(lambda uow: PauseRepository(uow).active(now)))
        except StoreUnavailable as error:
            log.warning("pauses.not-read", destination=self._name, error=str(error))


_BEGUN = {
    PauseCause.OPERATOR: "delivery.paused",
    PauseCause.BREAKER: "breaker.opened",
    PauseCause.ASKED: "delivery.put-off",
}
_OVER = {
    PauseCause.OPERATOR: "delivery.resumed",
    PauseCause.BREAKER: "breaker.closed",
    PauseCause.ASKED: "delivery.goes-on",
}


def _log_fields(pause: Pause) -> dict[str, str | None]:
    """Return the fields logged of a pause: not an operator's own text."""
    return {
        "who": pause.who,
        "tenant": pause.scope.tenant,
        "reference": pause.reference,
        "reason": None if pause.cause is PauseCause.OPERATOR else pause.reason,
    }


def _asks_to_wait(reply: Reply) -> bool:
    """Return whether the destination asked for time; an adapter without HTTP has no status."""
    return reply.status == 429 or (reply.status in (503, None) and reply.retry_after is not None)


def _is_answer(reply: Reply, decision: RetryDecision) -> bool:
    """Return whether the destination works, whatever it answered to the message."""
    return decision is Ending.DELIVERED or reply.meaning is not Meaning.FAILED
