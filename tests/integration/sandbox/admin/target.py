"""The supplier as testers meet it: its application, a real worker, and a gateway."""

import itertools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from supplier_api.clock import from_wire
from tests.samples import problem_request
from tests.supplier import REPAIRED, TENANT
from tests.system.gateway import Gateway

DAY = 86_400


class Target:
    """Calls over HTTP, and what the gateway got."""

    def __init__(self, client: FlaskClient, gateway: Gateway) -> None:
        self.client = client
        self.gateway = gateway
        self._ids = itertools.count(1)
        self._tokens: dict[str, str] = {}

    def admin(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **headers: str
    ) -> TestResponse:
        """Call the testers' door."""
        return self.client.open(f"/admin{path}", method=method, json=body, headers=headers)

    def done(
        self, status: int, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Call the testers' door, which has to answer with `status`; return the body."""
        answer = self.admin(method, path, body)
        assert answer.status_code == status, answer.get_data(as_text=True)
        found: dict[str, Any] = answer.get_json()
        return found

    def move(self, **move: Any) -> dict[str, Any]:
        """Move a clock, and be there."""
        return self.done(200, "POST", "/clock?wait=60", move)

    def settle(self, tenant: str = TENANT) -> dict[str, Any]:
        """Wait until nothing is to be done for a tenant."""
        return self.done(200, "GET", f"/idle?tenant={tenant}&wait=60")

    def now(self, tenant: str = TENANT) -> datetime:
        """Return the tenant's time."""
        return from_wire(self.done(200, "GET", f"/clock?tenant={tenant}")["now"])

    def token(self, client: str) -> str:
        """Return a token of one of the supplier's clients."""
        if client not in self._tokens:
            answer = self.client.post(
                "/oauth2/token",
                data={
                    "grant_type": "client_credentials",
                    "client_id": client,
                    "client_secret": f"{client}-secret",
                },
            )
            self._tokens[client] = answer.get_json()["access_token"]
        return self._tokens[client]

    def call(
        self, path: str, body: Mapping[str, Any], *, tenant: str = TENANT, request: str = ""
    ) -> TestResponse:
        """Call the supplier as the gateway does."""
        return self.client.post(
            path,
            json=body,
            headers={
                "Authorization": f"Bearer {self.token('gateway')}",
                "X-Request-ID": request or f"request-{next(self._ids)}",
                "X-Conversation-ID": "conversation-1",
                "Tenant": tenant,
            },
        )

    def opened(self, problem: int, *, tenant: str = TENANT) -> str:
        """Raise a problem on a service of its own; return our reference."""
        body = problem_request(id=problem, serviceId=f"SI{problem + 10**6:013}")
        answer = self.call("/service-problems", body, tenant=tenant, request=f"create-{problem}")
        assert answer.status_code == 201, answer.get_data(as_text=True)
        reference: str = answer.get_json()["supplierReference"]
        return reference

    def say(self, reference: str, event: str, **details: Any) -> None:
        """Say an event as the back office, which has to be possible."""
        answer = self.client.post(
            f"/back-office/v1/problems/{reference}/events",
            json={"id": f"event-{next(self._ids)}", "event": event, **details},
            headers={"Authorization": f"Bearer {self.token('back-office')}"},
        )
        assert answer.status_code == 200, answer.get_data(as_text=True)

    def resolved(self, problem: int, *, tenant: str = TENANT) -> str:
        """Raise a problem and have it resolved; return our reference."""
        reference = self.opened(problem, tenant=tenant)
        self.say(reference, "resolve", resolution=REPAIRED)
        return reference

    def told(self, problem: int) -> list[dict[str, Any]]:
        """Return the KCIs that the gateway has taken of a problem, as they came."""
        return [each.document for each in self.gateway.arrivals(problem) if each.status == 204]

    def reasons(self, problem: int) -> list[str]:
        """Return their reason codes."""
        return [kci["reasonCode"] for kci in self.told(problem)]


def issued(kci: Mapping[str, Any]) -> datetime:
    """Return the date of a KCI."""
    return from_wire(kci["issuedOn"])
