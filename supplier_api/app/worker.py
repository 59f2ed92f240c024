"""The worker: couriers, timers, chores, and what wakes them."""

from supplier_api.app.destinations import to_back_office, to_gateway
from supplier_api.app.office import Clocks, build_office, closed_on_error, heartbeat_of
from supplier_api.app.retaining import build_retaining
from supplier_api.app.sandbox import build_follower
from supplier_api.app.upkeep import Upkeep
from supplier_api.delivery.clock_guard import ClockGuard
from supplier_api.delivery.dispatch import Dispatcher
from supplier_api.delivery.scheduler import Chore, Scheduler
from supplier_api.delivery.watchdog import Watchdog
from supplier_api.delivery.worker import Worker
from supplier_api.desk.clockwork import Clockwork, DueTimers, SteppedTimers
from supplier_api.desk.deciding import Deciding
from supplier_api.desk.facts import Judge
from supplier_api.desk.incidents import Incidents
from supplier_api.desk.inventory_incidents import InventoryIncidents
from supplier_api.desk.model import Office
from supplier_api.desk.presence import Pulse, Self
from supplier_api.desk.progress import Progress
from supplier_api.desk.timers import Timers
from supplier_api.settings import Settings
from supplier_api.store.processes import Kind
from supplier_api.store.wakeup import Wakeup


def build_worker(settings: Settings, clocks: Clocks | None = None) -> Worker:
    """Return the worker: couriers, timers and what wakes them.

    Raises what build_office and Upkeep raise, and backoffice.port.UnknownAdapter.
    """
    office = build_office(settings, clocks)
    with closed_on_error(office):
        return _wire(settings, office)


def _wire(settings: Settings, office: Office) -> Worker:
    wakeup = Wakeup(office.store.listen_url, office.machine)
    watchdog = Watchdog(office.machine)
    pulse = Pulse(office.machine)
    progress = Progress(office)
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
    deciding = Deciding(office, upkeep.judge)
    timers: DueTimers = Timers(office, progress, Incidents(office), deciding)
    if settings.in_sandbox:
        clockwork = Clockwork(office, build_follower(settings, office))
        timers = SteppedTimers(timers, clockwork, office.machine)
    scheduler = Scheduler(
        timers,
        office.store,
        office.machine,
        wakeup.bell(),
        settings.delivery.sweep,
        _chores(settings, office, upkeep.judge, office.process),
    )
    me = Self(Kind.WORKER, pulse, lambda: upkeep.judge.book_version)
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


def _chores(settings: Settings, office: Office, judge: Judge, owner: str) -> list[Chore]:
    chores: list[Chore] = [build_retaining(settings, office), InventoryIncidents(office, judge)]
    if office.store.dialect == "sqlite":
        # First: what follows in the same turn goes by the times that it may have to mend.
        chores.insert(0, ClockGuard(office.store, office.machine, owner))
    return chores
