"""A tenant's calls to a sandbox gateway, made here or printed as a line for a shell."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from supplier_api.cli import CommandRefused
from supplier_api.http_client.connections import new_session
from supplier_api.http_client.errors import why

TIMEOUT = 10.0  # seconds
TOKEN_PATH = "/auth/tenant/access-token"  # noqa: S105 - a path
GRANT = {"grant_type": "client_credentials"}

Document = dict[str, Any]


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
    """A tenant at a gateway. A token is fetched for the first call."""

    def __init__(self, account: Account) -> None:
        """Call the gateway of `account`."""
        self._account = account
        self._session = new_session()

    def ask(self, call: GatewayCall) -> tuple[int, Document]:
        """Make a call and return its answer's status and document.

        Raises CommandRefused with what the gateway says if it is no 2xx, or if nothing answers.
        """
        if "Authorization" not in self._session.headers:
            self._session.headers["Authorization"] = f"Bearer {self._token()}"
        answer = self._exchange(call.method, call.path, json=call.body, headers={**call.headers})
        if not answer.ok:
            raise _refused(answer)
        return answer.status_code, _document(answer)

    def _token(self) -> str:
        account = self._account
        auth = (account.client_id, account.client_secret)
        answer = self._exchange("POST", TOKEN_PATH, data=GRANT, auth=auth)
        if answer.status_code != 200:
            raise CommandRefused(f"{account.url} gives the client {account.client_id} no token")
        return str(_document(answer)["access_token"])

    def _exchange(self, method: str, path: str, **request: Any) -> requests.Response:
        try:
            return self._session.request(
                method,
                self._account.url + path,
                timeout=TIMEOUT,
                allow_redirects=False,
                **request,
            )
        except requests.ConnectionError:
            message = f"nothing answers at {self._account.url}; is the sandbox gateway running?"
            raise CommandRefused(message) from None
        except requests.RequestException as error:
            raise CommandRefused(f"no answer from {self._account.url}: {why(error)}") from None


def curl_line(account: Account, call: GatewayCall) -> str:
    """Return a line for a shell that fetches a token and makes the call."""
    client = shlex.quote(f"{account.client_id}:{account.client_secret}")
    token = (
        f"$(curl -s -u {client} -d grant_type=client_credentials"
        f" {shlex.quote(account.url + TOKEN_PATH)}"
        """ | sed 's/.*"access_token": *"//; s/".*//')"""
    )
    headers = dict(call.headers)
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    words = [f"curl -s -X {call.method} {shlex.quote(account.url + call.path)}"]
    words.append(f'-H "Authorization: Bearer {token}"')
    words += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items()]
    if call.body is not None:
        words.append(f"-d {shlex.quote(json.dumps(call.body, ensure_ascii=False))}")
    return " ".join(words)


def _refused(answer: requests.Response) -> CommandRefused:
    said = _document(answer)
    code = said.get("code", answer.reason)
    return CommandRefused(
        f"the gateway answers {answer.status_code} {code}", said.get("messages", [])
    )


def _document(answer: requests.Response) -> Document:
    """Return the answer's JSON object, an empty one where it has none."""
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
