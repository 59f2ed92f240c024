"""Threads: a loop that looks for work, and a pool whose stuck threads are replaced."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from supplier_api.clock import MachineClock
from supplier_api.db import StoreUnavailable
from supplier_api.db.notify import WakeEvent
from supplier_api.logging import get_logger

LOOK_EVERY = 5.0  # seconds; a lost notification delays work no longer than this
AFTER_FAILURE = 1.0  # seconds
STUCK_AFTER = 60.0  # seconds
Job = TypeVar("Job")
log = get_logger(__name__)


class Loop:
    """A thread that takes turns until it is stopped, a second after one that failed."""

    def __init__(
        self,
        name: str,
        turn: Callable[[], float],
        wake_event: WakeEvent,
        clock: MachineClock,
        rest: float = 0.0,
    ) -> None:
        """Prepare to call `turn`, which returns the seconds until it has to be called again.

        When the event is set it is called sooner, but not within `rest` seconds of the last turn.
        """
        self._rest = rest
        self._name = name
        self._turn = turn
        self._wake_event = wake_event
        self._clock = clock
        self._stop = threading.Event()
        self._last_sign = clock.monotonic()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to take turns."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Take no further turn; returns when the current one is over, or after `seconds`."""
        self._stop.set()
        self._wake_event.set()
        if self._thread.is_alive():
            self._thread.join(max(0.0, seconds))

    def go_on(self) -> bool:
        """Note within a long turn that a part of it is done; return whether to do the next."""
        self._last_sign = self._clock.monotonic()
        return not self._stop.is_set()

    def healthy(self) -> bool:
        """Return whether the thread makes progress: with its turns, or the parts of a long one."""
        stuck = self._clock.monotonic() - self._last_sign > STUCK_AFTER
        return self._thread.is_alive() and not stuck

    def _run(self) -> None:
        while not self._stop.is_set():
            self._last_sign = self._clock.monotonic()
            try:
                seconds = self._turn()
            except StoreUnavailable as error:
                log.warning("loop.no-database", loop=self._name, error=str(error))
                self._stop.wait(AFTER_FAILURE)
            except Exception as error:
                log.error("loop.failed", loop=self._name, error=type(error).__name__, exc_info=True)
                self._stop.wait(AFTER_FAILURE)
            else:
                rest = min(seconds, self._rest)
                self._stop.wait(rest)
                self._wake_event.wait(min(seconds, LOOK_EVERY) - rest)


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
                log.error("thread.given-up", pool=self._name, seconds=self._patience)
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
