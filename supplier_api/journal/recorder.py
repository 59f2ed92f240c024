"""Takes calls down at once, and writes them into the store by a thread of its own."""

import queue
import threading
from collections.abc import Callable

from supplier_api.observability import get_logger
from supplier_api.store import Store, StoreUnavailable
from supplier_api.store.journal import Call

BATCH = 200
WAITING = 5_000  # calls that may wait to be written; beyond that they are lost, and it is said
log = get_logger(__name__)


class Recorder:
    """The journal's writing side, one for each process."""

    def __init__(self, store: Store, most_calls: int, most_bytes: int) -> None:
        """Keep, for each tenant, the latest `most_calls` calls and `most_bytes` bytes of them."""
        self._store = store
        self._most_calls = most_calls
        self._most_bytes = most_bytes
        self._waiting: queue.Queue[Call | threading.Event | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._starting = threading.Lock()

    def record(self, call: Call) -> None:
        """Take a call down; returns at once."""
        self._start()
        try:
            self._waiting.put_nowait(call)
        except queue.Full:
            log.warning("journal.full", operation=call.operation)

    def flush(self, seconds: float) -> bool:
        """Wait until all that was recorded before is stored; return whether it is in time."""
        if not self._thread.is_alive():
            return True
        written = threading.Event()
        self._waiting.put(written)
        return written.wait(seconds)

    def stop(self) -> None:
        """Write what waits, and end."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _start(self) -> None:
        with self._starting:
            # Not before the first call: a server makes its threads after it has made its processes.
            if not self._thread.is_alive():
                self._thread.start()

    def _run(self) -> None:
        running = True
        while running:
            calls: list[Call] = []
            after: list[Callable[[], None]] = []
            item = self._waiting.get()
            while True:
                if item is None:
                    running = False
                elif isinstance(item, Call):
                    calls.append(item)
                else:
                    after.append(item.set)
                if len(calls) >= BATCH or self._waiting.empty():
                    break
                item = self._waiting.get()
            self._write(calls)
            for done in after:
                done()

    def _write(self, calls: list[Call]) -> None:
        if not calls:
            return
        try:
            self._store.write(
                lambda uow: uow.journal.add(calls, self._most_calls, self._most_bytes)
            )
        except StoreUnavailable as error:
            log.warning("journal.lost", calls=len(calls), error=str(error))
        except Exception as error:
            log.error("journal.failed", error=type(error).__name__, exc_info=True)
