"""Lets the sandbox gateway's business time go with ours, as far as it is one that can."""

from dataclasses import dataclass, field
from datetime import datetime

import orjson
import requests

from supplier_api.clock import MachineClock
from supplier_api.http_client.calls import NETWORK_ERRORS
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.tokens import (
    BY_FORM,
    TOKEN_SECONDS,
    NoTokenError,
    SharedToken,
    TokenClient,
    TokenGrant,
    TokenTerms,
    fetch_grant,
)
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.logging import get_logger

SECONDS = 2.0  # for each read of its answer
# A gateway that has no such clock, or is away, is not asked for every step.
PAUSE = 60.0
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ClockEndpoint:
    """Where a gateway's clock and its fresh start are, and who we are there if it asks."""

    clock_url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    token_terms: TokenTerms = BY_FORM

    @property
    def reset_url(self) -> str:
        """Where a tenant's fresh start is: beside the clock."""
        return self.clock_url.removesuffix("/clock") + "/reset"


class GatewayClockSync:
    """Calls the gateway's /admin. Whatever it answers, our own clock is not held up."""

    def __init__(
        self, endpoint: ClockEndpoint | None, sessions: Sessions, machine: MachineClock
    ) -> None:
        """Call `endpoint`; with None the gateway is not ours, and nothing is called."""
        self._endpoint = endpoint
        self._sessions = sessions
        self._machine = machine
        if endpoint is not None:
            self._tokens = SharedToken(lambda _: try_token(endpoint, sessions, machine), machine)
        self._silent_until = machine.monotonic()

    def put(self, tenant: str, at: datetime, *, stands: bool) -> None:
        """Put its clock for a tenant, or with "" for everybody else, to a time."""
        self._send(tenant, {"to": at.isoformat(), "freeze": stands})

    def forget(self, tenant: str) -> None:
        """Let its clock for a tenant run as all others do; with "" let all follow real time."""
        self._send(tenant, {"forget": True})

    def start_afresh(self, tenant: str, seed: int | None) -> None:
        """Let it forget our problems of a tenant, or with "" of all; its ids follow from `seed`."""
        whose: dict[str, object] = {} if tenant else {"all": True}
        # Asked for by a person, and once: not kept back after an earlier failure.
        self._silent_until = self._machine.monotonic()
        self._send(tenant, whose | ({"seed": seed} if seed else {}), reset=True)

    def _send(self, tenant: str, document: dict[str, object], *, reset: bool = False) -> None:
        endpoint = self._endpoint
        if endpoint is None or self._machine.monotonic() < self._silent_until:
            return
        url = endpoint.reset_url if reset else endpoint.clock_url
        whose = {"tenant": tenant} if tenant else {}
        body = orjson.dumps({**whose, **document})
        try:
            status = self._post(url, body, None)
            if status == requests.codes.unauthorized:
                status = self._post(url, body, self._tokens.current(SECONDS))
            cause = str(status)
        except NoTokenError as error:
            status, cause = None, str(error)
        except NETWORK_ERRORS as error:
            status, cause = None, type(error).__name__
        if status != requests.codes.no_content:
            self._silent_until = self._machine.monotonic() + PAUSE
            log.info("clock.not-followed", by=url, cause=cause)

    def _post(self, url: str, body: bytes, token: str | None) -> int:
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        with self._sessions.post(url, data=body, headers=headers, read_timeout=SECONDS) as response:
            return response.status


def try_token(us: TokenClient, sessions: Sessions, machine: MachineClock) -> TokenGrant:
    """Get a token outside of all deliveries; raises NoTokenError."""
    watchdog = Watchdog(machine)
    watchdog.start()
    try:
        return fetch_grant(us, sessions, watchdog, TOKEN_SECONDS)
    finally:
        watchdog.stop()
