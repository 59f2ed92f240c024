"""Things that go wrong on purpose, once, at the next moment of a certain kind."""

import random
import threading


class Traps:
    """Traps by the name of the part that they are set for."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._set: dict[str, str] = {}

    def arm(self, part: str, trap: str) -> None:
        """Set a trap for the part."""
        with self._lock:
            self._set[part] = trap

    def disarm(self, part: str) -> None:
        """Take the trap away, if it is still there."""
        with self._lock:
            self._set.pop(part, None)

    def sprung(self, part: str) -> str | None:
        """Return the trap of the part that now springs, and take it away."""
        with self._lock:
            return self._set.pop(part, None)

    def is_set(self, part: str) -> bool:
        """Tell whether the part's trap has still to spring."""
        with self._lock:
            return part in self._set


def lot(*about: object) -> random.Random:
    """Return where chance comes from for one matter, whatever else happens in the run."""
    return random.Random(":".join(str(each) for each in about))
