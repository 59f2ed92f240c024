"""What a sandbox has besides: the testers' door, the journal, the gateway that follows our time."""

from supplier_api import admin_api
from supplier_api.access import Gate
from supplier_api.app.sessions import build_sessions
from supplier_api.delivery.destinations import try_token
from supplier_api.delivery.follower import ClockDoor, FollowingGateway
from supplier_api.desk.clockwork import Clockwork
from supplier_api.desk.model import Office
from supplier_api.journal.recorder import Bounds, Recorder
from supplier_api.settings import Settings


def build_follower(settings: Settings, office: Office) -> FollowingGateway:
    """Return the sandbox gateway, whose time goes with ours; testers are the same there."""
    gateway = settings.gateway.kci_url.removesuffix("/kcis")
    client = settings.access.clients.get("admin")
    door = ClockDoor(
        clock_url=f"{gateway}/admin/clock",
        token_url=f"{gateway}/auth/admin/access-token",
        client_id="admin",
        client_secret=client.secret.get_secret_value() if client else "",
    )
    return FollowingGateway(door, build_sessions(settings), office.machine)


def build_recorder(settings: Settings, office: Office) -> Recorder:
    """Return what keeps a record of traffic for testers."""
    sandbox = settings.sandbox
    bounds = Bounds(sandbox.journal_calls, sandbox.journal_bytes)
    return Recorder(office.store, office.business, bounds)


def admin_parts(settings: Settings, office: Office, gate: Gate) -> admin_api.AdminParts:
    """Return what the testers' door works with."""
    sessions, follower = build_sessions(settings), build_follower(settings, office)
    return admin_api.AdminParts(
        office=office,
        settings=settings,
        gate=gate,
        clockwork=Clockwork(office, follower),
        follower=follower,
        recorder=build_recorder(settings, office),
        try_token=lambda address: try_token(address, sessions, office.machine),
    )
