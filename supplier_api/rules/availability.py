"""Tracks when a source of facts is down, and when it may be probed again."""

import threading
from dataclasses import dataclass
from datetime import datetime

from supplier_api.clock import MachineClock
from supplier_api.logging import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a source counts as down: after `failures` in a row, over at least `seconds`.

    While it is down it is probed once in `probe_every` seconds.
    """

    failures: int
    seconds: float
    probe_every: float


class SourceWatch:
    """Counts the failures of one source, in this process; safe for use by many threads."""

    def __init__(self, name: str, limits: Limits, clock: MachineClock) -> None:
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
