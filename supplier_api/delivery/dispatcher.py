"""Claims the lanes that are due and submits them to the thread pool of their destination."""

import threading
from collections.abc import Sequence
from datetime import datetime
from enum import Enum

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable, UnitOfWork
from supplier_api.db.notify import WakeEvent
from supplier_api.delivery.completer import Completer
from supplier_api.delivery.executor import Executor
from supplier_api.delivery.flow_control import FlowControl
from supplier_api.delivery.model import Destination, Lease, Sent, ids_of, lease_from_now
from supplier_api.delivery.threads import LOOK_EVERY, Loop, ThreadPool
from supplier_api.ids import IdSource
from supplier_api.logging import bind, get_logger
from supplier_api.outbox.model import Claim, Fenced
from supplier_api.outbox.pauses import PauseRepository
from supplier_api.outbox.repository import LaneRepository

# Some due lanes cannot be claimed now: other transactions lock them, or too many failed before.
LOOK_AGAIN = 0.05  # seconds
# Lanes are claimed ahead of free threads only if a job ended within this time.
ACTIVE_WITHIN = 1.0  # seconds
# Lanes are claimed for this much work ahead, where that is more than one lane for each thread.
PREFETCH = 0.05  # seconds
MAX_PREFETCH = 5  # lanes for each thread
# While lanes are sent fast, and enough of them wait, attempts are collected for so long: then
# fewer transactions complete them. Where answers are slow it would only keep a thread from sending.
COLLECT = 0.01  # seconds
RATE_WINDOW = 0.05  # seconds over which the rate of finished jobs is measured
log = get_logger(__name__)


class CompletionTask(Enum):
    """A thread's other job, beside sending: to complete the attempts that wait for it."""

    DUE = "due"


class Batcher:
    """Attempts added by several threads; one thread at a time is in charge of completing them.

    The thread that adds the first attempt completes it; those added meanwhile are completed
    together after it. So a batch is a single attempt at low load, and many at high load.
    """

    def __init__(self, clock: MachineClock) -> None:
        """Begin with no attempts."""
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[Sent] = []
        # Which thread is in charge, and since when.
        self._in_charge: tuple[int, float] | None = None

    def add(self, sent: Sent) -> bool:
        """Add an attempt; return whether the caller is now in charge because nobody was."""
        with self._lock:
            self._waiting.append(sent)
            if self._in_charge is not None:
                return False
            self._in_charge = self._this_thread()
            return True

    def take(self) -> list[Sent]:
        """Return the attempts that wait, and put the calling thread in charge."""
        with self._lock:
            self._in_charge = self._this_thread()
            waiting, self._waiting = self._waiting, []
            return waiting

    def finish(self, again: Sequence[Sent]) -> bool:
        """Put back the attempts `again`; return whether a thread has to take what waits.

        If nothing waits, or another thread has taken over, the caller is no longer in charge.
        """
        with self._lock:
            self._waiting[:0] = again
            mine = self._in_charge is not None and self._in_charge[0] == threading.get_ident()
            if mine and not self._waiting:
                self._in_charge = None
            return mine and bool(self._waiting)

    def is_stuck(self, patience: float) -> bool:
        """Return whether the thread in charge has been at it for over `patience` seconds."""
        with self._lock:
            return (
                self._in_charge is not None
                and self._clock.monotonic() - self._in_charge[1] > patience
            )

    def _this_thread(self) -> tuple[int, float]:
        return threading.get_ident(), self._clock.monotonic()


class Dispatcher:
    """Delivers to one destination, with threads of its own.

    The threads send, and one of them at a time completes the attempts of all. Beside the lanes
    that are being sent, the dispatcher leases one lane more for each thread; up to five for each
    while lanes are sent so fast that none waits long. While no job ends it claims only twice as
    many lanes as threads are free. Lanes whose last attempt failed use at most a quarter of the
    threads: they may fail slowly again.
    """

    def __init__(
        self,
        destination: Destination,
        store: Store,
        clock: MachineClock,
        id_source: IdSource,
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
        self._flow_control = FlowControl(destination, store, clock, id_source, owner)
        self._executor = Executor(destination, store, clock, lease)
        self._completer = Completer(destination, store, clock, id_source, lease, self._flow_control)
        self._batcher = Batcher(clock)
        self._wake_event = wake_event
        # Whether more lanes were due than we could claim.
        self._more = False
        # How many jobs were done by when, and how many lanes to claim beyond one for each thread.
        self._done = 0, clock.monotonic()
        self._prefetch = destination.threads
        self._threads: ThreadPool[Lease | CompletionTask] = ThreadPool(
            f"to-{destination.name}",
            destination.threads,
            self._work,
            self._on_thread_free,
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
                self._complete()

    def finish(self, seconds: float) -> bool:
        """Wait up to `seconds` for what is being sent; return whether all of it is completed."""
        return self._threads.join(seconds)

    def healthy(self) -> bool:
        """Return whether the loop that claims lanes runs and is not stuck."""
        return self._loop.healthy()

    def turn(self) -> float:
        """Claim due lanes while there is capacity; return the seconds until the next turn."""
        self._threads.replace_stuck()
        if self._batcher.is_stuck(self._lease):
            self._threads.submit([CompletionTask.DUE], first=True)
        limit, failed = self._capacity()
        left = 0.0
        if limit == 0 or not self._more or self._flow_control.has_pauses():
            left = self._refresh()
        if limit == 0:
            return LOOK_EVERY
        if not self._flow_control.may_claim():
            return self._claim_probe()
        if left > 0:
            return left
        self._more = self._claim(limit, failed) == limit
        return LOOK_AGAIN if self._more else max(self._refresh(), LOOK_AGAIN)

    def _capacity(self) -> tuple[int, int]:
        """Return how many lanes may be claimed, and how many of them may have failed before."""
        leases = [job for job in self._threads.jobs() if isinstance(job, Lease)]
        active = self._threads.active_within(ACTIVE_WITHIN)
        self._adjust_prefetch()
        whole = self._to.threads + self._prefetch
        limit = whole - len(leases) if active else 2 * self._threads.free()
        if active and not self._runs_out():
            # A few at a time would cost as many transactions; the threads wake us in time.
            limit = 0
        quarter = max(1, self._to.threads // 4)
        failed = sum(1 for lease in leases if lease.claim.attempts > 0)
        return max(0, limit), max(0, quarter - failed)

    def _adjust_prefetch(self) -> None:
        """Set how many lanes to claim ahead from the rate at which jobs ended lately."""
        (done_before, then), now = self._done, self._clock.monotonic()
        if now - then < RATE_WINDOW:
            return
        self._done = self._threads.done, now
        soon = int(PREFETCH * (self._threads.done - done_before) / (now - then))
        self._prefetch = min(max(self._to.threads, soon), MAX_PREFETCH * self._to.threads)

    def _refresh(self) -> float:
        """Read the pauses; return the seconds until a lane that may be claimed is due.

        Lanes that are paused now, and that no thread has begun to send, are given back.
        """
        now = self._clock.now()

        def work(uow: UnitOfWork) -> datetime | None:
            self._flow_control.update_pauses(PauseRepository(uow).active(now))
            return LaneRepository(uow).next_due(self._to.name, self._flow_control.held())

        due_at = self._store.read(work)
        if self._flow_control.has_pauses():
            for job in self._threads.withdraw(self._is_paused):
                assert isinstance(job, Lease)
                self._give_back(job)
        if due_at is None:
            return LOOK_EVERY
        return (due_at - self._clock.now()).total_seconds()

    def _claim(self, limit: int, failed: int) -> int:
        """Claim lanes and submit them to the threads; return how many."""
        now, (ends, until) = self._clock.now(), lease_from_now(self._clock, self._lease)

        def work(uow: UnitOfWork) -> list[Claim]:
            self._flow_control.update_pauses(PauseRepository(uow).active(now))
            if not self._flow_control.may_claim():
                return []
            held = self._flow_control.held()
            return LaneRepository(uow).claim(
                self._to.name, self._owner, now, until, limit=limit, failed=failed, held=held
            )

        claims = self._store.write(work)
        self._submit([Lease(claim, ends) for claim in claims])
        return len(claims)

    def _claim_probe(self) -> float:
        """Claim the lane for the breaker's probe, if one is due; return seconds until next turn."""
        self._more = False
        ends, until = lease_from_now(self._clock, self._lease)
        claim = self._flow_control.take_probe(until)
        if claim is None:
            # None: no end is known. 0: no lane can be the probe, or another worker sends it.
            return self._flow_control.until_next() or LOOK_EVERY
        self._submit([Lease(claim, ends)])
        return LOOK_EVERY

    def _is_paused(self, job: Lease | CompletionTask) -> bool:
        return isinstance(job, Lease) and not self._flow_control.may_send(job.claim)

    def _on_thread_free(self) -> None:
        """Wake the dispatcher before the threads run out of work."""
        if self._runs_out():
            self._wake_event.set()

    def _runs_out(self) -> bool:
        """Return whether the threads will soon have taken all lanes that wait for them."""
        return self._threads.waiting() <= self._prefetch // 4

    def _work(self, job: Lease | CompletionTask) -> None:
        """Do one job in a thread of the pool."""
        if isinstance(job, Lease):
            sent = self._send(job)
            if sent is None or not self._batcher.add(sent):
                return
        self._complete()

    def _send(self, lease: Lease) -> Sent | None:
        """Send the next message of a lane, or give it back if that has to wait."""
        if self._stopping.is_set() or not self._flow_control.may_send(lease.claim):
            self._give_back(lease)
            return None
        return self._executor.send(lease, probe=self._flow_control.is_probe(lease.claim))

    def _complete(self) -> None:
        """Complete the attempts that wait; those added meanwhile go to the next free thread."""
        more = True
        while more:
            if self._threads.waiting() >= self._to.threads < self._prefetch:
                self._stopping.wait(COLLECT)
            attempts, keep = self._batcher.take(), not self._stopping.is_set()
            result = self._completer.complete(attempts, keep=keep)
            self._submit(result.following, first=True)
            if result.pause:
                threading.Event().wait(result.pause)
            more = self._batcher.finish(result.again)
            if more and self._threads.submit([CompletionTask.DUE], first=True):
                return

    def _submit(self, leases: Sequence[Lease], *, first: bool = False) -> None:
        """Submit leases to the threads; give the lanes back if the pool is stopping."""
        if not self._threads.submit(leases, first=first):
            for lease in leases:
                self._give_back(lease)

    def _give_back(self, lease: Lease) -> None:
        """Release the lane with the messages left on it."""
        claim, now = lease.claim, self._clock.now()
        with bind(**ids_of(claim.message)):
            try:
                self._store.write(lambda uow: LaneRepository(uow).release(claim, now))
                self._flow_control.release_probe(claim)
            except Fenced:
                log.warning("claim.lost", lane=claim.lane_id)
            except StoreUnavailable as error:
                log.warning("lane.not-given-back", lane=claim.lane_id, error=str(error))
