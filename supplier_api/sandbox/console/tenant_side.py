"""The sandbox's tenants at their gateway: over HTTP, as a tenant's own programs would call it."""

from collections.abc import Mapping
from threading import Lock
from typing import Any

from supplier_api.problems.services import Services
from supplier_api.sandbox.tenant_client import (
    Account,
    Document,
    GatewayCall,
    GatewayCallFailed,
    GatewayClient,
    resolution_to_answer,
)
from supplier_api.settings import Settings

SECONDS = 1.0  # for each read of an answer: a thread of the console waits for it
# A gateway that did not answer is not asked for what is only looked at.
PAUSE = 10.0


class TenantSide:
    """The tenants that the settings name; used by several threads at once."""

    def __init__(self, settings: Settings, services: Services) -> None:
        """Call the sandbox gateway of the settings."""
        self._parties = settings.sandbox.tenants
        self._url = settings.sandbox.url.rstrip("/")
        self._services = services
        self._clients: dict[str, GatewayClient] = {}
        self._lock = Lock()
        self._silent: tuple[float, GatewayCallFailed] | None = None

    @property
    def names(self) -> list[str]:
        """The names of the tenants."""
        return list(self._parties)

    def ask(
        self,
        tenant: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        choices: Mapping[str, str] | None = None,
    ) -> Document:
        """Make a tenant's call and return what is answered; raises GatewayCallFailed.

        `choices` are the headers by which testers choose a scenario.
        """
        ids = self._services.id_source
        headers = {
            "X-Request-ID": str(ids.uuid("")),
            "X-Conversation-ID": str(ids.uuid("")),
            **(choices or {}),
        }
        return self._client(tenant).ask(GatewayCall(method, path, body, headers))

    def look(self, tenant: str, gateway_id: int) -> Document:
        """Return a problem as its tenant sees it; raises GatewayCallFailed.

        After a call without an answer that is raised again for a while, and nobody waits.
        """
        monotonic = self._services.machine.monotonic
        if self._silent and monotonic() < self._silent[0]:
            raise self._silent[1]
        try:
            return self.ask(tenant, "GET", f"/service-problems/{gateway_id}")
        except GatewayCallFailed as failed:
            if failed.status is None:
                self._silent = (monotonic() + PAUSE, failed)
            raise

    def answer_resolution(self, tenant: str, gateway_id: int, body: Mapping[str, Any]) -> Document:
        """Accept or reject the resolution that waits for the tenant; raises GatewayCallFailed."""
        problem = self.ask(tenant, "GET", f"/service-problems/{gateway_id}")
        path = f"/service-problem-resolutions/{resolution_to_answer(problem)}"
        return self.ask(tenant, "PATCH", path, body)

    def _client(self, tenant: str) -> GatewayClient:
        with self._lock:
            if tenant not in self._parties:
                raise GatewayCallFailed(f"{tenant} is no tenant of the sandbox gateway", status=404)
            if tenant not in self._clients:
                party = self._parties[tenant]
                secret = party.client_secret.get_secret_value()
                account = Account(self._url, party.client_id, secret)
                self._clients[tenant] = GatewayClient(account, SECONDS)
            return self._clients[tenant]
