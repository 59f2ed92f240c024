"""What a sandbox has besides: the testers' door, the journal, the gateway that follows our time."""

from supplier_api.app.sessions import answer_terms, build_sessions
from supplier_api.audit import Audit
from supplier_api.auth import BearerAuth
from supplier_api.http.api_docs import TryClient
from supplier_api.http.gateway.tokens import TOKEN_PATH
from supplier_api.problems.services import Services
from supplier_api.sandbox import admin as admin_api
from supplier_api.sandbox.clock_sync import ClockEndpoint, GatewayClockSync
from supplier_api.sandbox.destinations import address_of, try_token
from supplier_api.sandbox.journal.recorder import Bounds, Recorder
from supplier_api.sandbox.virtual_clock import VirtualClock
from supplier_api.settings import Settings
from supplier_api.settings.derived import goes_to_our_sandbox
from supplier_api.settings.production_checks import KNOWN_SECRETS


def build_clock_sync(settings: Settings, services: Services) -> GatewayClockSync:
    """Return what has the sandbox gateway's time go with ours; testers are the same there."""
    return GatewayClockSync(_clock_door(settings), build_sessions(settings), services.machine)


def _clock_door(settings: Settings) -> ClockEndpoint | None:
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


def build_recorder(settings: Settings, services: Services) -> Recorder:
    """Return what keeps a record of traffic for testers."""
    sandbox = settings.sandbox
    bounds = Bounds(sandbox.journal_calls, sandbox.journal_bytes)
    return Recorder(services.store, services.business, bounds)


def admin_parts(
    settings: Settings, services: Services, gate: BearerAuth, audit: Audit
) -> admin_api.AdminParts:
    """Return what the testers' door works with."""
    sessions, clock_sync = build_sessions(settings), build_clock_sync(settings, services)
    return admin_api.AdminParts(
        services=services,
        settings=settings,
        gate=gate,
        audit=audit,
        virtual_clock=VirtualClock(services, clock_sync),
        clock_sync=clock_sync,
        recorder=build_recorder(settings, services),
        try_token=lambda destination: try_token(
            address_of(destination, answer_terms(settings)), sessions, services.machine
        ),
    )
