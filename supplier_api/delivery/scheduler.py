"""Runs what is due at a time: the timers of problems, the search for forgotten lanes, chores.

The rows in the database say what is due; this loop only reads them. It needs no scheduling library:
it sleeps until the next due time or the next commit, which such a library cannot do.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable, UnitOfWork
from supplier_api.db.notify import WakeEvent
from supplier_api.delivery.threads import LOOK_EVERY, Loop
from supplier_api.logging import get_logger
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.timer_repository import ClockSteps

BATCH = 100
# Timers may be due that cannot run now: others of their problem come first.
LOOK_AGAIN = 0.01  # seconds
# What others commit may have set a timer that is due at once; under load somebody always commits.
REST = 0.2  # seconds
# A chore that fails is tried again after this time, or sooner if it was the database that failed;
# the timers and the other chores go on meanwhile.
AFTER_FAILURE = 60.0  # seconds
AFTER_NO_DATABASE = 1.0
TOLERATED = timedelta(seconds=5)  # between the host's clock and its monotonic one
log = get_logger(__name__)


class TimerSource(Protocol):
    """The timers of problems, which run at a business time."""

    def run_due(self, limit: int, go_on: Callable[[], bool]) -> int:
        """Run up to `limit` due timers, and return how many were examined.

        `go_on` is called after each; it returns False when no further one is to be run.
        """

    def next_due(self) -> datetime | None:
        """Return the machine time at which the earliest timer becomes due."""


class Chore(Protocol):
    """Work that is done from time to time, a little at each turn."""

    def turn(self) -> float:
        """Do what is due; return how many seconds later something is due again."""


class Scheduler:
    """One loop over the timers, the sweep for forgotten lanes, and other chores."""

    def __init__(
        self,
        timers: TimerSource,
        store: Store,
        clock: MachineClock,
        wake_event: WakeEvent,
        sweep_every: float,
        chores: Sequence[Chore] = (),
    ) -> None:
        """Prepare to run `timers` and `chores`, and to sweep every `sweep_every` seconds."""
        self._timers = timers
        sweep = _Sweep(store, clock, sweep_every)
        self._chores = [_Guarded(chore, clock) for chore in (sweep, *chores)]
        self._clock = clock
        self._loop = Loop("scheduler", self.turn, wake_event, clock, REST)

    def start(self) -> None:
        """Begin to run what becomes due."""
        self._loop.start()

    def stop(self, seconds: float) -> None:
        """Run nothing more; returns when what is running is done, or after `seconds`."""
        self._loop.stop(seconds)

    def healthy(self) -> bool:
        """Return whether the loop runs and is not stuck."""
        return self._loop.healthy()

    def turn(self) -> float:
        """Run what is due; return how many seconds later something is due again."""
        until_chore = min(chore.turn() for chore in self._chores)
        if self._timers.run_due(BATCH, self._loop.go_on):
            return 0.0
        return max(LOOK_AGAIN, min(until_chore, self._seconds_until_due()))

    def _seconds_until_due(self) -> float:
        due_at = self._timers.next_due()
        if due_at is None:
            return LOOK_EVERY
        return (due_at - self._clock.now()).total_seconds()


class _Guarded:
    """A chore whose failure does not stop the others."""

    def __init__(self, chore: Chore, clock: MachineClock) -> None:
        self._chore = chore
        self._clock = clock
        self._blocked_until = float("-inf")

    def turn(self) -> float:
        """Do what is due; after a failure, wait before the next try."""
        rest = self._blocked_until - self._clock.monotonic()
        if rest > 0:
            return rest
        name = type(self._chore).__name__.lstrip("_").lower()
        try:
            return self._chore.turn()
        except StoreUnavailable as error:
            rest = AFTER_NO_DATABASE
            log.warning("chore.no-database", chore=name, error=str(error))
        except Exception as error:
            rest = AFTER_FAILURE
            log.error("chore.failed", chore=name, error=type(error).__name__, exc_info=True)
        self._blocked_until = self._clock.monotonic() + rest
        return rest


class _Sweep:
    """Searches for lanes that have queued messages but no due time."""

    def __init__(self, store: Store, clock: MachineClock, every: float) -> None:
        self._store = store
        self._clock = clock
        self._every = every
        self._next = clock.monotonic()

    def turn(self) -> float:
        """Search if it is time; return how many seconds later it is again."""
        if self._clock.monotonic() >= self._next:
            self._sweep()
            self._next = self._clock.monotonic() + self._every
        return self._next - self._clock.monotonic()

    def _sweep(self) -> None:
        now = self._clock.now()
        for lane_id in self._store.write(lambda uow: LaneRepository(uow).sweep(now)):
            log.error("lane.forgotten", lane=lane_id)


class ClockGuard:
    """Detects that the host's clock was set forward or back, where stored times use it (SQLite).

    Waits and leases are stored as instants of that clock. When it is set back, all of them would
    last longer by the step, so they are moved back too. When it jumps forward they end early: a
    message may be sent once more, and a worker that lost a lane can write nothing. The host's clock
    is compared with its monotonic one at every turn of the scheduler.
    """

    def __init__(self, store: Store, clock: MachineClock, owner: str) -> None:
        """Guard the times in `store`, as the worker `owner`, from now on."""
        self._store = store
        self._clock = clock
        self._owner = owner
        self._base, self._at = clock.now(), clock.monotonic()
        self._last = store.read(lambda uow: ClockSteps(uow).last())

    def turn(self) -> float:
        """Compare the clocks once; return after how many seconds to do so again."""
        step = self._step()
        if step > TOLERATED:
            log.warning("clock.jumped-forward", seconds=step.total_seconds())
            self._begin_anew()
        elif step < -TOLERATED:
            self._bring_back(-step)
        return LOOK_EVERY

    def _step(self) -> timedelta:
        """Return by how much the clock is ahead of where it should be."""
        passed = timedelta(seconds=self._clock.monotonic() - self._at)
        return self._clock.now() - self._base - passed

    def _bring_back(self, fell: timedelta) -> None:
        def work(uow: UnitOfWork) -> timedelta:
            steps = ClockSteps(uow)
            # Another worker of this host may have seen it first.
            left = fell - steps.since(self._last)
            if left > TOLERATED:
                steps.bring_back(left, self._owner, self._clock.now())
            return left

        left = self._store.write(work)
        log.error("clock.fell", seconds=fell.total_seconds(), brought_back=left > TOLERATED)
        self._begin_anew()

    def _begin_anew(self) -> None:
        last = self._store.read(lambda uow: ClockSteps(uow).last())
        self._base, self._at, self._last = self._clock.now(), self._clock.monotonic(), last
