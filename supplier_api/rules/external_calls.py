"""Calls into a supplier's own code, which may be slow or down: an inventory, a rule in Python."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue
from typing import Any, TypeVar

from supplier_api.clock import MachineClock
from supplier_api.logging import get_logger

T = TypeVar("T")
PATIENCE = 30.0  # seconds of one call after which its thread is given up
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OutageLimits:
    """When a source counts as down: after `failures` in a row, over at least `seconds`.

    While it is down it is probed once in `probe_every` seconds.
    """

    failures: int
    seconds: float
    probe_every: float


class SourceWatch:
    """Counts the failures of one source, in this process; safe for use by many threads."""

    def __init__(self, name: str, limits: OutageLimits, clock: MachineClock) -> None:
        """Watch a source; it counts as up at first."""
        self._name = name
        self._limits = limits
        self._clock = clock
        self._counting = threading.Lock()
        self._failures = 0
        self._first = 0.0
        self._next_probe = 0.0
        # The instant at which it went down, while it is down.
        self.down_since: datetime | None = None

    @property
    def down(self) -> bool:
        """Whether the source counts as down."""
        return self.down_since is not None

    def may_ask(self) -> bool:
        """Return whether to ask now. While the source is down, True claims the due probe."""
        with self._counting:
            if not self.down:
                return True
            if self._clock.monotonic() < self._next_probe:
                return False
            self._next_probe = self._clock.monotonic() + self._limits.probe_every
            return True

    def seconds_until_probe(self) -> float:
        """Return the seconds until the next probe of a source that is down; 0 if it is up."""
        with self._counting:
            return max(0.0, self._next_probe - self._clock.monotonic()) if self.down else 0.0

    def answered(self) -> None:
        """Record that the source answered: it is up."""
        with self._counting:
            was_down, self.down_since, self._failures = self.down, None, 0
        if was_down:
            log.warning("source.back", source=self._name)

    def failed(self) -> None:
        """Record that the source failed, or did not answer within the time limit."""
        now = self._clock.monotonic()
        with self._counting:
            self._first = self._first if self._failures else now
            self._failures += 1
            lasts = now - self._first
            if self.down or self._failures < self._limits.failures or lasts < self._limits.seconds:
                return
            self.down_since = self._clock.now()
            self._next_probe = now + self._limits.probe_every
            failures = self._failures
        log.error("source.down", source=self._name, failures=failures, seconds=round(lasts))


class DaemonThreads:
    """A pool of daemon threads for calls with a time limit, started when first needed.

    A call that is late keeps its thread.

    A thread that is busy with one call for `PATIENCE` seconds is given up, as in delivery: it no
    longer counts, another replaces it, and it ends when the call returns. So that calls that hang
    for ever do not use up threads, once `most` are given up they are replaced one by one and ever
    more slowly (some three hundred after a day).
    """

    def __init__(self, name: str, most: int, clock: MachineClock) -> None:
        """Prepare for at most `most` concurrent calls."""
        self._name = name
        self._most = most
        self._clock = clock
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._changing = threading.Lock()
        self._started = 0
        self._active: set[int] = set()
        self._busy_since: dict[int, float] = {}
        self._given_up: set[int] = set()
        self._next_given_up = 0.0

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Queue the call. A future that `cancel()` accepts has not been started."""
        with self._changing:
            self._give_up_stuck()
            if len(self._active) < self._most:
                self._started += 1
                number, name = self._started, f"{self._name}-{self._started}"
                self._active.add(number)
                threading.Thread(target=self._run, args=(number,), name=name, daemon=True).start()
        future: Future[T] = Future()
        self._calls.put((future, call))
        return future

    def _give_up_stuck(self) -> None:
        """Give up threads that hang, as far as they may be replaced; the caller holds the lock."""
        now = self._clock.monotonic()
        stuck = [each for each, since in self._busy_since.items() if now - since > PATIENCE]
        for number in stuck:
            generations = len(self._given_up) // self._most
            if generations and now < self._next_given_up:
                return
            log.error("thread.given-up", crew=self._name, seconds=PATIENCE)
            del self._busy_since[number]
            self._active.discard(number)
            self._given_up.add(number)
            self._next_given_up = now + PATIENCE * (1 + generations)

    def _run(self, number: int) -> None:
        while True:
            future, call = self._calls.get()
            if not future.set_running_or_notify_cancel():
                continue
            with self._changing:
                self._busy_since[number] = self._clock.monotonic()
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller
                future.set_exception(error)
            del future, call
            with self._changing:
                self._busy_since.pop(number, None)
                if number in self._given_up:
                    self._given_up.discard(number)
                    return
