"""What a process counts of its work in memory, until its heartbeat stores it as a sample.

A sample holds numbers by name: `answer.201` for answers to the gateway by status, `ms.50` for those
within 50 ms and above the bound before, `unread` for requests that the server refused itself, and
`gateway.delivered` or `back-office.refused` for attempts to send by their outcome. The names of the
times carry their bounds, so that samples of releases with different bounds can be added.
"""

import threading
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf

from supplier_api.clock import MachineClock

SAMPLE_SECONDS = 10.0
UNSAVED = 360  # samples: what an hour without the database leaves
# In milliseconds. The default answer budget is one of them: what is late is counted exactly.
BOUNDS = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 3000, 5000, 10_000)
ANSWER = "answer."
TIME = "ms."
ABOVE = "more"  # than the last bound
UNREAD = "unread"
_TIMES = [f"{TIME}{bound}" for bound in (*BOUNDS, ABOVE)]


@dataclass(frozen=True, slots=True)
class MetricSample:
    """What was counted from the instant `at` on, for `seconds` (machine time)."""

    at: datetime
    seconds: float
    counts: Mapping[str, int]


class ProcessMetrics:
    """The numbers of this process since its last sample. Thread-safe, and cheap to add to."""

    def __init__(self, clock: MachineClock) -> None:
        """Begin with nothing counted."""
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._at, self._since = clock.now(), clock.monotonic()
        self._unsaved: deque[MetricSample] = deque(maxlen=UNSAVED)

    def answered(self, status: int, seconds: float) -> None:
        """Count an answer to the gateway, given `seconds` after the request's headers."""
        code, time = f"{ANSWER}{status}", _TIMES[bisect_left(BOUNDS, seconds * 1000)]
        with self._lock:
            self._counts[code] += 1
            self._counts[time] += 1

    def attempted(self, destination: str, outcome: str) -> None:
        """Count an attempt to send a message, by the outcome that the message's log names."""
        self._add(f"{destination}.{outcome}")

    def refused_unread(self) -> None:
        """Count a request that the server refused itself."""
        self._add(UNREAD)

    def unsaved(self, *, final: bool = False) -> list[MetricSample]:
        """Return the samples that are not stored yet, oldest first.

        A new one is among them if the last is SAMPLE_SECONDS old, or if this is the `final` call,
        and anything was counted since.
        """
        now = self._clock.monotonic()
        seconds = now - self._since
        if final or seconds >= SAMPLE_SECONDS:
            with self._lock:
                counts, self._counts = self._counts, Counter()
            if counts:
                self._unsaved.append(MetricSample(self._at, seconds, dict(counts)))
            self._at, self._since = self._clock.now(), now
        return list(self._unsaved)

    def saved(self) -> None:
        """Forget the samples that `unsaved` returned: they are stored."""
        self._unsaved.clear()

    def _add(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1


def percentile(counts: Mapping[str, int], share: float) -> float | None:
    """Return the milliseconds within which that share of the answers was given; None without any.

    Interpolated within its bounds, to tenths. Of times above the last bound that bound is returned:
    no more is known of them.
    """
    classes = sorted(
        (float(name.removeprefix(TIME).replace(ABOVE, "inf")), count)
        for name, count in counts.items()
        if name.startswith(TIME)
    )
    rest = share * sum(count for _, count in classes)
    for upper, count in classes:
        if rest <= count:
            lower = max(bound for bound in (0, *BOUNDS) if bound < upper)
            width = upper - lower if upper < inf else 0.0
            return round(lower + width * rest / count, 1)
        rest -= count
    return None
