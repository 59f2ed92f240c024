"""The web applications: for each listener one, with its doors and what is behind them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, redirect

from supplier_api.app.rule_upkeep import RuleUpkeep
from supplier_api.app.services import ClockPair, build_services, closed_on_error
from supplier_api.audit import Audit
from supplier_api.auth import AccessTokens, ClientCredentials, KeyRing, stored_keys
from supplier_api.backoffice.hooks import Hook
from supplier_api.backoffice.pull import PULL, PullBackOffice
from supplier_api.delivery.pull import PulledOrders
from supplier_api.http import gateway as gateway_api
from supplier_api.http.api_docs import TryClient
from supplier_api.http.backoffice import door as back_office
from supplier_api.http.backoffice.openapi import add_calls, describe_door
from supplier_api.http.gateway.errors import SupplierApi
from supplier_api.http.health import add_health
from supplier_api.http.request_parsing import check_requests
from supplier_api.http.request_queue import TimeSummary
from supplier_api.http.server import HttpServer, ServerLimits
from supplier_api.operations import heartbeat
from supplier_api.operations.heartbeat import Activity, Heartbeat, ProcessInfo
from supplier_api.operations.processes import DOORS, REQUEST, REQUEST_TIMES, ProcessKind
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.incidents import Incidents
from supplier_api.problems.rule_evaluation import RULE_BOOK_ONLY, RuleEvaluator
from supplier_api.problems.services import Services
from supplier_api.problems.snapshots import Snapshots
from supplier_api.settings import Settings
from supplier_api.settings.doors import Door, Listener

if TYPE_CHECKING:
    from supplier_api.console.pages import Page
    from supplier_api.sandbox.admin import AdminParts

# For an answer of the database where no gateway waits: a thread is held as long.
CALLER_SECONDS = 10.0
# Paths that are answered while every thread for requests is busy.
RESERVED = {"health": ("/health/", "/metrics"), "token": ("/oauth2/",)}
# Where the console shares a port: browsers hold no thread that the gateway's requests need.
CONSOLE_RESERVED = {"console": ("/console",)}
OPERATIONS_THREADS = 2  # of a listener for nothing but operations
TIMES = "times"


@dataclass(frozen=True, slots=True)
class WebParts:
    """What the applications of one process share. `bench` is what a sandbox adds to them."""

    settings: Settings
    services: Services
    gateway: gateway_api.Dependencies
    rule_evaluator: RuleEvaluator
    activity: Activity
    bench: "AdminParts | None"


def create_app(
    settings: Settings, clocks: ClockPair | None = None, doors: Collection[Door] = tuple(Door)
) -> Flask:
    """Return the supplier's web application, with all doors or with these.

    Raises as `create_apps` does.
    """
    return create_apps(settings, [doors], clocks)[0]


def create_apps(
    settings: Settings, each: Sequence[Collection[Door]], clocks: ClockPair | None = None
) -> list[Flask]:
    """Return an application for each listener, with its doors, over the same services.

    The heartbeat tells how long the requests to the first one took. Raises what build_services and
    RuleUpkeep raise.
    """
    services = build_services(settings, clocks, CALLER_SECONDS)
    with closed_on_error(services):
        upkeep = RuleUpkeep(settings, services)
        parts = _parts(settings, services, upkeep)
        apps = [_application(parts, doors) for doors in each]
    upkeep.show_in(parts.activity)
    _report(parts.activity, apps[0], {door for doors in each for door in doors})
    for app in apps:
        app.extensions["upkeep"] = upkeep
        app.extensions["self"] = ProcessInfo(
            ProcessKind.WEB, parts.activity, lambda: upkeep.rule_evaluator.book_version
        )
    return apps


def _parts(settings: Settings, services: Services, upkeep: RuleUpkeep) -> WebParts:
    ring = KeyRing(lambda: stored_keys(services.store, services.machine), services.machine)
    tokens = AccessTokens(settings.access, ring, services.machine, services.id_source)
    audit = Audit(services.machine)
    outcomes, extension, bench = RULE_BOOK_ONLY, None, None
    try_clients: Sequence[TryClient] = ()
    if settings.in_sandbox:
        from supplier_api.app import sandbox, sandbox_web

        outcomes, extension = sandbox.OUTCOMES, sandbox_web.REQUEST_EXTENSION
        try_clients = sandbox_web.try_clients(settings)
        bench = sandbox_web.admin_parts(settings, services, tokens, audit)
    activity = Activity(services.machine)
    gateway = gateway_api.Dependencies(
        use_cases=gateway_api.GatewayRequests(services, upkeep.rule_evaluator, outcomes),
        tokens=tokens,
        credentials=ClientCredentials(settings.access, tokens),
        ring=ring,
        server=settings.server,
        machine=services.machine,
        id_source=services.id_source,
        audit=audit,
        metrics=activity.metrics,
        extension=extension,
        try_clients=try_clients,
    )
    return WebParts(settings, services, gateway, upkeep.rule_evaluator, activity, bench)


def _application(parts: WebParts, doors: Collection[Door]) -> Flask:
    """Return an application with these doors; what another door has is an unknown path there."""
    app = Flask("supplier_api", static_folder=None)
    if Door.GATEWAY in doors:
        api = gateway_api.register(app, parts.gateway)
    else:
        api = _without_gateway(app, parts, doors)
    if Door.BACK_OFFICE in doors:
        _add_back_office(app, api, parts)
    if parts.bench:
        _add_bench(app, api, parts.bench, doors)
    check_requests(app)
    add_health(app, parts.services, parts.rule_evaluator.why_postponed)
    if Door.CONSOLE in doors:
        _add_console(app, parts)
        if Door.GATEWAY not in doors:
            app.add_url_rule("/", "to_console", lambda: redirect("/console/"))
    app.extensions["services"] = parts.services
    app.extensions["audit"] = parts.gateway.audit
    app.extensions[TIMES] = TimeSummary(parts.activity.metrics.refused_unread)
    return app


def _without_gateway(app: Flask, parts: WebParts, doors: Collection[Door]) -> SupplierApi:
    """Prepare an application without the gateway's door; return its description."""
    gateway_api.prepare(app, parts.gateway)
    if Door.BACK_OFFICE not in doors:
        # For its errors: nothing is described, and no description is served.
        return describe_door(app, docs=False)
    gateway_api.add_tokens(app)
    clients = [
        each
        for each in parts.gateway.try_clients
        if each.path != "/" and back_office.PREFIX.startswith(each.path)
    ]
    return describe_door(app, docs=parts.settings.server.docs, clients=clients)


def _add_back_office(app: Flask, api: SupplierApi, parts: WebParts) -> None:
    settings, services = parts.settings, parts.services
    events = BackOfficeEvents(services)
    app.extensions[back_office.EXTENSION] = back_office.DoorParts(
        services=services,
        tokens=parts.gateway.tokens,
        audit=parts.gateway.audit,
        max_body=settings.server.max_body,
        events=events,
        snapshots=Snapshots(services, events),
        incidents=Incidents(services),
        hook=Hook(settings.backoffice),
        orders=_pulled_orders(settings, services, parts.activity),
    )
    add_calls(api)


def _add_console(app: Flask, parts: WebParts) -> None:
    # Its templates and forms are nothing that the other doors need.
    from supplier_api.app.console import mount_console

    first: list[Page] = []
    if parts.bench:
        from supplier_api.sandbox.console import sandbox_page

        first = [sandbox_page(parts.bench)]
    audit = parts.gateway.audit
    mount_console(app, parts.settings, parts.services, parts.rule_evaluator, audit, first)


def _add_bench(app: Flask, api: SupplierApi, bench: "AdminParts", doors: Collection[Door]) -> None:
    from supplier_api.app import sandbox_web

    if Door.GATEWAY in doors:
        sandbox_web.add_to_gateway(app, api, bench)
    elif Door.BACK_OFFICE in doors:
        sandbox_web.add_journal(app, bench)


def _pulled_orders(
    settings: Settings, services: Services, activity: Activity
) -> PulledOrders | None:
    """Return the orders that the back office fetches; None where the worker sends them."""
    if settings.backoffice.adapter != PULL:
        return None
    # It loads what calls others, which no other web server needs.
    from supplier_api.app.destinations import to_back_office

    progress, adapter = BackOfficeEvents(services), PullBackOffice(settings.backoffice)
    return PulledOrders(services, to_back_office(settings, services, progress, activity, adapter))


def _report(activity: Activity, app: Flask, doors: Collection[Door]) -> None:
    """Have a web server's activity tell its doors, and of requests to one of its applications."""
    activity.report(DOORS, lambda: {str(door): True for door in Door if door in doors})
    times: TimeSummary = app.extensions[TIMES]
    activity.report(REQUEST_TIMES, times.plain)
    activity.watch(REQUEST, lambda: app.extensions.get(gateway_api.LAST_CALL))


def build_server(app: Flask, settings: Settings, listener: Listener) -> HttpServer:
    """Return what listens for one application; raises OSError if it cannot."""
    server = settings.server
    only_operations = listener.doors == (Door.OPERATIONS,)
    limits = ServerLimits(
        threads=OPERATIONS_THREADS if only_operations else server.threads,
        room=server.queue,
        patience=server.answer_budget,
        # One byte more than is allowed, as the application reads it.
        max_body=_max_body(settings, listener) + 1,
        reserved=_reserved(listener),
    )
    host, port = listener.address.host, listener.address.port
    return HttpServer(app, limits, host, port, app.extensions[TIMES])


def _max_body(settings: Settings, listener: Listener) -> int:
    if Door.CONSOLE not in listener.doors:
        return settings.server.max_body
    # As the console itself: only who serves it loads it.
    from supplier_api.console.app import MAX_FORM

    return max(settings.server.max_body, MAX_FORM)


def _reserved(listener: Listener) -> dict[str, tuple[str, ...]]:
    if listener.doors == (Door.OPERATIONS,):
        return {}
    shared = Door.CONSOLE in listener.doors and len(listener.doors) > 1
    return RESERVED | (CONSOLE_RESERVED if shared else {})


def build_heartbeat(app: Flask, settings: Settings) -> Heartbeat:
    """Return the sign of life of a web server's process."""
    return heartbeat.build_heartbeat(settings, app.extensions["services"], app.extensions["self"])
