"""A thread pool whose stuck threads are given up and replaced."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from supplier_api.clock import MachineClock
from supplier_api.logging import get_logger

Job = TypeVar("Job")
log = get_logger(__name__)


class ThreadPool(Generic[Job]):
    """The threads of one destination, and the jobs that wait for them or run in them.

    A name lookup cannot be interrupted from outside. A thread that has been at one job for longer
    than `patience` seconds is abandoned: it no longer counts, and ends when its call returns.
    """

    def __init__(
        self,
        name: str,
        size: int,
        work: Callable[[Job], None],
        when_done: Callable[[], None],
        clock: MachineClock,
        patience: float,
    ) -> None:
        """Prepare for at most `size` threads that do `work` and call `when_done` after each job."""
        self._name = name
        self._size = size
        self._work = work
        self._when_done = when_done
        self._clock = clock
        self._patience = patience
        lock = threading.RLock()
        self._changed = threading.Condition(lock)  # a job waits, or we stop
        self._idle = threading.Condition(lock)  # no job runs or waits
        self._waiting: deque[Job] = deque()
        self._busy: dict[int, tuple[Job, float]] = {}
        self._started = 0
        self._last_done: float | None = None
        # How many jobs were done.
        self.done = 0
        self._stopping = False

    def submit(self, jobs: Sequence[Job], *, first: bool = False) -> bool:
        """Queue `jobs` for the threads; `first`: before those that wait.

        Returns False, and queues nothing, once the pool is stopping.
        """
        with self._changed:
            if self._stopping:
                return False
            if first:
                self._waiting.extendleft(reversed(jobs))
            else:
                self._waiting.extend(jobs)
            self._start_threads()
            self._changed.notify(len(jobs))
            return True

    def free(self) -> int:
        """Return how many threads have nothing to do and nothing waiting for them."""
        with self._changed:
            return max(0, self._size - len(self._busy) - len(self._waiting))

    def waiting(self) -> int:
        """Return how many jobs wait for a thread."""
        return len(self._waiting)

    def active_within(self, seconds: float) -> bool:
        """Return whether a job ended within the last `seconds`."""
        done = self._last_done
        return done is not None and self._clock.monotonic() - done <= seconds

    def jobs(self) -> list[Job]:
        """Return the jobs that are running or wait for a thread."""
        with self._changed:
            return [*self._waiting, *(job for job, _ in self._busy.values())]

    def withdraw(self, which: Callable[[Job], bool]) -> list[Job]:
        """Remove the waiting jobs for which `which` is true, and return them."""
        with self._changed:
            left: deque[Job] = deque()
            taken: list[Job] = []
            for job in self._waiting:
                (taken if which(job) else left).append(job)
            self._waiting = left
            self._idle.notify_all()
        return taken

    def replace_stuck(self) -> None:
        """Give up the threads that have been at one job for too long, and start others instead."""
        now = self._clock.monotonic()
        with self._changed:
            stuck = [key for key, (_, since) in self._busy.items() if now - since > self._patience]
            for key in stuck:
                log.error("thread.given-up", crew=self._name, seconds=self._patience)
                del self._busy[key]
                self._started -= 1
            self._idle.notify_all()
            self._start_threads()

    def stop(self) -> list[Job]:
        """Let no further job begin, and return those that have not begun."""
        with self._changed:
            self._stopping = True
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
            self._idle.notify_all()
        return left

    def join(self, seconds: float) -> bool:
        """Wait up to `seconds` until no job runs or waits; return whether that is so."""
        with self._changed:
            return self._idle.wait_for(
                lambda: not self._busy and not self._waiting, max(0.0, seconds)
            )

    def _start_threads(self) -> None:
        """Start threads for the jobs that wait, up to the pool's size; the lock is held."""
        idle = self._started - len(self._busy)
        for _ in range(min(len(self._waiting) - idle, self._size - self._started)):
            self._started += 1
            threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        me = threading.get_ident()
        while (job := self._take(me)) is not None:
            try:
                self._work(job)
            except Exception as error:
                log.error("job.failed", error=type(error).__name__, exc_info=True)
            if not self._done(me):
                return
            self._when_done()

    def _take(self, me: int) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if self._stopping:
                return None
            job = self._waiting.popleft()
            self._busy[me] = job, self._clock.monotonic()
            return job

    def _done(self, me: int) -> bool:
        """Note the end of a job; return whether the thread still belongs to the pool."""
        with self._changed:
            belongs = self._busy.pop(me, None) is not None
            self._last_done = self._clock.monotonic()
            self.done += 1
            if not self._busy and not self._waiting:
                self._idle.notify_all()
            return belongs
