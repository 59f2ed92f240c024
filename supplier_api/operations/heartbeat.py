"""The heartbeat of a process, every few seconds; a worker also looks for dead processes."""

from supplier_api.clock import MachineClock
from supplier_api.db import StoreUnavailable
from supplier_api.db.notify import WakeEvent
from supplier_api.delivery.threads import Loop
from supplier_api.logging import get_logger
from supplier_api.operations.process_registry import MISSED, CrashDetector, ProcessRegistry

log = get_logger(__name__)


class Heartbeat:
    """A thread that stores this process's heartbeat. Skipped while the database is unavailable."""

    def __init__(
        self,
        presence: ProcessRegistry,
        clock: MachineClock,
        every: float,
        deaths: CrashDetector | None = None,
    ) -> None:
        """Prepare to beat every `every` seconds, and to run `deaths` if given.

        It has a WakeEvent of its own: others' commits are no reason for a heartbeat.
        """
        self._presence = presence
        self._clock = clock
        self._every = every
        self._deaths = deaths
        self._begun = False
        self._steady_since: float | None = None
        self._loop = Loop("heartbeat", self.turn, WakeEvent(), clock)

    def start(self) -> None:
        """Begin to beat; returns at once."""
        self._loop.start()

    def stop(self, seconds: float) -> None:
        """Store that the process ends, if that can be done within about `seconds`."""
        self._loop.stop(seconds)
        try:
            if self._begun:
                self._presence.end()
        except StoreUnavailable as error:
            log.warning("heartbeat.end-not-told", error=str(error))

    def at_home(self) -> bool:
        """Return whether the database is still the one that the process was started on."""
        return self._presence.foreign is None

    def turn(self) -> float:
        """Beat once; return the seconds until the next time. Raises StoreUnavailable."""
        try:
            self._beat()
        except StoreUnavailable:
            self._steady_since = None
            raise
        return self._every

    def _beat(self) -> None:
        if self._begun:
            self._presence.beat()
        else:
            self._presence.begin()
            self._begun = True
        now = self._clock.monotonic()
        if self._steady_since is None:
            self._steady_since = now
        # While the database was unavailable, the others could store no heartbeat either.
        if self._deaths and self.at_home() and now - self._steady_since > MISSED * self._every:
            self._deaths.find()
