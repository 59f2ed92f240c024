"""A thread that looks for work, and sleeps until it is woken or the next work is due."""

import threading
from collections.abc import Callable

from supplier_api.clock import MachineClock
from supplier_api.db import StoreUnavailable
from supplier_api.db.notify import WakeEvent
from supplier_api.logging import get_logger

LOOK_EVERY = 5.0  # seconds; a lost notification delays work no longer than this
AFTER_FAILURE = 1.0  # seconds
STUCK_AFTER = 60.0  # seconds
log = get_logger(__name__)


class Loop:
    """Takes turns until it is stopped; a turn that fails is followed by another a second later."""

    def __init__(
        self, name: str, turn: Callable[[], float], wake_event: WakeEvent, clock: MachineClock
    ) -> None:
        """Prepare to call `turn`, which returns the seconds until it has to be called again."""
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
                self._wake_event.wait(min(seconds, LOOK_EVERY))
