"""Attempts that wait to be settled, and the one thread that sees to them.

Whoever brings the first attempt settles it, and all that are brought meanwhile are settled together
after that: one at a time while little is sent, many at once while much is.
"""

import threading
from collections.abc import Sequence

from supplier_api.clock import MachineClock
from supplier_api.delivery.model import Sent


class Batcher:
    """What several threads have brought; one of them at a time is in charge of it."""

    def __init__(self, clock: MachineClock) -> None:
        """Start with nothing to settle."""
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[Sent] = []
        # Which thread is in charge, and since when.
        self._charge: tuple[int, float] | None = None

    def bring(self, sent: Sent) -> bool:
        """Add an attempt; return whether the caller is now in charge, as nobody else was."""
        with self._lock:
            self._waiting.append(sent)
            if self._charge is not None:
                return False
            self._charge = self._me()
            return True

    def take(self) -> list[Sent]:
        """Take over what waits, and being in charge of it."""
        with self._lock:
            self._charge = self._me()
            waiting, self._waiting = self._waiting, []
            return waiting

    def leave(self, again: Sequence[Sent]) -> bool:
        """Put back what could not be settled; return whether somebody has to take what waits.

        If nothing does, or another has taken over, the caller is no longer in charge.
        """
        with self._lock:
            self._waiting[:0] = again
            mine = self._charge is not None and self._charge[0] == threading.get_ident()
            if mine and not self._waiting:
                self._charge = None
            return mine and bool(self._waiting)

    def deserted(self, patience: float) -> bool:
        """Tell whether who is in charge has been at it for `patience` seconds: it is stuck."""
        with self._lock:
            return self._charge is not None and self._clock.monotonic() - self._charge[1] > patience

    def _me(self) -> tuple[int, float]:
        return threading.get_ident(), self._clock.monotonic()
