"""Things that go wrong on purpose, once, at a coming moment of a certain kind."""

import random
import threading


class Traps:
    """One trap at a time, for whichever part comes by: the next one, or one after it."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._set: str | None = None
        self._passes = 0
        # The part that was caught last.
        self.caught = ""

    def arm(self, trap: str, passes: int) -> None:
        """Set a trap that lets so many pass before it springs."""
        with self._lock:
            self._set, self._passes = trap, passes

    def sprung(self, part: str) -> str | None:
        """Return the trap that now springs at the part, and take it away."""
        with self._lock:
            if self._set is None or self._passes:
                self._passes -= self._set is not None
                return None
            trap, self._set, self.caught = self._set, None, part
            return trap


def lot(*about: object) -> random.Random:
    """Return where chance comes from for one matter, whatever else happens in the run."""
    return random.Random(":".join(str(each) for each in about))
