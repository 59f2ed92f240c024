"""The connectivity check: the route to the gateway and to the back office, step by step.

No KCI is sent.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from supplier_api.backoffice.ping import PingFailed, ping
from supplier_api.backoffice.port import BackOffice, Pings, UnknownAdapter
from supplier_api.clock import MachineClock
from supplier_api.delivery.transports import token_terms
from supplier_api.http_client.calls import (
    NETWORK_ERRORS,
    HttpResponse,
    Post,
    error_cause,
    http_date,
)
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.tokens import TOKEN_SECONDS, NoTokenError, TokenTerms, fetch_grant
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.operations.probes import ProbeStep, Route, walk
from supplier_api.settings import Settings

CLOCK_OFF = 60.0  # seconds that two clocks may differ before tokens are refused
HALF_A_SECOND = timedelta(seconds=0.5)
# What no step can show.
NEVER_CHECKED = (
    "whether the gateway takes a KCI: none is sent",
    "whether the gateway reaches us: its operator sees that at the first call",
)
SILENT = "it takes connections and does not answer: ask the gateway's operator"
WRONG_CLIENT = "gateway.client_id or client_secret is not the one that the gateway knows"
WRONG_PATH = "the path in gateway.token_url is not that of the token endpoint"
NOT_LET_IN = "we are not let in: ask whether our client and our address are known there"
TOKEN_CAUSES = {
    400: WRONG_CLIENT,
    401: WRONG_CLIENT,
    403: NOT_LET_IN,
    404: WRONG_PATH,
    405: WRONG_PATH,
    407: NOT_LET_IN,
    429: "the token endpoint has had too many calls: try again later",
}
# By the token endpoint's own code: RFC 6749, section 5.2, and RFC 8707.
TOKEN_CODES: dict[str | None, str] = {
    "invalid_client": f"{WRONG_CLIENT}, or it wants them elsewhere: set gateway.token_auth to"
    ' "basic" or "form"',
    "unauthorized_client": "our client may not use client_credentials: ask the gateway's operator",
    "unsupported_grant_type": "it does not give tokens for client_credentials: ask the operator",
    "invalid_scope": "gateway.scope is not what the gateway gives to our client",
    "invalid_target": "gateway.resource or gateway.audience is not what the gateway knows",
    "invalid_request": "it wants other fields: look at gateway.scope, audience, resource and"
    " token_fields",
}
UNUSABLE = "what answers there is no token endpoint, or not one of OAuth 2.0"
MOVED = "the address has moved, and redirects are never followed: put in the new one"


@dataclass(frozen=True, slots=True)
class _Account:
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    token_terms: TokenTerms


class ConnectivityCheck:
    """Checks the routes that the settings describe."""

    def __init__(
        self,
        settings: Settings,
        sessions: Sessions,
        clock: MachineClock,
        load_back_office: Callable[[Settings], BackOffice],
    ) -> None:
        """Prepare to connect with `sessions` and `load_back_office`, as a worker does."""
        self._settings = settings
        self._load_back_office = load_back_office
        self._gateway = settings.gateway
        self._sessions = sessions
        self._clock = clock
        self._watchdog = Watchdog(clock)
        self._token: str | None = None
        self.not_checked = list(NEVER_CHECKED)

    def walk(self) -> Iterator[ProbeStep]:
        """Yield the steps up to the first that fails.

        What was not checked is in `not_checked` afterwards.
        """
        self._watchdog.start()
        try:
            stages = self._stages()
            while stages:
                _, stage = stages.pop(0)
                for step in stage():
                    yield step
                    if not step.made:
                        self.not_checked += [
                            f"{later}: a step before it failed" for later, _ in stages
                        ]
                        return
        finally:
            self._watchdog.stop()

    def _stages(self) -> list[tuple[str, Callable[[], Iterator[ProbeStep]]]]:
        stages: list[tuple[str, Callable[[], Iterator[ProbeStep]]]] = []
        token, kci = self._route(self._gateway.token_url), self._route(self._gateway.kci_url)
        stages.append(("the way to the token endpoint", lambda: self._probe(token)))
        stages.append(("the token", self._fetch_token))
        if (kci.first, kci.target, kci.tunnels) != (token.first, token.target, token.tunnels):
            stages.append(("the way to the KCI endpoint", lambda: self._probe(kci)))
        stages.append(("the KCI endpoint", self._ask_kci_endpoint))
        stages.append(("the back office", self._back_office))
        return stages

    def _route(self, url: str) -> Route:
        gateway = self._gateway
        proxy = self._sessions.proxy_for(url)
        return Route(url, proxy, gateway.ca_file, gateway.connect_timeout)

    def _probe(self, route: Route) -> Iterator[ProbeStep]:
        if route.proxy is not None and urlsplit(route.proxy).scheme != "http":
            self.not_checked.append(f"the way through {urlsplit(route.proxy).scheme} to the proxy")
            return
        yield from walk(route, self._clock.now())

    def _fetch_token(self) -> Iterator[ProbeStep]:
        gateway = self._gateway
        us = _Account(
            gateway.token_url,
            gateway.client_id,
            gateway.client_secret.get_secret_value(),
            token_terms(gateway),
        )
        seen = _Seen()
        failed: NoTokenError | None = None
        try:
            grant = fetch_grant(us, self._sessions, self._watchdog, TOKEN_SECONDS, seen)
        except NoTokenError as error:
            failed = error
        if seen.answered and (clock := self._compare_clocks(seen.answered)):
            yield clock
        if failed is not None:
            status = seen.answered.status if seen.answered else None
            yield ProbeStep(
                "token", str(failed), TOKEN_CODES.get(failed.code) or _token_cause(status)
            )
            return
        self._token = grant.token
        held = f"given to {us.client_id}, holds for {grant.expires_in:.0f} s"
        yield ProbeStep("token", "; ".join([held, *grant.notes]))

    def _compare_clocks(self, answered: HttpResponse) -> ProbeStep | None:
        theirs = http_date(answered.headers.get("Date", ""))
        if theirs is None:
            self.not_checked.append("the clocks: the token endpoint sends no date")
            return None
        # A date names a whole second (RFC 9110): its middle is the best estimate.
        seconds = (self._clock.now() - theirs - HALF_A_SECOND).total_seconds()
        if abs(seconds) <= CLOCK_OFF:
            return ProbeStep("clocks", f"{abs(seconds):.0f} s apart")
        way = "ahead of" if seconds > 0 else "behind"
        cause = "one of the clocks is wrong: does this machine follow a time server (NTP)?"
        return ProbeStep("clocks", f"ours is {abs(seconds):.0f} s {way} the gateway's", cause)

    def _ask_kci_endpoint(self) -> Iterator[ProbeStep]:
        """Call the KCI endpoint with OPTIONS, which changes nothing."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        with self._watchdog.limit(self._gateway.deadline) as call:
            try:
                with self._sessions.options(
                    self._gateway.kci_url, headers=headers, read_timeout=call.left()
                ) as response:
                    status: int = response.status
            except NETWORK_ERRORS as error:
                yield ProbeStep("KCI endpoint", error_cause(error, call), SILENT)
                return
        cause_of = _kci_cause(status)
        yield ProbeStep("KCI endpoint", f"answers {status} to OPTIONS", cause_of)

    def _back_office(self) -> Iterator[ProbeStep]:
        chosen = self._settings.backoffice
        name = f"back office ({chosen.adapter})"
        try:
            adapter = self._load_back_office(self._settings)
        except UnknownAdapter as error:
            yield ProbeStep(
                name, str(error), "`supplier-api plugins` says what is installed, and loads"
            )
            return
        if not isinstance(adapter, Pings):
            self.not_checked.append("the back office: its adapter has no `ping`")
            return
        try:
            yield ProbeStep(name, ping(adapter))
        except PingFailed as error:
            cause = "the adapter does not reach its system: look at the adapter's own settings"
            yield ProbeStep(name, str(error), cause)


class _Seen:
    """An observer that keeps the last answer."""

    def __init__(self) -> None:
        self.answered: HttpResponse | None = None

    def begins(self, post: Post) -> Callable[[HttpResponse | str], None]:  # noqa: ARG002 - the port's
        """Return the function that keeps the answer."""

        def ends(outcome: HttpResponse | str) -> None:
            if isinstance(outcome, HttpResponse):
                self.answered = outcome

        return ends


def _token_cause(status: int | None) -> str:
    if status is None:
        return SILENT
    if 300 <= status < 400:
        return MOVED
    if status >= 500:
        return "the token endpoint is in trouble: try again later, or ask the gateway's operator"
    if 200 <= status < 300:
        return UNUSABLE
    return TOKEN_CAUSES.get(status, "what answers there is no token endpoint")


def _kci_cause(status: int) -> str | None:
    """Return the likely cause, None for an expected answer."""
    if 300 <= status < 400:
        return MOVED
    if status == 401:
        return "the token is not taken: are gateway.token_url and gateway.kci_url of one gateway?"
    if status in (403, 407):
        return "our client may not send KCIs, or our address is not let in: ask the operator"
    if status == 404:
        return "the path in gateway.kci_url is not known there"
    if status >= 500 and status != 501:
        return "the gateway is in trouble: try again later, or ask its operator"
    return None
