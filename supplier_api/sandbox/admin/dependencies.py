"""What the testers' door works with; bound in one place, when the application is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import BoundedSemaphore

from flask import Response

from supplier_api.audit import Audit
from supplier_api.auth import BearerAuth
from supplier_api.contract import envelope
from supplier_api.contract.codes import ErrorCode
from supplier_api.http.bodies import json_response
from supplier_api.problems.services import Services
from supplier_api.sandbox.clock_sync import GatewayClockSync
from supplier_api.sandbox.journal.recorder import Recorder
from supplier_api.sandbox.virtual_clock import VirtualClock
from supplier_api.settings import Settings

WAITING_MAX = 8


@dataclass(frozen=True, slots=True)
class AdminParts:
    """All that the routes need."""

    services: Services
    settings: Settings
    gate: BearerAuth
    audit: Audit
    virtual_clock: VirtualClock
    clock_sync: GatewayClockSync
    recorder: Recorder
    # Asks the token endpoint of a destination; raises http_client.grants.NoTokenError.
    try_token: Callable[[Mapping[str, str]], object]
    # Held by each request that is kept waiting on purpose, so that some threads are left for all
    # others: at most half of them.
    waiting: BoundedSemaphore = field(init=False)

    def __post_init__(self) -> None:
        """Let as many requests wait as the settings have threads for."""
        most = min(WAITING_MAX, max(1, self.settings.server.threads // 2))
        object.__setattr__(self, "waiting", BoundedSemaphore(most))

    def refuse(self, status: int, code: ErrorCode, *messages: str) -> Response:
        """Return an error answer in the published envelope."""
        uuid = str(self.services.chance.uuid(""))
        return json_response(envelope(code, messages, uuid), status)
