"""Binds the test bench to where production has a seam. Imported in the sandbox profile alone."""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from supplier_api.app.sessions import answer_terms, build_sessions
from supplier_api.audit import Audit
from supplier_api.auth import AccessTokens
from supplier_api.backoffice.port import Factory
from supplier_api.db import Store
from supplier_api.delivery.model import Transport
from supplier_api.delivery.scheduler import TimerSource
from supplier_api.delivery.transports import GatewayAddress
from supplier_api.http.api_docs import TryClient
from supplier_api.http.gateway.errors import SupplierApi
from supplier_api.http.gateway.tokens import TOKEN_PATH
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.problems.rule_evaluation import OutcomeSource
from supplier_api.problems.services import Services
from supplier_api.problems.work import WorkOrder
from supplier_api.sandbox import admin
from supplier_api.sandbox.clock_sync import ClockEndpoint, GatewayClockSync, try_token
from supplier_api.sandbox.fault_injection.sending import CopyingTransport
from supplier_api.sandbox.fault_injection.transport import FaultyTransport, tenant_header
from supplier_api.sandbox.fault_injection.wsgi import inject_answer_faults
from supplier_api.sandbox.journal.capture import OutgoingCapture, keep_requests, record_calls
from supplier_api.sandbox.journal.recorder import Bounds, Recorder
from supplier_api.sandbox.scenarios.choice import EXTENSION as REQUEST_EXTENSION
from supplier_api.sandbox.scenarios.source import ScenarioSource, chosen_with
from supplier_api.sandbox.simulated_backoffice import SimulatedBackOffice
from supplier_api.sandbox.tenant_destinations import Destinations, address_of
from supplier_api.sandbox.virtual_clock import SteppedTimers, VirtualClock
from supplier_api.settings import Settings
from supplier_api.settings.addresses import goes_to_our_sandbox
from supplier_api.settings.secrets import KNOWN_SECRETS

OUTCOMES: OutcomeSource = ScenarioSource()
__all__ = [
    "OUTCOMES",
    "REQUEST_EXTENSION",
    "adapters",
    "add_to_web",
    "gateway_transport",
    "stepped",
    "try_clients",
]


def add_to_web(
    app: Flask,
    api: SupplierApi,
    settings: Settings,
    services: Services,
    tokens: AccessTokens,
    audit: Audit,
) -> None:
    """Add the testers' door, the faults of answers and the journal to a web application."""
    parts = _admin_parts(settings, services, tokens, audit)
    admin.register(api, parts)
    keep_requests(app)
    inject_answer_faults(app, parts)
    record_calls(app, parts.recorder, services.machine)
    app.extensions["recorder"] = parts.recorder


def gateway_transport(
    settings: Settings,
    services: Services,
    address: GatewayAddress,
    sessions: Sessions,
    watchdog: Watchdog,
) -> Transport:
    """Return the way to the gateways that testers may name, recorded, with their faults."""
    transport = CopyingTransport(
        address,
        sessions,
        watchdog,
        services.machine,
        services.id_source,
        Destinations(services.store, address.answers).of,
        OutgoingCapture(_recorder(settings, services), services.machine),
        tenant_header,
    )
    return FaultyTransport(transport, services.store, services.machine)


def adapters(store: Store | None = None) -> Mapping[str, Factory]:
    """Return the sandbox's adapter to a back office: one that is played.

    It plays the scenarios that are kept in `store`; without one, the default.
    """

    def chosen(order: WorkOrder) -> Mapping[str, Any]:
        return store.read(lambda uow: chosen_with(uow, order)) if store else {}

    return {"simulated": lambda settings: SimulatedBackOffice(settings, chosen)}


def stepped(timers: TimerSource, settings: Settings, services: Services) -> TimerSource:
    """Return the timers with the steps of moved clocks between them."""
    virtual_clock = VirtualClock(services, _clock_sync(settings, services))
    return SteppedTimers(timers, virtual_clock, services.machine)


def _clock_sync(settings: Settings, services: Services) -> GatewayClockSync:
    """Return what has the sandbox gateway's time go with ours; testers are the same there."""
    return GatewayClockSync(_clock_endpoint(settings), build_sessions(settings), services.machine)


def _clock_endpoint(settings: Settings) -> ClockEndpoint | None:
    """Return the clock of a gateway that is ours; nobody else's is moved, nor shown our secret."""
    if not goes_to_our_sandbox(settings):
        return None
    gateway = settings.sandbox.url.rstrip("/")
    client = settings.access.clients.get("admin")
    return ClockEndpoint(
        clock_url=f"{gateway}/admin/clock",
        token_url=f"{gateway}/auth/admin/access-token",
        client_id="admin",
        client_secret=client.secret.get_secret_value() if client else "",
    )


def try_clients(settings: Settings) -> list[TryClient]:
    """Return the clients that the page /docs calls as: those whose secrets everybody knows."""
    return [
        TryClient(path, name, secret, TOKEN_PATH)
        for path, name in (("/admin/", "admin"), ("/back-office/", "back-office"), ("/", "gateway"))
        if (client := settings.access.clients.get(name))
        if (secret := client.secret.get_secret_value()) in KNOWN_SECRETS
    ]


def _recorder(settings: Settings, services: Services) -> Recorder:
    """Return what keeps a record of traffic for testers."""
    sandbox = settings.sandbox
    bounds = Bounds(sandbox.journal_calls, sandbox.journal_bytes)
    return Recorder(services.store, services.business, bounds)


def _admin_parts(
    settings: Settings, services: Services, tokens: AccessTokens, audit: Audit
) -> admin.AdminParts:
    """Return what the testers' door works with."""
    sessions, clock_sync = build_sessions(settings), _clock_sync(settings, services)
    return admin.AdminParts(
        services=services,
        settings=settings,
        tokens=tokens,
        audit=audit,
        virtual_clock=VirtualClock(services, clock_sync),
        clock_sync=clock_sync,
        recorder=_recorder(settings, services),
        try_token=lambda destination: try_token(
            address_of(destination, answer_terms(settings)), sessions, services.machine
        ),
    )
