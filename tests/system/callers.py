"""Those who call an installation: the gateway, the supplier's back office, a tenant."""

from typing import Any
from uuid import uuid4

import requests

from tests.samples import problem_request
from tests.system.installation import Installation, new_session
from tests.waiting import PATIENCE

Document = dict[str, Any]


class Caller:
    """A client with a token of its own."""

    def __init__(self, url: str, token_path: str, client: str, secret: str) -> None:
        """Get a token from the server at `url`."""
        self._url = url
        self._session = new_session()
        form = {"grant_type": "client_credentials"}
        answer = self._session.post(
            url + token_path, data=form, auth=(client, secret), timeout=PATIENCE
        )
        assert answer.status_code == 200, answer.text
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(
        self, method: str, path: str, document: Document | None = None, **more: str
    ) -> requests.Response:
        """Send a request, with `more` headers (X_Scenario for X-Scenario).

        Raises requests.RequestException where there is no answer.
        """
        headers = {
            "X-Request-ID": str(uuid4()),
            "X-Conversation-ID": "conversation-1",
            "Tenant": "TENANT1",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        return self._session.request(
            method, self._url + path, json=document, headers=headers, timeout=PATIENCE
        )

    def done(
        self, status: int, method: str, path: str, document: Document | None = None, **more: str
    ) -> Document:
        """Send a request that has to be answered with `status`; return the answer's body."""
        answer = self.call(method, path, document, **more)
        assert answer.status_code == status, answer.text
        body: Document = answer.json()
        return body


class GatewayCaller(Caller):
    """Calls the supplier as the gateway does."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(installation.supplier, "/oauth2/token", "gateway", "gateway-secret")

    def raise_problem(self, problem_id: int) -> str:
        """Raise a problem that has to be accepted; return the supplier's reference."""
        answer = self.done(201, "POST", "/service-problems", problem_on_own_service(problem_id))
        return str(answer["supplierReference"])


class BackOffice(Caller):
    """Tells the supplier what happened to a problem."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(
            installation.supplier, "/oauth2/token", "back-office", "back-office-secret"
        )

    def say(self, reference: str, event: str, **details: object) -> None:
        """Tell an event that has to be possible."""
        path = f"/back-office/v1/problems/{reference}/events"
        self.done(200, "POST", path, {"id": str(uuid4()), "event": event, **details})


class Tenant(Caller):
    """Calls the sandbox gateway."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(
            installation.sandbox, "/auth/tenant/access-token", "tenant", "tenant-secret"
        )

    def raise_problem(self, service_test: int = 23467, **headers: str) -> int:
        """Raise a problem on the service of that test; return the gateway's id."""
        document = {
            "problemType": "STABILITY",
            "problemText": "The service keeps dropping between 6pm and 9pm every evening.",
            "supplier": "DUMMY_SUPPLIER",
            "serviceTestId": service_test,
            "characteristics": [{"name": "SERVICE_HAS_WORKED", "value": "false"}],
            "primaryContact": {"name": "John Smith", "phoneNumber": "01234 567890"},
            "notes": "Lorem ipsum dolor sit amet...",
        }
        return int(self.done(201, "POST", "/service-problems", document, **headers)["id"])

    def amend(self, problem_id: int, **headers: str) -> None:
        """Ask for an amendment."""
        document = {"serviceProblemId": problem_id, "notes": "All lights are on."}
        self.done(201, "POST", "/service-problem-amendments", document, **headers)

    def cancel(self, problem_id: int, **headers: str) -> None:
        """Ask for a cancellation."""
        document = {"serviceProblemId": problem_id, "reasonCode": "OTHER"}
        self.done(201, "POST", "/service-problem-cancellations", document, **headers)

    def problem(self, problem_id: int) -> Document:
        """Return the problem as the gateway shows it."""
        return self.done(200, "GET", f"/service-problems/{problem_id}")


def problem_on_own_service(problem_id: int) -> Document:
    """Return the request of *supplier-create* for a service that has no other problem."""
    return problem_request(id=problem_id, serviceId=f"SI{problem_id + 10**6:013}")
