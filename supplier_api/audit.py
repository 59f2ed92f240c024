"""The audit log: accesses that were granted or refused, and what was done.

Equal refusals in a burst are at most two lines: the first at once, and one with the count of all
when the burst is over. Clients have their names from the settings; an unverified name that a caller
claims is never logged.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from supplier_api.clock import MachineClock, to_wire
from supplier_api.logging import get_logger

BURST = 10.0  # seconds, from the first refusal
MOST = 256  # different refusals that are counted at the same time; at more, all are logged
UNKNOWN = "unknown"

log = get_logger(__name__)

LogValue = str | int | None
_Key = tuple[str, tuple[tuple[str, LogValue], ...]]


@dataclass(slots=True)
class _Burst:
    """A burst of equal refusals: since when, and how many."""

    since: datetime
    began: float
    count: int = 1


class Audit:
    """Logs what was granted, refused and done; used by several threads at once."""

    def __init__(self, machine: MachineClock) -> None:
        """Count bursts by `machine`."""
        self._machine = machine
        self._lock = threading.Lock()
        self._bursts: dict[_Key, _Burst] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="audit", daemon=True)

    def start(self) -> None:
        """Start the thread that logs ended bursts while there are no calls."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and log all bursts that are not logged yet."""
        self._ended.set()
        self._log_ended(everything=True)

    def done(self, event: str, **values: LogValue) -> None:
        """Log what was granted or done."""
        self._log_ended()
        log.info(event, **values)

    def refused(self, event: str, **values: LogValue) -> None:
        """Log a refusal, or count it in the burst of equal ones."""
        self._log_ended()
        key = (event, tuple(sorted(values.items())))
        with self._lock:
            burst = self._bursts.get(key)
            if burst:
                burst.count += 1
                return
            overflow = self._bursts if len(self._bursts) >= MOST else {}
            if overflow:
                self._bursts = {}
            self._bursts[key] = _Burst(self._machine.now(), self._machine.monotonic())
        _log(overflow)
        log.warning(event, **values)

    def _watch(self) -> None:
        while not self._ended.wait(BURST / 2):
            self._log_ended()

    def _log_ended(self, *, everything: bool = False) -> None:
        """Log bursts that are over, or all of them."""
        before = self._machine.monotonic() - BURST
        with self._lock:
            over = {k: b for k, b in self._bursts.items() if everything or b.began <= before}
            for key in over:
                del self._bursts[key]
        _log(over)


def _log(over: Mapping[_Key, _Burst]) -> None:
    for (event, values), burst in over.items():
        if burst.count > 1:
            log.warning(event, **dict(values), count=burst.count, since=to_wire(burst.since))
