"""A tenant's calls to a sandbox gateway, made here or printed as a line for a shell.

And a problem's updates as they arrive, as lines for people.
"""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from supplier_api.cli.errors import CommandRefused
from supplier_api.clock import from_wire
from supplier_api.http_client.connections import new_session
from supplier_api.http_client.errors import why

TIMEOUT = 10.0  # seconds
TOKEN_PATH = "/auth/tenant/access-token"  # noqa: S105 - a path
GRANT = {"grant_type": "client_credentials"}

Document = dict[str, Any]

FAILED = frozenset({"REJECTED", "FAILED_TO_SEND"})
ENDED = FAILED | {"CANCELLED", "COMPLETED"}
# Looks without news after which it is told what is waited for.
QUIET_LOOKS = 8
WAITS = {
    "RECEIVED_BY_GATEWAY": "to be sent to its supplier",
    "SENT_TO_SUPPLIER": "for its supplier's answer",
    "NETWORK_INCIDENT": "for the network incident to end",
    "PENDING_AMENDMENT": "for its supplier to decide on the amendment",
    "PENDING_CANCELLATION": "for its supplier to decide on the cancellation",
    "RESOLVED": "for its supplier to close it",
}
ASKED = {
    "INFORMATION_REQUIRED": "amend it with what is asked for",
    "REAPPOINT": "amend it with another appointment",
}


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

    def ask(self, call: GatewayCall) -> Document:
        """Make a call and return its answer's document.

        Raises CommandRefused with what the gateway says if it is no 2xx, or if nothing answers.
        """
        url = self._account.url
        try:
            answer = self.send(call)
        except requests.HTTPError:
            message = f"{url} gives the client {self._account.client_id} no token"
            raise CommandRefused(message) from None
        except requests.ConnectionError:
            message = f"nothing answers at {url}; is the sandbox gateway running?"
            raise CommandRefused(message) from None
        except requests.RequestException as error:
            raise CommandRefused(f"no answer from {url}: {why(error)}") from None
        if not answer.ok:
            raise _refused(answer)
        return _document(answer)

    def send(self, call: GatewayCall) -> requests.Response:
        """Make a call and return its answer, whatever it is.

        Raises requests.RequestException if nothing answers, or gives no token (HTTPError).
        """
        if "Authorization" not in self._session.headers:
            self._session.headers["Authorization"] = f"Bearer {self._token()}"
        return self._exchange(call.method, call.path, json=call.body, headers={**call.headers})

    def _token(self) -> str:
        auth = (self._account.client_id, self._account.client_secret)
        answer = self._exchange("POST", TOKEN_PATH, data=GRANT, auth=auth)
        if answer.status_code != 200:
            raise requests.HTTPError(response=answer)
        return str(answer.json()["access_token"])

    def _exchange(self, method: str, path: str, **request: Any) -> requests.Response:
        url = self._account.url + path
        return self._session.request(method, url, timeout=TIMEOUT, allow_redirects=False, **request)


def curl_line(account: Account, call: GatewayCall) -> str:
    """Return a line for a shell that fetches a token and makes the call."""
    headers = dict(call.headers)
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    words = [f"curl -s -X {call.method} {shlex.quote(account.url + call.path)}"]
    words.append(f'-H "Authorization: Bearer {token_line(account)}"')
    words += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items()]
    if call.body is not None:
        words.append(f"-d {shlex.quote(json.dumps(call.body, ensure_ascii=False))}")
    return " ".join(words)


def token_line(account: Account, curl: str = "curl -s") -> str:
    """Return what a shell puts a token in the place of."""
    client = shlex.quote(f"{account.client_id}:{account.client_secret}")
    url = shlex.quote(account.url + TOKEN_PATH)
    cut_out = """sed 's/.*"access_token": *"//; s/".*//'"""
    return f"$({curl} -u {client} -d grant_type=client_credentials {url} | {cut_out})"


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


# -- what a tenant sees of a problem


def news(look: Callable[[], Mapping[str, Any]], pause: Callable[[], object]) -> Iterator[str]:
    """Yield a line for each update and each new status, until nothing more comes by itself.

    That is when the problem has ended, or waits for the tenant. `look` returns the problem as GET
    shows it; `pause` is called between two looks. The last line tells how it stands; where nothing
    comes for a while, a line tells what is waited for.
    """
    shown, quiet = 0, 0
    while True:
        problem = look()
        updates = problem["updates"]
        for update in updates[shown:]:
            yield line(update)
        quiet = quiet + 1 if len(updates) == shown else 0
        shown = len(updates)
        stands = f"service problem {problem['id']} is {problem['status']}"
        if problem["status"] in ENDED:
            yield stands
            return
        if asked := _asks_tenant(problem):
            yield f"{stands} and waits for you: {asked}"
            return
        if quiet == QUIET_LOOKS:
            waits = WAITS.get(problem["status"], "for its supplier to go on")
            yield f"{stands}; it waits {waits} (Ctrl-C ends the watch)"
        pause()


def _asks_tenant(problem: Mapping[str, Any]) -> str | None:
    """Return what the tenant has to do before anything more can come, None for nothing."""
    if problem["status"] == "RESOLVED" and pending_resolution(problem) is not None:
        return "accept or reject"
    if problem["status"] != "PENDING":
        return None
    asked = [update["action"]["type"] for update in problem["updates"] if "action" in update]
    return ASKED.get(asked[-1] if asked else "", "amend it")


def pending_resolution(problem: Mapping[str, Any]) -> int | None:
    """Return the gateway's id of the resolution that waits for the tenant, if there is one."""
    said = [
        update["serviceProblemResolution"]
        for update in problem["updates"]
        if "serviceProblemResolution" in update
    ]
    waits = bool(said) and said[-1]["status"] == "PENDING"
    return int(said[-1]["id"]) if waits else None


def line(update: Mapping[str, Any]) -> str:
    """Return an update on one line, its time that of this machine."""
    at = from_wire(update["receivedOn"]).astimezone().strftime("%H:%M:%S.%f")[:-3]
    number = f"KCI {update['sequenceNumber']}" if "sequenceNumber" in update else "gateway"
    said = update.get("information") or update.get("action") or update["error"]
    words = [said.get("type", ""), said.get("code", ""), said.get("text", "")]
    words += said.get("messages", [])
    words += [note["note"] for note in update.get("supplierNotes", [])]
    about = "  ".join(word for word in words if word)
    return f"{at}  {number:<8} {update['updateType']:<16} {about}"
