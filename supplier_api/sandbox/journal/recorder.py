"""Accepts calls at once, and writes them into the store by a thread of its own."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from supplier_api.clock import BusinessClock
from supplier_api.db import Store, StoreUnavailable
from supplier_api.logging import get_logger
from supplier_api.sandbox.journal.entries import JournalEntry
from supplier_api.sandbox.journal.repository import JournalRepository

BATCH = 50
# Seconds after a transaction in which calls are gathered for the next one. A call after a pause is
# written at once: so it stands before what it leads to, which other processes write.
REST = 0.02
WAITING = 1_000  # calls that may wait to be written; beyond that they are lost, and it is said
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is kept of each tenant, to within a tenth: the latest calls, and bytes of them."""

    calls: int
    bytes: int


@dataclass(slots=True)
class _Added:
    """What was added of a tenant since its calls were last trimmed."""

    calls: int = 0
    bytes: int = 0


class Recorder:
    """The journal's writing side, one for each process; it ends when the store is closed."""

    def __init__(self, store: Store, business: BusinessClock, bounds: Bounds) -> None:
        """Write into `store`, dated by `business`."""
        self._store = store
        self._business = business
        self._bounds = bounds
        self._waiting: queue.Queue[Callable[[], JournalEntry] | threading.Event | None]
        self._waiting = queue.Queue(WAITING)
        # Ends the rest: somebody waits, or a batch is full.
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._changing = threading.Lock()
        self._stopped = False
        self._added: dict[str, _Added] = {}
        store.before_close(self._stop)

    def record(self, make: Callable[[], JournalEntry]) -> None:
        """Record the call that `make` returns, called by the writing thread; returns at once."""
        self._start()
        try:
            self._waiting.put_nowait(make)
        except queue.Full:
            log.warning("journal.full")
        if self._waiting.qsize() >= BATCH:
            self._hurry.set()

    def flush(self, seconds: float) -> bool:
        """Wait until all that was recorded before is stored; return whether it is in time."""
        if self._thread is None:
            return True
        written = threading.Event()
        try:
            self._waiting.put(written, timeout=seconds)
        except queue.Full:
            return False
        self._hurry.set()
        return written.wait(seconds)

    def _start(self) -> None:
        with self._changing:
            # Not before the first call: a server makes its threads after it has made its processes.
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
                self._thread.start()

    def _stop(self) -> None:
        """Write what waits, and end."""
        with self._changing:
            self._stopped = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            self._hurry.set()
            thread.join()

    def _run(self) -> None:
        running = True
        while running:
            items = [self._waiting.get()]
            while len(items) < BATCH and not self._waiting.empty():
                items.append(self._waiting.get())
            running = None not in items
            made = [_made(item) for item in items if callable(item)]
            if calls := [call for call in made if call is not None]:
                self._write(calls)
            for item in items:
                if isinstance(item, threading.Event):
                    item.set()
            if running and len(items) < BATCH:
                self._hurry.wait(REST)
            self._hurry.clear()

    def _write(self, calls: list[JournalEntry]) -> None:
        try:
            scales = self._business.scales()
            added = self._store.write(lambda uow: JournalRepository(uow).add(calls, scales))
            for tenant, sizes in added.items():
                self._trim(tenant, sizes)
        except StoreUnavailable as error:
            log.warning("journal.not-written", calls=len(calls), error=str(error))
        except Exception as error:
            log.error("journal.failed", error=type(error).__name__, exc_info=True)

    def _trim(self, tenant: str, sizes: list[int]) -> None:
        """Trim a tenant's calls when they have become a tenth more, and when it is first seen."""
        bounds = self._bounds
        added = self._added.setdefault(tenant, _Added(bounds.calls))
        added.calls += len(sizes)
        added.bytes += sum(sizes)
        if added.calls * 10 >= bounds.calls or added.bytes * 10 >= bounds.bytes:
            self._store.write(
                lambda uow: JournalRepository(uow).trim(tenant, bounds.calls, bounds.bytes)
            )
            self._added[tenant] = _Added()


def _made(make: Callable[[], JournalEntry]) -> JournalEntry | None:
    try:
        return make()
    except Exception as error:
        log.error("journal.failed", error=type(error).__name__, exc_info=True)
        return None
