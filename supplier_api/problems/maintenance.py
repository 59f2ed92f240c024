"""Maintenance: requests of the gateway are stored and answered 202, and decided when it is over.

To this gateway an answer of 5xx is a lost problem, so the service must never be closed. While the
rule book cannot be evaluated, because of maintenance or because a source of its facts is down, the
decision is postponed: a timer of the kind `decide`, due at once, represents it, and the worker
skips such timers until decisions can be made again.
"""

import threading
from dataclasses import dataclass

from supplier_api.db import StoreUnavailable, UnitOfWork
from supplier_api.db.operator_actions import (
    MAINTENANCE,
    Action,
    OperatorActionRepository,
    Switch,
    SwitchRepository,
)
from supplier_api.problems.services import Services
from supplier_api.problems.timer_repository import DECIDE, TimerRepository

# The longest time until a process notices that maintenance began or ended.
LOOK_EVERY = 1.0  # seconds
LOOK_SECONDS = 0.5  # limit of that query: a request waits for it


@dataclass(frozen=True, slots=True)
class MaintenanceView:
    """The maintenance switch, if it is on, and how many decisions are postponed for any reason."""

    switch: Switch | None
    postponed: int


class Maintenance:
    """The maintenance switch, as one process sees it.

    It is read once a second, not with every request. A process may notice a change late without
    harm: a decision postponed after the end is made at once, one made after the begin stays.
    """

    def __init__(self, services: Services) -> None:
        """Work with `services`."""
        self._services = services
        self._looking = threading.Lock()
        self._look_at = float("-inf")
        self._lasts = False

    def lasts(self) -> bool:
        """Return whether there is maintenance, as of at most a second ago."""
        if self._services.machine.monotonic() >= self._look_at:
            self._look()
        return self._lasts

    def begin(self, who: str, reason: str) -> bool:
        """Begin maintenance; returns False if it was on already. Raises StoreUnavailable."""
        now = self._services.machine.now()

        def work(uow: UnitOfWork) -> bool:
            begun = SwitchRepository(uow).on(Switch(MAINTENANCE, who, reason, now))
            if begun:
                OperatorActionRepository(uow).add(Action(now, who, "maintenance-on", reason))
            return begun

        return self._services.store.write(work)

    def end(self, who: str, reason: str) -> bool:
        """End maintenance: postponed decisions are made now. Returns False if it was off.

        Raises StoreUnavailable.
        """
        now = self._services.machine.now()

        def work(uow: UnitOfWork) -> bool:
            ended = SwitchRepository(uow).off(MAINTENANCE)
            if ended:
                OperatorActionRepository(uow).add(Action(now, who, "maintenance-off", reason))
            return ended

        return self._services.store.write(work)

    def show(self) -> MaintenanceView:
        """Return the current switch and count. Raises StoreUnavailable."""
        return self._services.store.read(
            lambda uow: MaintenanceView(
                SwitchRepository(uow).get(MAINTENANCE), TimerRepository(uow).count(DECIDE)
            )
        )

    def _look(self) -> None:
        # One thread reads the switch; the others use the last value.
        if not self._looking.acquire(blocking=False):
            return
        try:
            now = self._services.machine.monotonic()
            self._look_at = now + LOOK_EVERY
            found = self._services.store.read(
                lambda uow: SwitchRepository(uow).get(MAINTENANCE), deadline=now + LOOK_SECONDS
            )
            self._lasts = found is not None
        except StoreUnavailable:
            # The request that asked will meet the same error and report it.
            pass
        finally:
            self._looking.release()
