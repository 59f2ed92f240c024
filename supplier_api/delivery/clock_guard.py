"""Detects that the host's clock was set forward or back, where stored times use it (SQLite).

Waits and leases are stored as instants of that clock. When it is set back, all of them would last
longer by the step, so they are moved back too. When it jumps forward they end early: a message may
be sent once more, and a worker that lost a lane can write nothing.
"""

from datetime import timedelta

from supplier_api.clock import MachineClock
from supplier_api.db import Store, UnitOfWork
from supplier_api.logging import get_logger
from supplier_api.outbox.clock_steps import ClockSteps

TOLERATED = timedelta(seconds=5)
LOOK_EVERY = 5.0  # seconds
log = get_logger(__name__)


class ClockGuard:
    """Compares the host's clock with its monotonic one, at every turn of the scheduler."""

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
