"""The gateways that testers name for their tenants."""

import re
from collections.abc import Mapping

from supplier_api.clock import MachineClock
from supplier_api.delivery.gateway import TOKEN_SECONDS, GatewayAddress, TokenClient, fetch_grant
from supplier_api.delivery.sessions import Sessions
from supplier_api.delivery.tokens import Grant
from supplier_api.delivery.watchdog import Watchdog
from supplier_api.store import Store


class Destinations:
    """Where each tenant's KCIs go, read from the database at every call."""

    def __init__(self, store: Store, already_received: re.Pattern[str]) -> None:
        """Look into `store`; `already_received` is how a gateway words that it has a KCI."""
        self._store = store
        self._already_received = already_received

    def of(self, tenant: str) -> GatewayAddress | None:
        """Return the tenant's own gateway, None if it has none; raises StoreUnavailable."""
        found = self._store.read(lambda uow: uow.tenant_settings.destination(tenant))
        return address_of(found, self._already_received) if found else None


def address_of(destination: Mapping[str, str], already_received: re.Pattern[str]) -> GatewayAddress:
    """Return what is kept of a destination as an address."""
    return GatewayAddress(
        kci_url=destination["kciUrl"],
        token_url=destination["tokenUrl"],
        client_id=destination["clientId"],
        client_secret=destination["clientSecret"],
        already_received=already_received,
    )


def try_token(us: TokenClient, sessions: Sessions, machine: MachineClock) -> Grant:
    """Get a token outside of all deliveries; raises NoTokenError."""
    watchdog = Watchdog(machine)
    watchdog.start()
    try:
        return fetch_grant(us, sessions, watchdog, TOKEN_SECONDS)
    finally:
        watchdog.stop()
