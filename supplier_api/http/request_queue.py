"""A bounded thread pool for requests; those that cannot be begun at once wait in order."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

Work = Callable[[], None]


class RequestQueue:
    """A bounded number of threads, and a bounded number of requests that wait for one.

    `offer` and `done` are called only in the event loop's thread: their counter needs no lock.
    """

    def __init__(self, name: str, threads: int, room: int) -> None:
        """Start `threads` threads; up to `room` further requests may wait."""
        self._bound = threads + room
        self._unfinished = 0
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(1, threads + 1)
        ]
        for thread in self._threads:
            thread.start()

    def offer(self, work: Work) -> bool:
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
