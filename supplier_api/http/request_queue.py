"""The threads that answer requests, what waits for them, and how long that took."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

KEPT = 1000  # requests in the summary of times


class TimeSummary:
    """How long the last requests took, and how many were refused unread. Thread-safe."""

    def __init__(self, count_refused: Callable[[], None] | None = None) -> None:
        """Begin with no request; `count_refused` is called for each that is refused unread."""
        self._count_refused = count_refused
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
        if self._count_refused:
            self._count_refused()

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


class RequestQueue:
    """A bounded number of threads, and a bounded number of requests that wait for one.

    `offer` and `done` are called only in the event loop's thread: their counter needs no lock.
    """

    def __init__(self, name: str, threads: int, room: int) -> None:
        """Start `threads` threads; up to `room` further requests may wait."""
        self._bound = threads + room
        self._unfinished = 0
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(1, threads + 1)
        ]
        for thread in self._threads:
            thread.start()

    def offer(self, work: Callable[[], None]) -> bool:
        """Queue `work`, which must not raise; return False if the queue is full."""
        if self._unfinished >= self._bound:
            return False
        self._unfinished += 1
        self._work.put(work)
        return True

    def done(self) -> None:
        """Note that a queued request is finished, which makes room for another."""
        self._unfinished -= 1

    def close(self) -> None:
        """Let the threads end after the queued requests; do not wait for them."""
        for _ in self._threads:
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return the 99th percentile and the maximum, in milliseconds."""
    ordered = sorted(seconds) or [0.0]
    percentile = ordered[(len(ordered) * 99 - 1) // 100]
    return {"p99": round(percentile * 1000, 1), "most": round(ordered[-1] * 1000, 1)}
