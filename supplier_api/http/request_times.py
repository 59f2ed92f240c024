"""The times of a request, and a summary of the last requests."""

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The key of a request's environ for its RequestTimes.
TIMES = "supplier_api.times"
KEPT = 1000  # requests in the summary


@dataclass(frozen=True, slots=True)
class RequestTimes:
    """When the headers were complete, when the last byte arrived, when a thread began.

    All in monotonic seconds of the machine clock.
    """

    headers: float
    arrived: float
    begun: float

    @property
    def queued(self) -> float:
        """Return how many seconds the request waited for a thread."""
        return self.begun - self.arrived


def times_of(environ: Mapping[str, Any], now: float) -> RequestTimes:
    """Return the times that our server measured; all of them `now` under another server."""
    times: RequestTimes | None = environ.get(TIMES)
    return times or RequestTimes(now, now, now)


class TimeSummary:
    """How long the last requests took, and how many were refused unread. Thread-safe."""

    def __init__(self) -> None:
        """Begin with no request."""
        self._lock = threading.Lock()
        self._taken: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._refused: Counter[str] = Counter()

    def note(self, answered: float, queued: float) -> None:
        """Add seconds from complete headers to the answer, and seconds in our own queue."""
        self._taken.append((answered, queued))

    def refused(self, why: str) -> None:
        """Count a request that the server refused itself."""
        with self._lock:
            self._refused[why] += 1

    def plain(self) -> dict[str, Any]:
        """Return the summary as plain JSON values, times in milliseconds; empty without any."""
        taken = list(self._taken)
        with self._lock:
            refused = dict(self._refused)
        if not taken and not refused:
            return {}
        return {
            "requests": len(taken),
            "answered": _spread([answered for answered, _ in taken]),
            "queued": _spread([queued for _, queued in taken]),
            "refused": refused,
        }


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return the 99th percentile and the maximum, in milliseconds."""
    ordered = sorted(seconds) or [0.0]
    percentile = ordered[(len(ordered) * 99 - 1) // 100]
    return {"p99": round(percentile * 1000, 1), "most": round(ordered[-1] * 1000, 1)}
