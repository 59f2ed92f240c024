"""The web application: the doors, and what is behind them."""

from collections.abc import Sequence

from flask import Flask, Response, jsonify

from supplier_api.app.rule_upkeep import RuleUpkeep
from supplier_api.app.services import ClockPair, build_services, closed_on_error
from supplier_api.audit import Audit
from supplier_api.auth import AccessTokens, ClientCredentials, KeyRing, stored_keys
from supplier_api.backoffice.hooks import Hook
from supplier_api.backoffice.pull import PULL, PullBackOffice
from supplier_api.contract import CONTRACT
from supplier_api.db import StoreUnavailable, UnitOfWork
from supplier_api.delivery.pause_admin import stands_still
from supplier_api.delivery.pull import PulledOrders
from supplier_api.http import gateway as gateway_api
from supplier_api.http.api_docs import TryClient
from supplier_api.http.backoffice.events import register as register_backoffice
from supplier_api.http.backoffice.hooks import Hooks
from supplier_api.http.request_parsing import check_requests
from supplier_api.http.server import HttpServer, ServerLimits, TimeSummary
from supplier_api.operations import heartbeat
from supplier_api.operations.heartbeat import Activity, Heartbeat, ProcessInfo
from supplier_api.operations.processes import REQUEST, REQUEST_TIMES, ProcessKind
from supplier_api.outbox.pauses import Pause, PauseRepository
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.rule_evaluation import RULE_BOOK_ONLY, RuleEvaluator
from supplier_api.problems.services import Services
from supplier_api.settings import Settings

# For an answer of the database where no gateway waits: a thread is held as long.
CALLER_SECONDS = 10.0
READY_SECONDS = 1.0  # that the database has to show that it can be read
RETRY_AFTER = 2  # seconds
# Paths that are answered while every thread for requests is busy.
RESERVED = {
    "health": ("/health/", "/metrics"),
    "token": ("/oauth2/",),
    "console": ("/console",),
}
TIMES = "times"


def create_app(settings: Settings, clocks: ClockPair | None = None) -> Flask:
    """Return the supplier's web application.

    Raises what build_services and RuleUpkeep raise.
    """
    services = build_services(settings, clocks, CALLER_SECONDS)
    with closed_on_error(services):
        return _wire(settings, services)


def _wire(settings: Settings, services: Services) -> Flask:
    app = Flask("supplier_api", static_folder=None)
    ring = KeyRing(lambda: stored_keys(services.store, services.machine), services.machine)
    tokens = AccessTokens(settings.access, ring, services.machine, services.id_source)
    audit = Audit(services.machine)
    upkeep = RuleUpkeep(settings, services)
    rule_evaluator = upkeep.rule_evaluator
    outcomes, extension = RULE_BOOK_ONLY, None
    try_clients: Sequence[TryClient] = ()
    if settings.in_sandbox:
        from supplier_api.app import sandbox, sandbox_web

        outcomes, extension = sandbox.OUTCOMES, sandbox_web.REQUEST_EXTENSION
        try_clients = sandbox_web.try_clients(settings)
    api = gateway_api.register(
        app,
        gateway_api.Dependencies(
            use_cases=gateway_api.GatewayRequests(services, rule_evaluator, outcomes),
            tokens=tokens,
            credentials=ClientCredentials(settings.access, tokens),
            ring=ring,
            server=settings.server,
            machine=services.machine,
            id_source=services.id_source,
            audit=audit,
            extension=extension,
            try_clients=try_clients,
        ),
    )
    activity = _activity_of(app, services)
    register_backoffice(
        api,
        tokens,
        services,
        settings.server.max_body,
        audit,
        Hooks(Hook(settings.backoffice), services.store, services.machine),
        _pulled_orders(settings, services, activity),
    )
    if settings.in_sandbox:
        page = sandbox_web.add_to_web(app, api, settings, services, tokens, audit)
    check_requests(app)
    _add_health(app, services, rule_evaluator)
    if settings.in_sandbox:
        from supplier_api.app.console import mount_console

        mount_console(app, settings, services, rule_evaluator, audit, first=[page])
    app.extensions["services"] = services
    app.extensions["audit"] = audit
    app.extensions["upkeep"] = upkeep
    upkeep.show_in(activity)
    app.extensions["self"] = ProcessInfo(
        ProcessKind.WEB, activity, lambda: rule_evaluator.book_version
    )
    return app


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


def _activity_of(app: Flask, services: Services) -> Activity:
    """Return the activity of a web server, which every call of the gateway shows."""
    activity = Activity(services.machine)
    times = app.extensions[TIMES] = TimeSummary()
    activity.report(REQUEST_TIMES, times.plain)
    activity.watch(REQUEST, lambda: app.extensions.get(gateway_api.LAST_CALL))
    return activity


def build_server(app: Flask, settings: Settings) -> HttpServer:
    """Return what listens for the supplier's web application; raises OSError if it cannot."""
    server = settings.server
    limits = ServerLimits(
        threads=server.threads,
        room=server.queue,
        patience=server.answer_budget,
        # One byte more than is allowed, as the application reads it.
        max_body=server.max_body + 1,
        reserved=RESERVED,
    )
    return HttpServer(app, limits, server.host, server.port, app.extensions[TIMES])


def build_heartbeat(app: Flask, settings: Settings) -> Heartbeat:
    """Return the sign of life of a web server's process."""
    return heartbeat.build_heartbeat(settings, app.extensions["services"], app.extensions["self"])


def _add_health(app: Flask, services: Services, rule_evaluator: RuleEvaluator) -> None:
    contract = {
        "supplierApi": CONTRACT.supplier_api,
        "supplierUpdatesApi": CONTRACT.supplier_updates,
    }

    @app.get("/health/live")
    def live() -> Response:
        """Answer as long as the process can answer at all."""
        return jsonify(status="live", contract=contract)

    @app.get("/health/ready")
    def ready() -> Response:
        """Answer 200 when the database can be read and written, else 503 with the cause.

        Whether it can be written is known from what was written in the last seconds, by requests
        and by the sign of life; reading is tried, for a second. Neither what holds delivery up nor
        decisions that are put off are a reason to be sent no more requests: they are told.
        """
        now, until = services.machine.now(), services.machine.monotonic() + READY_SECONDS

        def work(uow: UnitOfWork) -> list[Pause]:
            ProblemRepository(uow).any()
            return PauseRepository(uow).active(now)

        if why := services.store.recent_failure():
            return unready(why)
        try:
            held_up = stands_still(services.store.read(work, deadline=until), now)
        except StoreUnavailable as error:
            return unready(str(error))
        put_off = rule_evaluator.why_postponed()
        told = {"decisionsPutOff": put_off} if put_off else {}
        return jsonify(status="ready", contract=contract, delivery=held_up, **told)

    def unready(why: str) -> Response:
        response = jsonify(status="unavailable", database=why)
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER)
        return response
