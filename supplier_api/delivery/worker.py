"""The worker: everything that runs beside the web servers, in one process."""

from collections.abc import Callable, Sequence
from typing import Protocol

from supplier_api.clock import MachineClock
from supplier_api.db import Store
from supplier_api.db.notify import Wakeup
from supplier_api.delivery.dispatcher import Dispatcher
from supplier_api.delivery.scheduler import Scheduler
from supplier_api.delivery.threads import Loop
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.logging import get_logger

log = get_logger(__name__)


class Reloader(Protocol):
    """Keeps the rule book and the inventory current."""

    def start(self) -> None:
        """Begin; returns at once."""

    def stop(self, seconds: float) -> None:
        """End within `seconds`."""

    def reload(self) -> None:
        """Have the files loaded, changed or not."""


class SignOfLife(Protocol):
    """Shows the other processes that this one is alive."""

    def start(self) -> None:
        """Begin to report; returns at once."""

    def stop(self, seconds: float) -> None:
        """Report that the process ends, if that can be done within about `seconds`."""

    def at_home(self) -> bool:
        """Return whether the database is still the one that the process was started on."""


class HealthServer(Protocol):
    """Tells over HTTP whether the worker is well."""

    def start(self, healthy: Callable[[], bool]) -> None:
        """Begin to tell what `healthy` returns; returns at once."""

    def alive(self) -> bool:
        """Return whether it can still be asked."""

    def stop(self) -> None:
        """End."""


class Worker:
    """Delivers messages and runs timers until it is stopped. Any number may run on one database."""

    def __init__(
        self,
        dispatchers: Sequence[Dispatcher],
        scheduler: Scheduler,
        wakeup: Wakeup,
        watchdog: Watchdog,
        clock: MachineClock,
        heartbeat: SignOfLife | None = None,
        upkeep: Reloader | None = None,
        store: Store | None = None,
        loops: Sequence[Loop] = (),
        health: HealthServer | None = None,
    ) -> None:
        """Prepare to run the parts; they wait for the events of `wakeup`.

        `loops` wait for other systems: one that is stuck is no reason to end the worker. With
        `store`, the other workers are notified of the last commits before the process ends.
        """
        self._dispatchers = dispatchers
        self._scheduler = scheduler
        self._wakeup = wakeup
        self._watchdog = watchdog
        self._clock = clock
        self._heartbeat = heartbeat
        self._upkeep = upkeep
        self._store = store
        self._loops = loops
        self._health = health

    def start(self) -> None:
        """Begin; returns at once. Raises what keeps the listener from beginning."""
        if self._health:
            self._health.start(self.healthy)
        self._watchdog.start()
        self._wakeup.start()
        for dispatcher in self._dispatchers:
            dispatcher.start()
        self._scheduler.start()
        for loop in self._loops:
            loop.start()
        if self._heartbeat:
            self._heartbeat.start()
        if self._upkeep:
            self._upkeep.start()
        log.info("worker.started")

    def reload(self, *_signal: object) -> None:
        """Have the rule book and the inventory loaded again; may be called by a signal."""
        if self._upkeep:
            self._upkeep.reload()

    def stop(self, grace: float) -> bool:
        """Give back what is not being sent, and wait up to `grace` seconds for the rest.

        Returns whether all attempts are completed. The others are taken over, with an unknown
        outcome, when their leases end.
        """
        until = self._clock.monotonic() + grace
        for dispatcher in self._dispatchers:
            dispatcher.give_back(until - self._clock.monotonic())
        self._scheduler.stop(until - self._clock.monotonic())
        for loop in self._loops:
            loop.stop(until - self._clock.monotonic())
        settled = all(each.finish(until - self._clock.monotonic()) for each in self._dispatchers)
        self._wakeup.stop()
        self._watchdog.stop()
        if self._heartbeat:
            self._heartbeat.stop(until - self._clock.monotonic())
        if self._upkeep:
            self._upkeep.stop(until - self._clock.monotonic())
        if self._store:
            # So that another worker takes the lanes that were given back at once.
            self._store.end_notices()
        if self._health:
            self._health.stop()
        log.info("worker.stopped", settled=settled)
        return settled

    def healthy(self) -> bool:
        """Return whether every part runs, on the database that the worker was started on."""
        return not self.failed_parts()

    def failed_parts(self) -> list[str]:
        """Return the names of the parts that do not run.

        The listener is one: a worker that cannot be asked whether it is well is replaced.
        """
        runs = {
            "dispatchers": all(dispatcher.healthy() for dispatcher in self._dispatchers),
            "scheduler": self._scheduler.healthy(),
            "wake-up": self._wakeup.alive(),
            "watchdog": self._watchdog.alive(),
            "database": self._heartbeat is None or self._heartbeat.at_home(),
            "health listener": self._health is None or self._health.alive(),
        }
        return [name for name, well in runs.items() if not well]
