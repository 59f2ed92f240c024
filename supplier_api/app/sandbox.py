"""Binds the test bench to where production has a seam. Imported in the sandbox profile alone.

What only a web server needs is in `sandbox_web`: a worker loads no web framework.
"""

from collections.abc import Mapping
from typing import Any

from supplier_api.app.sessions import build_sessions
from supplier_api.backoffice.port import Factory
from supplier_api.db import Store
from supplier_api.delivery.model import Transport
from supplier_api.delivery.scheduler import TimerSource
from supplier_api.delivery.transports import GatewayAddress
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.problems.rule_evaluation import OutcomeSource
from supplier_api.problems.services import Services
from supplier_api.problems.work import WorkOrder
from supplier_api.sandbox.clock_sync import ClockEndpoint, GatewayClockSync
from supplier_api.sandbox.fault_injection.sending import CopyingTransport
from supplier_api.sandbox.fault_injection.transport import FaultyTransport, tenant_header
from supplier_api.sandbox.journal.outgoing import OutgoingCapture
from supplier_api.sandbox.journal.recorder import Bounds, Recorder
from supplier_api.sandbox.scenarios.source import ScenarioSource, chosen_with
from supplier_api.sandbox.simulated_backoffice import SimulatedBackOffice
from supplier_api.sandbox.tenant_destinations import Destinations
from supplier_api.sandbox.virtual_clock import SteppedTimers, VirtualClock
from supplier_api.settings import Settings
from supplier_api.settings.addresses import goes_to_our_sandbox

OUTCOMES: OutcomeSource = ScenarioSource()


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
        OutgoingCapture(recorder(settings, services), services.machine),
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
    virtual_clock = VirtualClock(services, clock_sync(settings, services))
    return SteppedTimers(timers, virtual_clock, services.machine)


def clock_sync(settings: Settings, services: Services) -> GatewayClockSync:
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


def recorder(settings: Settings, services: Services) -> Recorder:
    """Return what keeps a record of traffic for testers."""
    sandbox = settings.sandbox
    bounds = Bounds(sandbox.journal_calls, sandbox.journal_bytes)
    return Recorder(services.store, services.business, bounds)
