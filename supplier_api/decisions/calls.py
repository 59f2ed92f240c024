"""Calls under a time limit. A thread cannot be killed, so a call that is late keeps its thread."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

T = TypeVar("T")


class DaemonThreads:
    """A few threads that run calls, started when first needed, and that never hold up an exit."""

    def __init__(self, name: str, most: int) -> None:
        """Prepare for at most `most` calls at the same time."""
        self._name = name
        self._most = most
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._starting = Lock()
        self._started = 0

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Queue the call. A future that `cancel()` accepts has not been started."""
        with self._starting:
            if self._started < self._most:
                self._started += 1
                name = f"{self._name}-{self._started}"
                Thread(target=self._run, name=name, daemon=True).start()
        future: Future[T] = Future()
        self._calls.put((future, call))
        return future

    def _run(self) -> None:
        while True:
            future, call = self._calls.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller
                future.set_exception(error)
            del future, call
