"""A tenant's calls printed as lines for a shell, and a problem's updates as lines for people."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from supplier_api.clock import from_wire
from supplier_api.sandbox.tenant_client import TOKEN_PATH, Account, GatewayCall, pending_resolution

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
