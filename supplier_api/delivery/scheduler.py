"""Runs what is due at a time: the desk's timers, and the search for forgotten lanes.

The rows in the database say what is due; this loop only looks. It needs no scheduling library: it
already sleeps until the next due time or the next commit, which such a library cannot do.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from supplier_api.clock import MachineClock
from supplier_api.delivery.loop import LOOK_EVERY, Loop
from supplier_api.observability import get_logger
from supplier_api.store import Store
from supplier_api.store.wakeup import Bell

BATCH = 100
# Timers may be due that cannot run now: others of their problem come first.
LOOK_AGAIN = 0.01  # seconds
log = get_logger(__name__)


class Timers(Protocol):
    """What the desk does at a business time."""

    def run_due(self, limit: int) -> int:
        """Run up to `limit` due timers, and return how many were looked at."""

    def next_due(self) -> datetime | None:
        """Return the machine time at which the earliest timer becomes due."""


class Chore(Protocol):
    """Something that is done now and then, a little at a time."""

    def turn(self) -> float:
        """Do what is due; return how many seconds later something is due again."""


class Scheduler:
    """One loop over the timers, the sweep, and other chores."""

    def __init__(
        self,
        timers: Timers,
        store: Store,
        clock: MachineClock,
        bell: Bell,
        sweep_every: float,
        chores: Sequence[Chore] = (),
    ) -> None:
        """Prepare to run `timers` and `chores`, and to sweep every `sweep_every` seconds."""
        self._timers = timers
        self._chores = chores
        self._store = store
        self._clock = clock
        self._sweep_every = sweep_every
        self._next_sweep = clock.monotonic()
        self._loop = Loop("scheduler", self.turn, bell, clock)

    def start(self) -> None:
        """Begin to run what becomes due."""
        self._loop.start()

    def stop(self, seconds: float) -> None:
        """Run nothing more; returns when what is running is done, or after `seconds`."""
        self._loop.stop(seconds)

    def healthy(self) -> bool:
        """Tell whether timers are being looked after."""
        return self._loop.healthy()

    def turn(self) -> float:
        """Run what is due; return how many seconds later something is due again."""
        if self._clock.monotonic() >= self._next_sweep:
            self._sweep()
            self._next_sweep = self._clock.monotonic() + self._sweep_every
        until_chore = min((chore.turn() for chore in self._chores), default=LOOK_EVERY)
        if self._timers.run_due(BATCH):
            return 0.0
        until_sweep = self._next_sweep - self._clock.monotonic()
        return max(LOOK_AGAIN, min(until_chore, until_sweep, self._seconds_until_due()))

    def _seconds_until_due(self) -> float:
        due_at = self._timers.next_due()
        if due_at is None:
            return LOOK_EVERY
        return (due_at - self._clock.now()).total_seconds()

    def _sweep(self) -> None:
        now = self._clock.now()
        for lane_id in self._store.write(lambda uow: uow.lanes.sweep(now)):
            log.error("lane.forgotten", lane=lane_id)
