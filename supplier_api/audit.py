"""Who was let in, who was not, and what they did: lines of the log that people search for.

Equal refusals in a burst are two lines at most: the first at once, and when the burst is over one
with the count of all of them. Clients are named as the settings know them; what a caller claims to
be and is not never gets here.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from supplier_api.clock import MachineClock, to_wire
from supplier_api.logging import get_logger

BURST = 10.0  # seconds from its first refusal on
MOST = 256  # different refusals that are counted at the same time; with more, all are told
UNKNOWN = "unknown"

log = get_logger(__name__)

Said = str | int | None
_Key = tuple[str, tuple[tuple[str, Said], ...]]


@dataclass(slots=True)
class _Burst:
    """Equal refusals: since when, and how many."""

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
        """Tell bursts that are over also while nobody calls; for the life of a process."""
        self._thread.start()

    def stop(self) -> None:
        """Tell what was counted and not told yet."""
        self._ended.set()
        self._tell(everything=True)

    def done(self, event: str, **said: Said) -> None:
        """Log what was granted or done."""
        self._tell()
        log.info(event, **said)

    def refused(self, event: str, **said: Said) -> None:
        """Log a refusal, or count it to those that are equal to it."""
        self._tell()
        key = (event, tuple(sorted(said.items())))
        with self._lock:
            burst = self._bursts.get(key)
            if burst:
                burst.count += 1
                return
            told = self._bursts if len(self._bursts) >= MOST else {}
            if told:
                self._bursts = {}
            self._bursts[key] = _Burst(self._machine.now(), self._machine.monotonic())
        _log(told)
        log.warning(event, **said)

    def _watch(self) -> None:
        while not self._ended.wait(BURST / 2):
            self._tell()

    def _tell(self, *, everything: bool = False) -> None:
        """Log bursts that are over, or all of them."""
        before = self._machine.monotonic() - BURST
        with self._lock:
            over = {k: b for k, b in self._bursts.items() if everything or b.began <= before}
            for key in over:
                del self._bursts[key]
        _log(over)


def _log(over: Mapping[_Key, _Burst]) -> None:
    for (event, said), burst in over.items():
        if burst.count > 1:
            log.warning(event, **dict(said), count=burst.count, since=to_wire(burst.since))
