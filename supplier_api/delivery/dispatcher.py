"""Claims lanes that are due and hands them to the threads of their destination."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable, UnitOfWork
from supplier_api.db.notify import WakeEvent
from supplier_api.delivery.batcher import Batcher
from supplier_api.delivery.executor import Executor
from supplier_api.delivery.flow_control import FlowControl
from supplier_api.delivery.loop import LOOK_EVERY, Loop
from supplier_api.delivery.model import Destination, Lease
from supplier_api.delivery.thread_pool import ThreadPool
from supplier_api.ids import Chance
from supplier_api.logging import get_logger
from supplier_api.outbox.model import Claim, Fenced
from supplier_api.outbox.pauses import PauseRepository
from supplier_api.outbox.repository import LaneRepository

# Lanes may be due that we cannot take now, locked by others or too many that failed before.
LOOK_AGAIN = 0.05  # seconds
# Lanes are claimed ahead of free threads only while a thread has come free so lately.
FLOWS = 1.0  # seconds
# How much of the work to come is held, where that is more than a lane for each thread.
AHEAD = 0.05  # seconds
MOST_AHEAD = 5  # lanes for each thread
PACE_OVER = 0.05  # seconds over which the pace is measured
log = get_logger(__name__)


class Settlement(Enum):
    """A thread's other job, beside sending: to settle what waits for it."""

    DUE = "due"


class Dispatcher:
    """Delivers to one destination, with threads of its own.

    Its threads send, and whoever has nobody before it settles what all of them have sent. Beside
    the lanes that are being sent it holds as many again, up to five times as many where they leave
    so fast that none waits long; and while no thread comes free, twice as many as are free. Lanes
    whose last attempt failed use at most a quarter of the threads: they may fail slowly again.
    """

    def __init__(
        self,
        destination: Destination,
        store: Store,
        clock: MachineClock,
        chance: Chance,
        wake_event: WakeEvent,
        owner: str,
        lease: float,
    ) -> None:
        """Prepare to deliver as `owner`, holding a lane for `lease` seconds at a time."""
        self._to = destination
        self._store = store
        self._clock = clock
        self._owner = owner
        self._lease = lease
        self._stopping = threading.Event()
        self._flow_control = FlowControl(
            destination.name, destination.rules, destination.policy, store, clock, chance, owner
        )
        self._executor = Executor(
            destination, store, clock, chance, lease, self._stopping, self._flow_control
        )
        self._batcher = Batcher(clock)
        self._wake_event = wake_event
        # Whether more lanes were due than we could claim.
        self._more = False
        # How many jobs were done by when, and how many lanes are held beside those being sent.
        self._done = 0, clock.monotonic()
        self._ahead = destination.threads
        self._threads: ThreadPool[Lease | Settlement] = ThreadPool(
            f"to-{destination.name}",
            destination.threads,
            self._work,
            self._thread_is_free,
            clock,
            patience=lease,
        )
        self._loop = Loop(f"dispatch-{destination.name}", self.turn, wake_event, clock)

    def start(self) -> None:
        """Begin to deliver."""
        self._loop.start()

    def give_back(self, seconds: float) -> None:
        """Claim nothing more, begin no further message, and give back the lanes not being sent.

        Waits up to `seconds` for a claim under way.
        """
        self._stopping.set()
        self._loop.stop(seconds)
        for job in self._threads.stop():
            if isinstance(job, Lease):
                self._give_back(job)
            else:
                self._settle()

    def finish(self, seconds: float) -> bool:
        """Wait up to `seconds` for what is being sent; return whether all of it is settled."""
        return self._threads.join(seconds)

    def healthy(self) -> bool:
        """Tell whether lanes are being looked after."""
        return self._loop.healthy()

    def turn(self) -> float:
        """Claim what is due, as far as there are threads; return seconds until the next look."""
        self._threads.replace_stuck()
        if self._batcher.deserted(self._lease):
            self._threads.hand([Settlement.DUE], first=True)
        limit, failed = self._room()
        left = 0.0
        if limit == 0 or not self._more or self._flow_control.stops():
            left = self._look()
        if limit == 0:
            return LOOK_EVERY
        if not self._flow_control.flows():
            return self._try_one()
        if left > 0:
            return left
        self._more = self._claim(limit, failed) == limit
        return LOOK_AGAIN if self._more else max(self._look(), LOOK_AGAIN)

    def _room(self) -> tuple[int, int]:
        """Return how many lanes to claim at most, and how many of them after a failure."""
        holds = [job for job in self._threads.in_hand() if isinstance(job, Lease)]
        flows = self._threads.moves(FLOWS)
        self._look_ahead()
        whole = self._to.threads + self._ahead
        limit = whole - len(holds) if flows else 2 * self._threads.free()
        quarter = max(1, self._to.threads // 4)
        failed = sum(1 for hold in holds if hold.claim.attempts > 0)
        return max(0, limit), max(0, quarter - failed)

    def _look_ahead(self) -> None:
        """Work out, from the pace of late, how many lanes to hold beside those being sent."""
        (done_before, then), now = self._done, self._clock.monotonic()
        if now - then < PACE_OVER:
            return
        self._done = self._threads.done, now
        soon = int(AHEAD * (self._threads.done - done_before) / (now - then))
        self._ahead = min(max(self._to.threads, soon), MOST_AHEAD * self._to.threads)

    def _look(self) -> float:
        """Learn what holds delivery up; return seconds until a lane is due that may be claimed.

        Lanes that are held up now, and that nobody has begun to send, are given back.
        """
        now = self._clock.now()

        def work(uow: UnitOfWork) -> datetime | None:
            self._flow_control.learn(PauseRepository(uow).active(now))
            return LaneRepository(uow).next_due(self._to.name, self._flow_control.held())

        due_at = self._store.read(work)
        if self._flow_control.stops():
            for job in self._threads.withdraw(self._is_held_up):
                assert isinstance(job, Lease)
                self._give_back(job)
        if due_at is None:
            return LOOK_EVERY
        return (due_at - self._clock.now()).total_seconds()

    def _claim(self, limit: int, failed: int) -> int:
        """Claim lanes and hand them to the threads; return how many."""
        now, ends = self._clock.now(), self._clock.monotonic() + self._lease

        def work(uow: UnitOfWork) -> list[Claim]:
            self._flow_control.learn(PauseRepository(uow).active(now))
            if not self._flow_control.flows():
                return []
            until, held = now + timedelta(seconds=self._lease), self._flow_control.held()
            return LaneRepository(uow).claim(
                self._to.name, self._owner, now, until, limit=limit, failed=failed, held=held
            )

        claims = self._store.write(work)
        self._hand([Lease(claim, ends) for claim in claims])
        return len(claims)

    def _try_one(self) -> float:
        """Claim the one lane that may be tried now, if any; return seconds until the next look."""
        self._more = False
        ends = self._clock.monotonic() + self._lease
        claim = self._flow_control.take_probe(timedelta(seconds=self._lease))
        if claim is None:
            # None: nobody knows. 0: there is nothing to try, or another worker tries it.
            return self._flow_control.until_next() or LOOK_EVERY
        self._hand([Lease(claim, ends)])
        return LOOK_EVERY

    def _is_held_up(self, job: Lease | Settlement) -> bool:
        return isinstance(job, Lease) and not self._executor.may_begin(job)

    def _thread_is_free(self) -> None:
        """Have more claimed in time: before the threads run out of work."""
        if self._threads.waiting() <= self._ahead // 4:
            self._wake_event.ring()

    def _work(self, job: Lease | Settlement) -> None:
        """Do a thread's job."""
        if isinstance(job, Lease):
            sent = self._executor.send(job)
            if sent is None or not self._batcher.bring(sent):
                return
        self._settle()

    def _settle(self) -> None:
        """Settle what waits. What is brought meanwhile is left to the next free thread."""
        more = True
        while more:
            settled = self._executor.completer.settle(self._batcher.take())
            self._hand(settled.following, first=True)
            if settled.pause:
                threading.Event().wait(settled.pause)
            more = self._batcher.leave(settled.again)
            if more and self._threads.hand([Settlement.DUE], first=True):
                return

    def _hand(self, holds: Sequence[Lease], *, first: bool = False) -> None:
        """Have the threads send, or give the lanes back if they begin nothing any more."""
        if not self._threads.hand(holds, first=first):
            for hold in holds:
                self._give_back(hold)

    def _give_back(self, hold: Lease) -> None:
        try:
            self._executor.give_back(hold)
        except (Fenced, StoreUnavailable) as error:
            log.warning("lane.not-given-back", error=type(error).__name__)
