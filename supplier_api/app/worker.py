"""The worker: couriers, timers, chores, and what wakes them."""

from supplier_api.app.destinations import to_back_office, to_gateway
from supplier_api.app.retention import build_retaining
from supplier_api.app.sandbox import build_follower
from supplier_api.app.services import ClockPair, build_office, closed_on_error, heartbeat_of
from supplier_api.app.upkeep import Upkeep
from supplier_api.db.notify import Wakeup
from supplier_api.delivery.clock_guard import ClockGuard
from supplier_api.delivery.dispatcher import Dispatcher
from supplier_api.delivery.scheduler import Chore, Scheduler
from supplier_api.delivery.worker import Worker
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.operations.process_registry import Activity, ProcessInfo
from supplier_api.operations.process_repository import ProcessKind
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.deferred_decisions import DeferredDecisions
from supplier_api.problems.incidents import Incidents
from supplier_api.problems.inventory_incidents import InventoryIncidents
from supplier_api.problems.rule_evaluation import RuleEvaluator
from supplier_api.problems.services import Services
from supplier_api.problems.timers import DueTimerHandlers
from supplier_api.sandbox.virtual_clock import DueTimers, SteppedTimers, VirtualClock
from supplier_api.settings import Settings


def build_worker(settings: Settings, clocks: ClockPair | None = None) -> Worker:
    """Return the worker: couriers, timers and what wakes them.

    Raises what build_office and Upkeep raise, and backoffice.port.UnknownAdapter.
    """
    office = build_office(settings, clocks)
    with closed_on_error(office):
        return _wire(settings, office)


def _wire(settings: Settings, office: Services) -> Worker:
    wakeup = Wakeup(office.store.listen_url, office.machine)
    watchdog = Watchdog(office.machine)
    pulse = Activity(office.machine)
    progress = BackOfficeEvents(office)
    dispatchers = [
        Dispatcher(
            destination,
            office.store,
            office.machine,
            office.chance,
            wakeup.bell(),
            office.process,
            settings.delivery.lease,
        )
        for destination in (
            to_gateway(settings, office, progress, watchdog, pulse),
            to_back_office(settings, office, progress, pulse),
        )
    ]
    upkeep = Upkeep(settings, office)
    upkeep.show_in(pulse)
    deciding = DeferredDecisions(office, upkeep.judge)
    timers: DueTimers = DueTimerHandlers(office, progress, Incidents(office), deciding)
    if settings.in_sandbox:
        clockwork = VirtualClock(office, build_follower(settings, office))
        timers = SteppedTimers(timers, clockwork, office.machine)
    scheduler = Scheduler(
        timers,
        office.store,
        office.machine,
        wakeup.bell(),
        settings.delivery.sweep,
        _chores(settings, office, upkeep.judge, office.process),
    )
    me = ProcessInfo(ProcessKind.WORKER, pulse, lambda: upkeep.judge.book_version)
    return Worker(
        dispatchers,
        scheduler,
        wakeup,
        watchdog,
        office.machine,
        heartbeat_of(settings, office, me),
        upkeep,
        office.store,
    )


def _chores(settings: Settings, office: Services, judge: RuleEvaluator, owner: str) -> list[Chore]:
    chores: list[Chore] = [build_retaining(settings, office), InventoryIncidents(office, judge)]
    if office.store.dialect == "sqlite":
        # First: what follows in the same turn goes by the times that it may have to mend.
        chores.insert(0, ClockGuard(office.store, office.machine, owner))
    return chores
