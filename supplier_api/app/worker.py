"""The worker: dispatchers, timers, chores, and what wakes them."""

from datetime import timedelta

from supplier_api.app.destinations import load_back_office, to_back_office, to_gateway
from supplier_api.app.rule_upkeep import RuleUpkeep
from supplier_api.app.services import ClockPair, build_services, closed_on_error
from supplier_api.backoffice.comments import ApartComments
from supplier_api.backoffice.inbox import InboxChore
from supplier_api.backoffice.poller import Poller
from supplier_api.backoffice.port import BackOffice, Comments, Parses, Polls, Reads
from supplier_api.backoffice.pull import PullBackOffice
from supplier_api.backoffice.reconcile import Reconciler, ReconcileTimer
from supplier_api.db.notify import WakeEvent, Wakeup
from supplier_api.delivery.dispatcher import Dispatcher
from supplier_api.delivery.scheduler import Chore, ClockGuard, Scheduler, TimerSource
from supplier_api.delivery.threads import Loop
from supplier_api.delivery.worker import HealthServer, Worker
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.operations.heartbeat import Activity, ProcessInfo, build_heartbeat
from supplier_api.operations.metric_samples import MetricSampleChore
from supplier_api.operations.processes import RECONCILED, ProcessKind
from supplier_api.operations.retention import RetentionChore, RetentionPolicy
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.deferred_decisions import DeferredDecisions
from supplier_api.problems.incidents import Incidents, InventoryIncidents
from supplier_api.problems.rule_evaluation import RULE_BOOK_ONLY, RuleEvaluator
from supplier_api.problems.services import Services
from supplier_api.problems.snapshots import Snapshots
from supplier_api.problems.timers import DueTimerHandlers
from supplier_api.settings import Settings


def build_worker(settings: Settings, clocks: ClockPair | None = None) -> Worker:
    """Return the worker: dispatchers, timers and what wakes them.

    Raises what build_services and RuleUpkeep raise, backoffice.port.UnknownAdapter, and OSError
    where it cannot listen.
    """
    services = build_services(settings, clocks)
    with closed_on_error(services):
        return _wire(settings, services)


def _wire(settings: Settings, services: Services) -> Worker:
    store, machine = services.store, services.machine
    wakeup, watchdog = Wakeup(store.listen_url, machine), Watchdog(machine)
    activity, progress = Activity(machine), BackOfficeEvents(services)
    snapshots = Snapshots(services, progress)
    adapter = load_back_office(settings, store)
    destinations = [to_gateway(settings, services, watchdog, activity)]
    if not isinstance(adapter, PullBackOffice):
        destinations.append(to_back_office(settings, services, progress, activity, adapter))
    dispatchers = [
        Dispatcher(
            destination,
            store,
            machine,
            services.id_source,
            wakeup.wake_event(),
            services.process,
            settings.delivery.lease,
        )
        for destination in destinations
    ]
    upkeep = RuleUpkeep(settings, services)
    upkeep.show_in(activity)
    scheduler = Scheduler(
        _timers(settings, services, progress, upkeep.rule_evaluator),
        store,
        machine,
        wakeup.wake_event(),
        settings.delivery.sweep,
        _chores(settings, services, upkeep.rule_evaluator, adapter, snapshots),
    )
    me = ProcessInfo(ProcessKind.WORKER, activity, lambda: upkeep.rule_evaluator.book_version)
    return Worker(
        dispatchers,
        scheduler,
        wakeup,
        watchdog,
        machine,
        build_heartbeat(settings, services, me),
        upkeep,
        store,
        _loops(settings, services, snapshots, adapter, activity),
        _health(settings, services),
    )


def _timers(
    settings: Settings,
    services: Services,
    progress: BackOfficeEvents,
    rule_evaluator: RuleEvaluator,
) -> TimerSource:
    """Return what is due at a time; in a sandbox with the steps of moved clocks between."""
    if not settings.in_sandbox:
        deciding = DeferredDecisions(services, rule_evaluator, RULE_BOOK_ONLY)
        return DueTimerHandlers(services, progress, Incidents(services), deciding)
    from supplier_api.app import sandbox

    deciding = DeferredDecisions(services, rule_evaluator, sandbox.OUTCOMES)
    timers = DueTimerHandlers(services, progress, Incidents(services), deciding)
    return sandbox.stepped(timers, settings, services)


def _health(settings: Settings, services: Services) -> HealthServer | None:
    """Return what tells whether the worker is well; raises OSError if it cannot listen."""
    address = settings.worker.operations_listen
    if address is None:
        return None
    # A worker that tells nobody loads no server.
    from supplier_api.http.worker_health import WorkerHealth

    try:
        return WorkerHealth(services, address.host, address.port)
    except OSError as error:
        message = f"cannot listen on {address}: {error.strerror}"
        raise OSError(error.errno, message) from None


def _loops(
    settings: Settings,
    services: Services,
    snapshots: Snapshots,
    adapter: BackOffice,
    activity: Activity,
) -> list[Loop]:
    """Return what looks at the back office's tickets, as far as its adapter can show them."""
    polling, loops = settings.polling, []
    if isinstance(adapter, Polls):
        every, overlap = (timedelta(seconds=n) for n in (polling.every, polling.overlap))
        poller = Poller(services, snapshots, adapter, every, overlap)
        loops.append(Loop("poll", poller.turn, WakeEvent(), services.machine))
    if isinstance(adapter, Polls | Reads):
        every = timedelta(seconds=polling.reconcile_every)
        timer = ReconcileTimer(services, Reconciler(services, snapshots, adapter), every)
        activity.report(RECONCILED, timer.last)
        loops.append(Loop("reconcile", timer.turn, WakeEvent(), services.machine))
    return loops


def _chores(
    settings: Settings,
    services: Services,
    rule_evaluator: RuleEvaluator,
    adapter: BackOffice,
    snapshots: Snapshots,
) -> list[Chore]:
    chores: list[Chore] = [
        RetentionChore(services, RetentionPolicy.of(settings)),
        MetricSampleChore(services.store, services.machine),
        InventoryIncidents(services, rule_evaluator),
    ]
    if isinstance(adapter, Parses):
        chores.append(InboxChore(services, adapter, snapshots))
    if isinstance(adapter, Comments):
        chores.append(ApartComments(services, adapter))
    if services.store.dialect == "sqlite":
        # First: what follows in the same turn goes by the times that it may have to mend.
        chores.insert(0, ClockGuard(services.store, services.machine, services.process))
    return chores
