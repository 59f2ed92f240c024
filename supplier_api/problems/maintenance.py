"""Maintenance: what the gateway asks is kept and answered 202, and decided when it is over.

To this gateway an answer of 5xx is a lost problem, so that there is no time at which we may be
closed. While the rule book cannot be asked, because people say so or because a source of its facts
is down, the decision is put off: a timer of the kind `decide` stands for it, due at once, and the
worker passes over such timers until decisions can be made again.
"""

import threading
from dataclasses import dataclass

from supplier_api.db import StoreUnavailable, UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.problems.services import Services
from supplier_api.problems.switch_repository import MAINTENANCE, Switch, SwitchRepository
from supplier_api.problems.timer_repository import DECIDE, Timer, TimerRepository
from supplier_api.problems.transition import Transition
from supplier_api.rules.model import Operation

# How long a process may go on before it notices that maintenance began or ended.
LOOK_EVERY = 1.0  # seconds
LOOK_SECONDS = 0.5  # that a look may take: a request waits for it


@dataclass(frozen=True, slots=True)
class MaintenanceView:
    """Whether there is maintenance, and how many decisions are put off for whatever reason."""

    switch: Switch | None
    put_off: int


class Maintenance:
    """The switch, as one process sees it.

    It is looked at once a second, not with every request. Nothing hangs on the moment at which a
    process notices: what was put off too late is decided at once, what was decided too late stays.
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
        """Begin maintenance; returns False if it was begun before. Raises StoreUnavailable."""
        now = self._services.machine.now()

        def work(uow: UnitOfWork) -> bool:
            begun = SwitchRepository(uow).on(Switch(MAINTENANCE, who, reason, now))
            if begun:
                OperatorActionRepository(uow).add(Action(now, who, "maintenance-on", reason))
            return begun

        return self._services.store.write(work)

    def end(self, who: str, reason: str) -> bool:
        """End maintenance: what was put off is decided now. Returns False if there was none.

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
        """Return what there is now. Raises StoreUnavailable."""
        return self._services.store.read(
            lambda uow: MaintenanceView(
                SwitchRepository(uow).get(MAINTENANCE), TimerRepository(uow).count(DECIDE)
            )
        )

    def _look(self) -> None:
        # One thread looks; the others go by what was seen last.
        if not self._looking.acquire(blocking=False):
            return
        try:
            now = self._services.machine.monotonic()
            self._look_at = now + LOOK_EVERY
            seen = self._services.store.read(
                lambda uow: SwitchRepository(uow).get(MAINTENANCE), deadline=now + LOOK_SECONDS
            )
            self._lasts = seen is not None
        except StoreUnavailable:
            # Whoever asked will meet the same trouble, and say so.
            pass
        finally:
            self._looking.release()


def put_off(
    transition: Transition,
    operation: Operation,
    key: str,
    subject: str,
) -> None:
    """Have the rule book decide later on what was asked under `key`; the case is finished.

    `subject` is our reference of the problem, or of the change that is asked for.
    """
    data = {"operation": operation, "key": key}
    problem = transition.problem
    TimerRepository(transition.uow).add(
        Timer(problem.id, problem.tenant, DECIDE, transition.now, subject, data)
    )
