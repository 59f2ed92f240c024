"""Business time that testers move forward, stop and let run again.

A clock is not put to its new time in one go. The worker takes it from one thing that is due to the
next: the clock stands there until that is done and everything that it led to is settled, so that a
week takes a second, and whatever happened in it happened in order, on its own day. Updates in
back-off count as due at the time of their next attempt.

    standing or running --advance, to--> moving (stands from step to step) --arrived--> as before
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from supplier_api.clock import MachineClock
from supplier_api.db import UnitOfWork
from supplier_api.delivery.scheduler import TimerSource
from supplier_api.outbox.pauses import Pause, PauseRepository
from supplier_api.problems.services import Services
from supplier_api.problems.timer_repository import ALL, BusinessClockRepository, TenantClock
from supplier_api.sandbox.clock_sync import GatewayClockSync
from supplier_api.sandbox.pending_work import Group, Outstanding, PendingWorkQueries

# Far enough from the last date there is to reckon with days beyond it.
END = datetime(9000, 1, 1, tzinfo=UTC)
# Times are written in milliseconds: what is due within the last one is due then.
MILLISECOND = timedelta(milliseconds=1)
# What a step led to is settled by other threads, and nothing wakes this one for that.
LOOK_AGAIN = timedelta(milliseconds=10)
ChangeClock = Callable[[TenantClock, datetime], TenantClock]


class StillMoving(Exception):
    """The clock is on its way: wait, or stop it."""


class Backwards(Exception):
    """A clock goes forward only."""


class TooFar(Exception):
    """Times are counted up to the year 8999."""


@dataclass(frozen=True, slots=True)
class MovedClock:
    """Where a clock is: its time, whether it stands, and where it is moved to, if it is."""

    now: datetime
    stands: bool
    target: datetime | None


@dataclass(frozen=True, slots=True)
class _ClockStep:
    """A clock as it is after a step, and how far the step takes it."""

    clock: TenantClock
    by: timedelta


class VirtualClock:
    """Moves the clocks. The tenant None stands for all clocks, "" for that of most tenants."""

    def __init__(self, services: Services, clock_sync: GatewayClockSync) -> None:
        """Work with `services`; `clock_sync` passes each step on before it is taken."""
        self._services = services
        self._clock_sync = clock_sync

    def advance(self, tenant: str | None, by: timedelta) -> None:
        """Begin to move clocks forward by a time. Raises StillMoving and TooFar."""
        self._begin_move(tenant, lambda now: now + by)

    def go_to(self, tenant: str | None, instant: datetime) -> None:
        """Begin to move clocks to an instant. Raises StillMoving, Backwards and TooFar."""
        self._begin_move(tenant, lambda _: instant)

    def freeze(self, tenant: str | None) -> None:
        """Stop clocks where they are, on their way or not."""
        self._change(tenant, lambda clock, now: TenantClock(clock.tenant, stands_at=now))

    def run(self, tenant: str | None) -> None:
        """Let clocks run on from where they are; the way of one that was moved ends there."""
        machine = self._services.machine.now()
        self._change(tenant, lambda clock, now: TenantClock(clock.tenant, ahead=now - machine))

    def clocks(self) -> dict[str, MovedClock]:
        """Return where each clock is, by tenant."""
        machine = self._services.machine.now()
        clocks = self._services.store.read(lambda uow: BusinessClockRepository(uow).by_tenant())
        return {
            tenant: MovedClock(clock.scale.at(machine), clock.stands_at is not None, clock.target)
            for tenant, clock in clocks.items()
        }

    def outstanding(self, tenant: str | None) -> list[Outstanding]:
        """Return what is to be done for a tenant; with None for all, in parts."""

        def look(uow: UnitOfWork) -> list[Outstanding]:
            machine = self._services.machine.now()
            if tenant:
                business = BusinessClockRepository(uow).scale(tenant).at(machine)
                return [PendingWorkQueries(uow).outstanding(Group(tenant), business, machine)]
            clocks = BusinessClockRepository(uow).by_tenant()
            return [
                PendingWorkQueries(uow).outstanding(
                    _group(clock, clocks), clock.scale.at(machine), machine
                )
                for clock in clocks.values()
            ]

        return self._services.store.read(look)

    def pauses(self, tenant: str | None) -> list[Pause]:
        """Return what holds messages of a tenant up; with None, anybody's."""
        machine = self._services.machine.now()
        active = self._services.store.read(lambda uow: PauseRepository(uow).active(machine))
        return [each for each in active if not tenant or each.scope.tenant in {None, tenant}]

    def step(self) -> int:
        """Take each clock that is moved, and need not wait, to the next thing due or to its end.

        Returns how many were taken on. Raises StoreUnavailable.
        """
        return sum(self._step(tenant) for tenant, clock in self.clocks().items() if clock.target)

    def _step(self, tenant: str) -> int:
        def take(uow: UnitOfWork) -> int:
            clocks = BusinessClockRepository(uow).lock()
            step = self._next(uow, clocks, tenant)
            if step is None:
                return 0
            machine = self._services.machine.now()
            PendingWorkQueries(uow).bring_forward(_group(step.clock, clocks), step.by, machine)
            BusinessClockRepository(uow).put(step.clock)
            return 1

        step = self._services.store.read(
            lambda uow: self._next(uow, BusinessClockRepository(uow).by_tenant(), tenant)
        )
        if step is None:
            return 0
        # Before it is taken, not after: what it leads to arrives there at once.
        self._sync_gateway(step.clock)
        return self._services.store.write(take)

    def _begin_move(self, tenant: str | None, target_for: Callable[[datetime], datetime]) -> None:
        def change(clock: TenantClock, now: datetime) -> TenantClock:
            if clock.target:
                raise StillMoving
            target = target_for(now)
            if target < now:
                raise Backwards
            if target >= END:
                raise TooFar
            runs_on = clock.stands_at is None
            return replace(clock, stands_at=now, target=target, runs_on=runs_on)

        self._change(tenant, change)

    def _change(self, tenant: str | None, change: ChangeClock) -> None:
        def work(uow: UnitOfWork) -> list[TenantClock]:
            machine = self._services.machine.now()
            clocks = BusinessClockRepository(uow).lock()
            if tenant is not None:
                clocks = {tenant: clocks.get(tenant, replace(clocks[ALL], tenant=tenant))}
            changed = [change(clock, clock.scale.at(machine)) for clock in clocks.values()]
            for clock in changed:
                BusinessClockRepository(uow).put(clock)
            return changed

        for clock in self._services.store.write(work):
            self._sync_gateway(clock)

    def _sync_gateway(self, clock: TenantClock) -> None:
        at = clock.scale.at(self._services.machine.now())
        self._clock_sync.put(clock.tenant, at, stands=clock.stands_at is not None)

    def _next(
        self, uow: UnitOfWork, clocks: dict[str, TenantClock], tenant: str
    ) -> _ClockStep | None:
        """Return the next step of a clock that is moved; None while it has to wait."""
        machine = self._services.machine.now()
        clock = clocks.get(tenant, TenantClock(tenant))
        if clock.target is None or clock.stands_at is None:
            return None
        left = PendingWorkQueries(uow).outstanding(_group(clock, clocks), clock.stands_at, machine)
        if not left.settled:
            return None
        due = [left.next_timer] if left.next_timer else []
        if left.next_retry:
            due.append(clock.stands_at + (left.next_retry - machine))
        if due and min(due) < clock.target + MILLISECOND:
            at = min(due)
            after = replace(clock, stands_at=at)
        else:
            at = max(clock.target, clock.stands_at)
            after = (
                TenantClock(tenant, ahead=at - machine)
                if clock.runs_on
                else TenantClock(tenant, stands_at=at)
            )
        return _ClockStep(after, at - clock.stands_at)


def _group(clock: TenantClock, clocks: dict[str, TenantClock]) -> Group:
    return Group(clock.tenant, frozenset(clocks) - {ALL})


class SteppedTimers:
    """The timers where clocks are moved: first what is due, then a step of each moved clock."""

    def __init__(
        self, timers: TimerSource, virtual_clock: VirtualClock, machine: MachineClock
    ) -> None:
        """Run `timers` and let `virtual_clock` take its steps between them."""
        self._timers = timers
        self._virtual_clock = virtual_clock
        self._machine = machine

    def run_due(self, limit: int, go_on: Callable[[], bool]) -> int:
        """Run what is due, or else take clocks on; return how many of either."""
        return self._timers.run_due(limit, go_on) or self._virtual_clock.step()

    def next_due(self) -> datetime | None:
        """Return the machine time at which to look again; soon while a clock is moved."""
        if any(clock.target for clock in self._virtual_clock.clocks().values()):
            return self._machine.now() + LOOK_AGAIN
        return self._timers.next_due()
