"""A pool of threads for calls with a time limit. A call that is late keeps its thread."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from supplier_api.clock import MachineClock
from supplier_api.logging import get_logger

T = TypeVar("T")
PATIENCE = 30.0  # seconds of one call after which its thread is given up
log = get_logger(__name__)


class DaemonThreads:
    """A pool of daemon threads that run calls, started when first needed.

    A thread that is busy with one call for `PATIENCE` seconds is given up, as in delivery: it no
    longer counts, another replaces it, and it ends when the call returns. So that calls that hang
    for ever do not use up threads, once `most` are given up they are replaced one by one and ever
    more slowly (some three hundred after a day).
    """

    def __init__(self, name: str, most: int, clock: MachineClock) -> None:
        """Prepare for at most `most` concurrent calls."""
        self._name = name
        self._most = most
        self._clock = clock
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._changing = threading.Lock()
        self._started = 0
        self._active: set[int] = set()
        self._busy_since: dict[int, float] = {}
        self._given_up: set[int] = set()
        self._next_given_up = 0.0

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Queue the call. A future that `cancel()` accepts has not been started."""
        with self._changing:
            self._give_up_stuck()
            if len(self._active) < self._most:
                self._started += 1
                number, name = self._started, f"{self._name}-{self._started}"
                self._active.add(number)
                threading.Thread(target=self._run, args=(number,), name=name, daemon=True).start()
        future: Future[T] = Future()
        self._calls.put((future, call))
        return future

    def _give_up_stuck(self) -> None:
        """Give up threads that hang, as far as they may be replaced; the caller holds the lock."""
        now = self._clock.monotonic()
        stuck = [each for each, since in self._busy_since.items() if now - since > PATIENCE]
        for number in stuck:
            generations = len(self._given_up) // self._most
            if generations and now < self._next_given_up:
                return
            log.error("thread.given-up", crew=self._name, seconds=PATIENCE)
            del self._busy_since[number]
            self._active.discard(number)
            self._given_up.add(number)
            self._next_given_up = now + PATIENCE * (1 + generations)

    def _run(self, number: int) -> None:
        while True:
            future, call = self._calls.get()
            if not future.set_running_or_notify_cancel():
                continue
            with self._changing:
                self._busy_since[number] = self._clock.monotonic()
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller
                future.set_exception(error)
            del future, call
            with self._changing:
                self._busy_since.pop(number, None)
                if number in self._given_up:
                    self._given_up.discard(number)
                    return
