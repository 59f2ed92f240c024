"""What the routes of /admin work with."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import cast

from flask import Response, current_app

from supplier_api.audit import Audit
from supplier_api.auth import AccessTokens
from supplier_api.contract import envelope
from supplier_api.contract.codes import ErrorCode
from supplier_api.http.request_parsing import json_response
from supplier_api.problems.services import Services
from supplier_api.sandbox.clock_sync import GatewayClockSync
from supplier_api.sandbox.journal.recorder import Recorder
from supplier_api.sandbox.virtual_clock import VirtualClock
from supplier_api.settings import Settings, is_loopback

EXTENSION = "admin"
WAITING_MAX = 8
POLL = 0.02  # seconds between two looks at the database


@dataclass(frozen=True, slots=True)
class AdminParts:
    """All that the routes need."""

    services: Services
    settings: Settings
    tokens: AccessTokens
    audit: Audit
    virtual_clock: VirtualClock
    clock_sync: GatewayClockSync
    recorder: Recorder
    # Asks the token endpoint of a destination; raises http_client.grants.NoTokenError.
    try_token: Callable[[Mapping[str, str]], object]
    # Held by each request that is kept waiting on purpose, so that some threads are left for all
    # others: at most half of them.
    waiting: BoundedSemaphore = field(init=False)
    # Beyond loopback a token is asked for.
    on_loopback: bool = field(init=False)

    def __post_init__(self) -> None:
        """Let as many requests wait as the settings have threads for."""
        object.__setattr__(self, "on_loopback", is_loopback(self.settings.server.host))
        most = min(WAITING_MAX, max(1, self.settings.server.threads // 2))
        object.__setattr__(self, "waiting", BoundedSemaphore(most))

    def refuse(self, status: int, code: ErrorCode, *messages: str) -> Response:
        """Return an error answer in the published envelope."""
        uuid = str(self.services.id_source.uuid(""))
        return json_response(envelope(code, messages, uuid), status)

    def wait_until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Look again and again, for up to `seconds`; return whether it became so.

        While as many wait as may, a further one is answered as if it did not want to wait.
        """
        if is_so():
            return True
        if not self.waiting.acquire(blocking=False):
            return False
        machine = self.services.machine
        until, pause = machine.monotonic() + seconds, threading.Event()
        try:
            while not is_so():
                left = until - machine.monotonic()
                if left <= 0:
                    return False
                pause.wait(min(POLL, left))
            return True
        finally:
            self.waiting.release()


def bench() -> AdminParts:
    """Return the parts of the application that answers the current request."""
    return cast("AdminParts", current_app.extensions[EXTENSION])
