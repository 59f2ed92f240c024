"""Lets the sandbox gateway's business time go with ours, as far as it is one that can."""

from dataclasses import dataclass, field
from datetime import datetime

import orjson
import requests

from supplier_api.clock import MachineClock
from supplier_api.http_client.calls import NETWORK_ERRORS
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.tokens import BY_FORM, NoTokenError, SharedToken, TokenTerms
from supplier_api.logging import get_logger
from supplier_api.sandbox.destinations import try_token

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
    """The gateway's door for testers. Whatever it answers, our own clock is not held up."""

    def __init__(
        self, door: ClockEndpoint | None, sessions: Sessions, machine: MachineClock
    ) -> None:
        """Call at `door`; with None the gateway is not ours, and nothing is called."""
        self._door = door
        self._sessions = sessions
        self._machine = machine
        if door is not None:
            self._tokens = SharedToken(lambda _: try_token(door, sessions, machine), machine)
        self._silent_until = machine.monotonic()

    def put(self, tenant: str, at: datetime, *, stands: bool) -> None:
        """Put its clock for a tenant, or with "" for everybody else, to a time."""
        self._tell(tenant, {"to": at.isoformat(), "freeze": stands})

    def forget(self, tenant: str) -> None:
        """Let its clock for a tenant run as all others do; with "" let all follow real time."""
        self._tell(tenant, {"forget": True})

    def start_afresh(self, tenant: str, seed: int | None) -> None:
        """Let it forget our problems of a tenant, or with "" of all; its ids follow from `seed`."""
        whose: dict[str, object] = {} if tenant else {"all": True}
        # Asked for by a person, and once: not kept back after an earlier failure.
        self._silent_until = self._machine.monotonic()
        self._tell(tenant, whose | ({"seed": seed} if seed else {}), reset=True)

    def _tell(self, tenant: str, document: dict[str, object], *, reset: bool = False) -> None:
        door = self._door
        if door is None or self._machine.monotonic() < self._silent_until:
            return
        url = door.reset_url if reset else door.clock_url
        whose = {"tenant": tenant} if tenant else {}
        body = orjson.dumps({**whose, **document})
        try:
            status = self._post(url, body, None)
            if status == requests.codes.unauthorized:
                status = self._post(url, body, self._tokens.current(SECONDS))
            told = str(status)
        except NoTokenError as error:
            status, told = None, str(error)
        except NETWORK_ERRORS as error:
            status, told = None, type(error).__name__
        if status != requests.codes.no_content:
            self._silent_until = self._machine.monotonic() + PAUSE
            log.info("clock.not-followed", by=url, cause=told)

    def _post(self, url: str, body: bytes, token: str | None) -> int:
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        with self._sessions.post(url, data=body, headers=headers, read_timeout=SECONDS) as response:
            return response.status_code
