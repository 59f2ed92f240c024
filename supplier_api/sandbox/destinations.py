"""The gateways that testers name for their tenants."""

from collections.abc import Mapping

from supplier_api.clock import MachineClock
from supplier_api.db import Store
from supplier_api.delivery.answers import AnswerTerms
from supplier_api.delivery.transports import GatewayAddress
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.tokens import TOKEN_SECONDS, TokenClient, TokenGrant, fetch_grant
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.sandbox.tenant_settings import TenantSettingRepository


class Destinations:
    """Where each tenant's KCIs go, read from the database at every call."""

    def __init__(self, store: Store, answers: AnswerTerms) -> None:
        """Look into `store`; `answers` are what all gateways' answers are read by."""
        self._store = store
        self._answers = answers

    def of(self, tenant: str) -> GatewayAddress | None:
        """Return the tenant's own gateway, None if it has none; raises StoreUnavailable."""
        found = self._store.read(lambda uow: TenantSettingRepository(uow).destination(tenant))
        return address_of(found, self._answers) if found else None


def address_of(destination: Mapping[str, str], answers: AnswerTerms) -> GatewayAddress:
    """Return what is kept of a destination as an address."""
    return GatewayAddress(
        kci_url=destination["kciUrl"],
        token_url=destination["tokenUrl"],
        client_id=destination["clientId"],
        client_secret=destination["clientSecret"],
        answers=answers,
    )


def try_token(us: TokenClient, sessions: Sessions, machine: MachineClock) -> TokenGrant:
    """Get a token outside of all deliveries; raises NoTokenError."""
    watchdog = Watchdog(machine)
    watchdog.start()
    try:
        return fetch_grant(us, sessions, watchdog, TOKEN_SECONDS)
    finally:
        watchdog.stop()
