"""Collects attempts that wait to be completed, and lets one thread at a time complete them.

The thread that adds the first attempt completes it; those added meanwhile are completed together
after it. So a batch is a single attempt at low load, and many at high load.
"""

import threading
from collections.abc import Sequence

from supplier_api.clock import MachineClock
from supplier_api.delivery.model import Sent


class Batcher:
    """Attempts added by several threads; one thread at a time is in charge of completing them."""

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
