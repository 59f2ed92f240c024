"""A tenant's calls to a sandbox gateway: by commands, and by the console's page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from supplier_api.http_client.connections import new_session
from supplier_api.http_client.errors import why
from supplier_api.ids import IdSource

TIMEOUT = 10.0  # seconds
TOKEN_PATH = "/auth/tenant/access-token"  # noqa: S105 - a path
GRANT = {"grant_type": "client_credentials"}
TENANT = "TENANT1"
SUPPLIER = "DUMMY_SUPPLIER"

Document = dict[str, Any]


class GatewayCallFailed(Exception):
    """A gateway refused a call, or did not answer: a headline, and what it found.

    `status` is that of the answer, None without one.
    """

    def __init__(
        self, headline: str, findings: Sequence[str] = (), status: int | None = None
    ) -> None:
        """Keep all of it."""
        super().__init__("; ".join([headline, *findings]))
        self.headline = headline
        self.findings = findings
        self.status = status


@dataclass(frozen=True)
class GatewayCall:
    """A call: its body is None or a JSON object, `headers` are those of its own."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """Where a gateway is, without a slash at its end, and who calls it."""

    url: str
    client_id: str
    client_secret: str


class GatewayClient:
    """A tenant at a gateway. A token is fetched for the first call, and when it is out of date."""

    def __init__(self, account: Account, seconds: float = TIMEOUT) -> None:
        """Call the gateway of `account`; each read of an answer waits `seconds` at most."""
        self._account = account
        self._seconds = seconds
        self._session = new_session()

    def ask(self, call: GatewayCall) -> Document:
        """Make a call and return its answer's document.

        Raises GatewayCallFailed with what the gateway says if it is no 2xx, or if nothing answers.
        """
        url = self._account.url
        try:
            answer = self.send(call)
        except requests.HTTPError as error:
            message = f"{url} gives the client {self._account.client_id} no token"
            raise GatewayCallFailed(message, status=error.response.status_code) from None
        except requests.ConnectionError:
            message = f"nothing answers at {url}; is the sandbox gateway running?"
            raise GatewayCallFailed(message) from None
        except requests.RequestException as error:
            raise GatewayCallFailed(f"no answer from {url}: {why(error)}") from None
        if not answer.ok:
            raise _refused(answer)
        return _document(answer)

    def send(self, call: GatewayCall) -> requests.Response:
        """Make a call and return its answer, whatever it is.

        Raises requests.RequestException if nothing answers, or gives no token (HTTPError).
        """
        known = "Authorization" in self._session.headers
        if not known:
            self._fetch_token()
        answer = self._make(call)
        if known and answer.status_code == requests.codes.unauthorized:
            self._fetch_token()
            answer = self._make(call)
        return answer

    def _make(self, call: GatewayCall) -> requests.Response:
        return self._exchange(call.method, call.path, json=call.body, headers={**call.headers})

    def _fetch_token(self) -> None:
        auth = (self._account.client_id, self._account.client_secret)
        # Without the old token, which would take the place of name and secret.
        self._session.headers.pop("Authorization", None)
        answer = self._exchange("POST", TOKEN_PATH, data=GRANT, auth=auth)
        if answer.status_code != requests.codes.ok:
            raise requests.HTTPError(response=answer)
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _exchange(self, method: str, path: str, **request: Any) -> requests.Response:
        url = self._account.url + path
        return self._session.request(
            method, url, timeout=self._seconds, allow_redirects=False, **request
        )


def _refused(answer: requests.Response) -> GatewayCallFailed:
    said = _document(answer)
    code = said.get("code", answer.reason)
    headline = f"the gateway answers {answer.status_code} {code}"
    return GatewayCallFailed(headline, said.get("messages", []), answer.status_code)


def _document(answer: requests.Response) -> Document:
    """Return the answer's JSON object, an empty one where it has none."""
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def pending_resolution(problem: Mapping[str, Any]) -> int | None:
    """Return the gateway's id of the resolution that waits for the tenant, if there is one."""
    said = [
        update["serviceProblemResolution"]
        for update in problem["updates"]
        if "serviceProblemResolution" in update
    ]
    waits = bool(said) and said[-1]["status"] == "PENDING"
    return int(said[-1]["id"]) if waits else None


def resolution_to_answer(problem: Mapping[str, Any]) -> int:
    """Return the gateway's id of the resolution that waits for the tenant.

    Raises GatewayCallFailed if there is none.
    """
    resolution = pending_resolution(problem)
    if resolution is None:
        raise GatewayCallFailed(
            f"no resolution of service problem {problem['id']} waits for you;"
            f" it is {problem['status']}",
            status=requests.codes.conflict,
        )
    return resolution


def any_service_test(id_source: IdSource) -> int:
    """Return a service test on which there is most likely no problem yet."""
    return 1 + id_source.uuid(TENANT).int % (10**13 - 1)


def sample(service_test: int) -> dict[str, Any]:
    """Return the problem that is raised: *tenant-create*'s own example, on one service test."""
    return {
        "externalIdentifier": f"SAMPLE-{service_test}",
        "problemType": "STABILITY",
        "problemText": "The service keeps dropping between 6pm and 9pm every evening.",
        "supplier": SUPPLIER,
        "serviceTestId": service_test,
        "characteristics": [
            {"name": "SERVICE_HAS_WORKED", "value": "true"},
            {"name": "SERVICE_LAST_WORKED", "value": "2026-01-04T18:00:00.000Z"},
        ],
        "primaryContact": {"name": "John Smith", "phoneNumber": "01234 567890"},
        "notes": "A sample that `supplier-api run` raised.",
    }
