"""Where each tenant's KCIs go, as testers have set it.

Apart from the other settings of tenants, which every command reads: this needs an HTTP client.
"""

from collections.abc import Mapping

from supplier_api.db import Store
from supplier_api.delivery.answers import AnswerTerms
from supplier_api.delivery.transports import GatewayAddress
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
