"""Calls the supplier as the gateway does."""

from typing import Any
from uuid import uuid4

import requests

from tests import samples
from tests.system.installation import new_session, token

TIMEOUT = 30.0  # seconds


def problem_request(problem_id: int) -> dict[str, Any]:
    """Return the request of *supplier-create* for a problem on a service of its own."""
    return samples.problem_request(id=problem_id, serviceId=f"SI{problem_id + 10**6:013}")


class Supplier:
    """A caller with a token and a connection of its own."""

    def __init__(self, url: str) -> None:
        """Get a token from the supplier at `url`."""
        self._url = url
        self._session = new_session()
        bearer = token(f"{url}/oauth2/token", "gateway", "gateway-secret")
        self._session.headers["Authorization"] = f"Bearer {bearer}"

    def post(self, path: str, document: dict[str, Any]) -> requests.Response:
        """Send a request; raises requests.RequestException where there is no answer."""
        headers = {
            "X-Request-ID": str(uuid4()),
            "X-Conversation-ID": f"conversation-{document['id']}",
            "Tenant": "TENANT1",
        }
        return self._session.post(
            f"{self._url}{path}", json=document, headers=headers, timeout=TIMEOUT
        )

    def raise_problem(self, problem_id: int) -> dict[str, Any]:
        """Raise a problem that has to be accepted at once; return the answer."""
        answer = self.post("/service-problems", problem_request(problem_id))
        assert answer.status_code == 201, answer.text
        accepted: dict[str, Any] = answer.json()
        return accepted
