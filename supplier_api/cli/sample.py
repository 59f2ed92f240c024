"""Raises one sample problem as a tenant, follows it until it is resolved, and says what is next."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import getproxies

from supplier_api.cli.gateway_client import token_line
from supplier_api.cli.local import Endpoints, command_name, short_path
from supplier_api.clock import from_wire
from supplier_api.ids import IdSource
from supplier_api.sandbox.tenant_client import (
    TENANT,
    Account,
    GatewayCall,
    GatewayClient,
    any_service_test,
    sample,
)

CREATE = "POST /service-problems"
# The sandbox's inventory knows this service as ceased: a problem on it is refused.
CEASED_SERVICE_TEST = 1
HEADERS = '-H "Authorization: Bearer $TOKEN" -H "X-Request-ID: 1" -H "X-Conversation-ID: 1"'
# Where the sample's way ends: it is fixed, or nothing more will come.
ENDS = frozenset({"RESOLVED", "REJECTED", "FAILED_TO_SEND", "CANCELLED", "COMPLETED"})
# The status that a decision's answer carries.
ANSWERED = {"acknowledge": "ACKNOWLEDGED", "commit": "IN_PROGRESS", "defer": "undecided"}

View = Callable[[int], Mapping[str, Any] | None]


@dataclass(frozen=True)
class SampleLine:
    """One step of the sample: who told whom what, and what was answered."""

    at: datetime
    sender: str
    receiver: str
    what: str
    answer: int
    ident: str
    status: str

    def __str__(self) -> str:
        """Return the step in columns, in this machine's local time."""
        at = self.at.astimezone().strftime("%H:%M:%S.%f")[:-3]
        way = f"{self.sender:<8} -> {self.receiver:<8}"
        return f"{at}  {way}   {self.what:<27}{self.answer:<5}{self.ident:<15}{self.status}"


class SampleTenant:
    """A tenant at the sandbox gateway, with a token of its own."""

    def __init__(self, account: Account, id_source: IdSource) -> None:
        """Call the gateway of `account`; every call raises requests.RequestException."""
        self._client = GatewayClient(account)
        self._id_source = id_source
        self._conversation = str(id_source.uuid(TENANT))

    def raise_problem(self) -> tuple[int, dict[str, Any]]:
        """Raise the sample on a service that has no problem yet; return status and problem."""
        return self._call("POST", "/service-problems", sample(any_service_test(self._id_source)))

    def problem(self, gateway_id: int) -> dict[str, Any]:
        """Return the problem as the gateway shows it to its tenant."""
        return self._call("GET", f"/service-problems/{gateway_id}")[1]

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        headers = {
            "X-Request-ID": str(self._id_source.uuid(TENANT)),
            "X-Conversation-ID": self._conversation,
        }
        answer = self._client.send(GatewayCall(method, path, body, headers))
        answer.raise_for_status()
        return answer.status_code, answer.json()


class Journey:
    """The sample on its way, seen from both ends: the tenant's, and the supplier's records."""

    def __init__(self, tenant: SampleTenant, view: View) -> None:
        """`view` returns what the supplier knows of a gateway id, or None as yet."""
        self._tenant = tenant
        self._view = view
        self._decided = False
        self._arrived: list[int] = []
        self._seen: Mapping[str, Any] = {}
        self._known: Mapping[str, Any] | None = None
        self.gateway_id = 0
        self.reference = ""
        self.status = ""
        self.ended = False

    def begin(self, now: datetime) -> SampleLine:
        """Raise the sample."""
        code, problem = self._tenant.raise_problem()
        self.gateway_id, self.status = int(problem["id"]), str(problem["status"])
        ident = f"id {self.gateway_id}"
        return SampleLine(now, "tenant", "gateway", CREATE, code, ident, self.status)

    def news(self) -> Iterator[SampleLine]:
        """Yield what has happened since the last call."""
        seen = self._tenant.problem(self.gateway_id)
        known = self._view(self.gateway_id)
        self._seen, self._known = seen, known
        if known is not None:
            yield from self._decision(known)
            yield from self._updates(seen, known)
        self.status = seen["status"]
        self.ended = self.status in ENDS and len(self._arrived) == len(_numbered(seen))

    def _decision(self, known: Mapping[str, Any]) -> Iterator[SampleLine]:
        if self._decided:
            return
        self._decided = True
        self.reference = str(known["reference"])
        made = next(entry for entry in known["timeline"] if entry["what"] == "request")
        status = f"{ANSWERED[made['outcome']]} (rule: {made['rule']})"
        ident = self.reference if made["answer"] == 201 else ""
        at = from_wire(made["at"])
        yield SampleLine(at, "gateway", "supplier", CREATE, made["answer"], ident, status)

    def _updates(self, seen: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[SampleLine]:
        sent = {entry["number"]: entry for entry in known["timeline"] if entry["what"] == "kci"}
        for update in _numbered(seen)[len(self._arrived) :]:
            kci = sent.get(update["sequenceNumber"])
            if kci is None or kci["state"] != "delivered":
                return  # it arrived, but its answer is not in our records yet
            self._arrived.append(update["sequenceNumber"])
            at = from_wire(update["receivedOn"])
            what = f"KCI {kci['number']}  {kci['kind']}"
            code = kci["attempts"][-1]["status"]
            yield SampleLine(at, "supplier", "gateway", what, code, "", kci["status"])

    def stuck(self) -> str:
        """Say why the sample is not at its end, as far as the two ends tell."""
        if errors := _errors(self._seen):
            return errors[0]
        if self._known is None:
            return f"the supplier has not decided on it; at the gateway it is {self.status}"
        for entry in self._known["timeline"]:
            if entry["what"] in _CARRIED and entry["state"] != "delivered":
                return f"{_CARRIED[entry['what']]} {entry['kind']} is {_how_far(entry)}"
        return f"it is {self.status}, and nothing is on its way: the back office has yet to act"

    def summary(self) -> str:
        """Say in a sentence what came of the sample."""
        count = len(self._arrived)
        expected = list(range(1, count + 1))
        if self._arrived != expected:
            return f"the gateway shows the KCIs {self._arrived}: expected {expected}"
        ending = f"The problem is {self.status}."
        if self.status == "RESOLVED":
            ending = "The tenant may now accept or reject the resolution."
        for message in _errors(self._seen)[:1]:
            ending += f" {message}"
        return f"{count} KCIs, in order, none missing. {ending}"


# What is sent about a problem, in the words of its timeline.
_CARRIED = {"kci": "the KCI", "order": "the work order"}


def _how_far(entry: Mapping[str, Any]) -> str:
    """Return the state of something that was not delivered, and what became of the last try."""
    tries = entry["attempts"]
    return f"{entry['state']}, {tries[-1]['detail'] if tries else 'not tried yet'}"


def _errors(seen: Mapping[str, Any]) -> list[str]:
    """Return what went wrong at the gateway, the latest first."""
    errors = [update["error"] for update in seen.get("updates", []) if "error" in update]
    return [message for error in reversed(errors) for message in error["messages"]]


def _numbered(seen: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the updates that are the supplier's: what the gateway makes itself has no number."""
    return [update for update in seen.get("updates", []) if "sequenceNumber" in update]


def next_steps(
    endpoints: Endpoints, tenant: Account, data_dir: Path, journey: Journey | None
) -> list[str]:
    """Return what to try next: at most six lines, each a command that works as pasted.

    Writes the body of the refused problem into the data folder, so that the command stays short.
    """
    refused = data_dir / "refused.json"
    refused.write_text(json.dumps(sample(CEASED_SERVICE_TEST), indent=2) + "\n", encoding="utf-8")
    body = shlex.quote(f"@{short_path(refused)}")
    gateway = endpoints.sandbox
    curl = "curl -s"
    if getproxies():
        curl += " --noproxy '*'"  # on this machine nothing has to go through it
    # Without a sample there may be no problem of any number.
    shown = [f"{curl} {gateway}/service-problems/{journey.gateway_id} {HEADERS}"] if journey else []
    look = f"show {journey.reference}" if journey and journey.reference else "list"
    refusal = (
        f'{curl} {gateway}/service-problems {HEADERS} -H "Content-Type: application/json"'
        f" -d {body}  # a ceased service"
    )
    return [
        f"python3 -m webbrowser {endpoints.supplier}/console/  # watch a problem, raise more",
        f"{command_name()} problem {look}",
        f"TOKEN={token_line(tenant, curl)}",
        *shown,
        refusal,
        f"tail -f {shlex.quote(short_path(data_dir / 'log'))}/*.log",
    ]
