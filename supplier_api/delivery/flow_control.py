"""What holds delivery to a destination up as a whole, and what every outcome tells about that.

The standstills are rows, the same for all workers; each worker keeps what it last read of them, and
the window of the outcomes it has seen itself. The first worker whose window says so opens the
breaker for all.
"""

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable, UnitOfWork
from supplier_api.delivery.circuit_breaker import BreakerRules, CallOutcome, CallWindow
from supplier_api.delivery.pauses import Standstills, is_whole
from supplier_api.delivery.retry_policy import (
    Decision,
    Delivered,
    NotCounted,
    RefusedForGood,
    RetryPolicy,
    Withheld,
)
from supplier_api.delivery.transport import Meaning, Reply
from supplier_api.ids import Chance
from supplier_api.logging import get_logger
from supplier_api.outbox.backlog import BacklogQueries
from supplier_api.outbox.model import Claim, Message
from supplier_api.outbox.pauses import Cause, HeldUp, Pause, PauseRepository, Scope
from supplier_api.outbox.repository import LaneRepository

# How an attempt that does not count stands in the message's log.
PROBE = "probe"
HELD = "held"
DOOMED_KEPT = 500  # lanes
BATCH = 500  # lanes that are made due in one transaction
log = get_logger(__name__)


class FlowControl:
    """Says what of a destination may be sent now, and learns from what came of it.

    Used by the dispatcher's thread and by all that send.
    """

    def __init__(
        self,
        destination: str,
        rules: BreakerRules,
        policy: RetryPolicy,
        store: Store,
        clock: MachineClock,
        chance: Chance,
        owner: str,
    ) -> None:
        """Begin with nothing known; `owner` is the worker's name."""
        self._name = destination
        self._rules = rules
        self._policy = policy
        self._store = store
        self._clock = clock
        self._chance = chance
        self._owner = owner
        self._lock = threading.Lock()
        self._window = CallWindow(rules)
        # Lanes that were refused for good since the last success, by tenant if those stand apart.
        self._refused: dict[str, set[int]] = {}
        # How often a tenant was held up since its last success.
        self._holds: dict[str, int] = {}
        # Lanes that were refused, and of whom: of all lanes the last that are of use to try.
        self._doomed: dict[int, str] = {}
        self._standing = Standstills()
        # The claim that is tried while the breaker is open: its lane and number.
        self._probing: tuple[int, int] | None = None

    # What the dispatcher asks.

    def learn(self, pauses: Iterable[Pause]) -> None:
        """Take note of the standstills in force, as they were just read."""
        with self._lock:
            before, self._standing = self._standing, Standstills.of(self._name, pauses)
            after = self._standing
            begun = [p for p in after.pauses if p.id not in {known.id for known in before.pauses}]
            over = [p for p in before.pauses if p.id not in {known.id for known in after.pauses}]
            changed = [pause for pause in [*begun, *over] if pause.cause is not Cause.OPERATOR]
            for pause in changed:
                if pause in begun and pause.scope.tenant is not None:
                    self._holds[pause.scope.tenant] = self._holds.get(pause.scope.tenant, 0) + 1
            if any(map(is_whole, changed)):
                # What was seen until now tells nothing about the time after.
                self._window.clear()
                self._refused.clear()
        for pause in begun:
            log.warning(_BEGUN[pause.cause], destination=self._name, **_told(pause))
        for pause in over:
            log.info(_OVER[pause.cause], destination=self._name, **_told(pause))

    def flows(self) -> bool:
        """Tell whether anything at all may be claimed as usual."""
        standing, now = self._standing, self._clock.now()
        return standing.breaker() is None and standing.stopped(now) is None

    def stops(self) -> bool:
        """Tell whether anything is held up."""
        return bool(self._standing.pauses)

    def held(self) -> HeldUp:
        """Return which lanes may not be claimed while others may."""
        return self._standing.held(self._clock.now())

    def until_next(self) -> float | None:
        """Return the seconds until something may be claimed again; None if nobody knows."""
        now, standing = self._clock.now(), self._standing
        if stopped := standing.stopped(now):
            return (stopped.until - now).total_seconds() if stopped.until else None
        breaker = standing.breaker()
        if breaker is None or breaker.probe is None:
            return 0.0
        next_at = max(breaker.probe.at, breaker.probe.until or now)
        return max(0.0, (next_at - now).total_seconds())

    def take_probe(self, lease: timedelta) -> Claim | None:
        """Claim the one lane that may be tried now, if there is one and nobody else tries one."""
        now, breaker = self._clock.now(), self._standing.breaker()
        if breaker is None or breaker.probe is None or self.until_next() != 0:
            return None
        last, held, pause_id = breaker.probe.lane, self.held(), breaker.id
        doomed = dict(self._doomed)
        lane_id = self._store.read(
            lambda uow: BacklogQueries(uow).to_try(self._name, last, now, held, doomed)
        )
        if lane_id is None:
            return None

        def work(uow: UnitOfWork) -> Claim | None:
            until = now + lease
            claim = LaneRepository(uow).claim_one(lane_id, self._owner, now, until)
            if claim is None:
                return None
            if not PauseRepository(uow).take_probe(pause_id, lane_id, self._owner, now, until):
                LaneRepository(uow).release(claim, now)
                return None
            return claim

        claim = self._store.write(work)
        if claim:
            self._probing = claim.lane_id, claim.claim_no
        return claim

    # What is asked for each message.

    def lets(self, claim: Claim) -> bool:
        """Tell whether the claim's message may leave now."""
        standing = self._standing
        if not standing.pauses:
            return True
        breaker = standing.breaker()
        tried = breaker.id if breaker and self.tries(claim) else None
        return not standing.covers(claim.message, self._clock.now(), but=tried)

    def tries(self, claim: Claim) -> bool:
        """Tell whether the claim's message is the one that is tried while the breaker is open."""
        return self._probing == (claim.lane_id, claim.claim_no)

    def judged(
        self,
        uow: UnitOfWork,
        claim: Claim,
        reply: Reply,
        decision: Decision,
        now: datetime,
    ) -> Decision:
        """Return what becomes of the claim's message, in the light of all others.

        Called inside the transaction that settles it, which also stores a standstill that follows.
        It may run again.
        """
        on_purpose = isinstance(decision, Withheld) or reply.again_in is not None
        if isinstance(decision, Delivered) or on_purpose:
            return decision
        if isinstance(decision, RefusedForGood):
            self._note_doomed(claim)
        if self.tries(claim):
            return NotCounted(claim.was_due or now, PROBE)
        if self._standing.unwell(claim.message, now):
            return NotCounted(now, HELD)
        return self._after_failure(uow, claim.message, reply, decision, now) or decision

    def settled(self, claim: Claim, reply: Reply, decision: Decision) -> None:
        """Learn from what has become of a message, once that is stored."""
        if self.tries(claim):
            self._conclude(claim, reply, decision)
        elif isinstance(decision, NotCounted):
            if self._standing.unwell(claim.message, self._clock.now()) is None:
                self._look_again()
        elif reply.counts and _is_answer(reply, decision):
            with self._lock:
                self._window.note(claim.lane_id, CallOutcome.ANSWERED, self._clock.monotonic())
                if isinstance(decision, Delivered):
                    whose = self._whose(claim.message)
                    self._refused.pop(whose, None)
                    self._holds.pop(whose, None)
                    self._doomed.pop(claim.lane_id, None)

    def given_back(self, claim: Claim) -> None:
        """Let another worker try a lane, if this one was to be tried and was not."""
        breaker = self._standing.breaker()
        if not self.tries(claim) or breaker is None:
            return
        self._probing = None
        now = self._clock.now()
        self._store.write(
            lambda uow: PauseRepository(uow).end_probe(breaker.id, claim.lane_id, now, failed=False)
        )

    # How it is done.

    def _after_failure(
        self, uow: UnitOfWork, message: Message, reply: Reply, decision: Decision, now: datetime
    ) -> NotCounted | None:
        if not reply.counts:
            return None
        if reply.meaning is Meaning.TROUBLE:
            return self._after_trouble(uow, message, reply, now)
        if isinstance(decision, RefusedForGood):
            return self._after_refusal(uow, message, now)
        return None

    def _after_trouble(
        self, uow: UnitOfWork, message: Message, reply: Reply, now: datetime
    ) -> NotCounted | None:
        """Note a failure; begin a standstill if it is one too many."""
        put_off = _asks_for_time(reply)
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
            until = now + self._asked(reply)
            reason = f"asked to wait on {self._rules.lanes} problems ({reply.detail})"
            PauseRepository(uow).ask(
                self._name, reason=reason, who=self._owner, now=now, until=until
            )
            return NotCounted(until, HELD)
        return self._open(uow, str(rate), now) if opens else None

    def _after_refusal(self, uow: UnitOfWork, message: Message, now: datetime) -> NotCounted | None:
        """Note a refusal for good; open the breaker rather than park one lane after the other."""
        whose = self._whose(message)
        with self._lock:
            refused = self._refused.setdefault(whose, set())
            refused.add(message.lane_id)
            holds = self._holds.get(whose, 0)
        if len(refused) < self._rules.lanes:
            return None
        reason = f"{self._rules.lanes} problems in a row were refused for good"
        if not self._rules.tenants_apart:
            return self._open(uow, reason, now)
        scope, wait = Scope(self._name, whose), self._rules.probe_wait(holds)
        until = now + timedelta(seconds=wait)
        PauseRepository(uow).hold_tenant(
            scope, reason=reason, who=self._owner, now=now, until=until
        )
        return NotCounted(now, HELD)

    def _whose(self, message: Message) -> str:
        """Return by what name refusals are counted together."""
        return message.tenant if self._rules.tenants_apart else ""

    def _note_doomed(self, claim: Claim) -> None:
        with self._lock:
            self._doomed[claim.lane_id] = claim.message.tenant
            while len(self._doomed) > DOOMED_KEPT:
                del self._doomed[next(iter(self._doomed))]

    def _open(self, uow: UnitOfWork, reason: str, now: datetime) -> NotCounted:
        probe_at = now + timedelta(seconds=self._rules.probe_wait(0))
        PauseRepository(uow).open_breaker(
            self._name, reason=reason, who=self._owner, now=now, probe_at=probe_at
        )
        return NotCounted(now, HELD)

    def _asked(self, reply: Reply) -> timedelta:
        """Return for how long the destination asked us to wait, within reason."""
        if reply.retry_after is None:
            return self._policy.wait_after(1)
        return min(timedelta(seconds=reply.retry_after), self._policy.retry_after_max)

    def _conclude(self, claim: Claim, reply: Reply, decision: Decision) -> None:
        """Close the breaker if the lane that was tried was taken; else try another later.

        Without a database, the right to try ends with the lane's lease instead.
        """
        breaker = self._standing.breaker()
        self._probing = None
        if breaker is None or breaker.probe is None:
            return
        try:
            if isinstance(decision, Delivered) and reply.counts:
                self._close(breaker)
            else:
                failed = reply.counts and isinstance(decision, NotCounted)
                self._try_later(breaker, claim, breaker.probe.failed + 1 if failed else 0)
        except StoreUnavailable as error:
            log.warning("probe.not-stored", destination=self._name, error=str(error))
        self._look_again()

    def _try_later(self, breaker: Pause, claim: Claim, failed: int) -> None:
        wait = self._rules.probe_wait(failed)
        next_at = self._clock.now() + timedelta(seconds=wait)
        log.warning("breaker.probe-failed", destination=self._name, next_in=wait)
        self._store.write(
            lambda uow: PauseRepository(uow).end_probe(
                breaker.id, claim.lane_id, next_at, failed=failed > 0
            )
        )

    def _close(self, breaker: Pause) -> None:
        """Make due what waits after failures, spread over a time, and only then close."""
        now, spread = self._clock.now(), self._rules.spread
        beyond = now + timedelta(seconds=spread)

        def moment() -> datetime:
            return now + timedelta(seconds=self._chance.jitter(spread))

        def batch(uow: UnitOfWork) -> int:
            return BacklogQueries(uow).bring_forward(Scope(self._name), beyond, moment, BATCH)

        while self._store.write(batch) == BATCH:
            pass
        self._store.write(lambda uow: PauseRepository(uow).end(breaker.id, now))

    def _look_again(self) -> None:
        """Read the standstills at once, instead of at the dispatcher's next turn."""
        try:
            now = self._clock.now()
            self.learn(self._store.read(lambda uow: PauseRepository(uow).active(now)))
        except StoreUnavailable as error:
            log.warning("traffic.not-read", destination=self._name, error=str(error))


_BEGUN = {
    Cause.OPERATOR: "delivery.paused",
    Cause.BREAKER: "breaker.opened",
    Cause.ASKED: "delivery.put-off",
}
_OVER = {
    Cause.OPERATOR: "delivery.resumed",
    Cause.BREAKER: "breaker.closed",
    Cause.ASKED: "delivery.goes-on",
}


def _told(pause: Pause) -> dict[str, str | None]:
    """Return what is logged of a standstill: not an operator's own words."""
    return {
        "who": pause.who,
        "tenant": pause.scope.tenant,
        "reference": pause.reference,
        "reason": None if pause.cause is Cause.OPERATOR else pause.reason,
    }


def _asks_for_time(reply: Reply) -> bool:
    return reply.status == 429 or (reply.status == 503 and reply.retry_after is not None)


def _is_answer(reply: Reply, decision: Decision) -> bool:
    """Tell whether the destination is at work, whatever it thinks of the message."""
    return isinstance(decision, Delivered) or reply.meaning is not Meaning.TROUBLE
