"""Pull mode for the sample desk: the part that a supplier writes whom nobody may call.

A program of its own, which imports nothing of the supplier's. It fetches work orders, does each at
the desk and answers it; and it says what tickets are: those that a webhook of the desk names, and,
as webhooks are lost, all that have changed. It keeps nothing: what it has done stands in the
tickets, so it may be killed at any time. In its environment: SUPPLIER and DESK (URLs), SECRET (of
the client back-office), PORT (for the desk's webhooks).
"""

import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

SUPPLIER, DESK = os.environ["SUPPLIER"], os.environ["DESK"]
DOOR = f"{SUPPLIER}/back-office/v1"
FETCH = f"{DOOR}/work-orders?limit=20&wait=1&lease=5"
LOOK_EVERY = 2.0  # seconds between two looks at what has changed
PAUSE = 0.2  # seconds after a failure
TIMEOUT = 10.0  # seconds
# What a ticket's status stands for, and the status that an order gives a ticket.
STATES = {
    "New": "ACKNOWLEDGED",
    "Working": "IN_PROGRESS",
    "Done": "RESOLVED",
    "Closed": "COMPLETED",
}
STATUSES = {"IN_PROGRESS": "Working", "COMPLETED": "Closed"}
Document = dict[str, Any]


class Caller(requests.Session):
    """Calls desk and supplier, for one thread."""

    def __init__(self) -> None:
        """Call nothing yet."""
        super().__init__()
        self.trust_env = False
        self._token = ""

    def ask(self, method: str, path: str, body: Document | None = None) -> Any:
        """Call the desk."""
        answer = self.request(method, DESK + path, json=body, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.json()

    def tell(self, method: str, url: str, body: Document | None = None) -> requests.Response:
        """Call the supplier, with a new token where the old one is no good."""
        answer = self._tell(method, url, body)
        if answer.status_code == 401:
            self._token = self._new_token()
            answer = self._tell(method, url, body)
        if answer.status_code >= 500:
            answer.raise_for_status()
        return answer

    def _tell(self, method: str, url: str, body: Document | None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._token}"}
        return self.request(method, url, json=body, headers=headers, timeout=TIMEOUT)

    def _new_token(self) -> str:
        form = {"grant_type": "client_credentials"}
        client = ("back-office", os.environ["SECRET"])
        answer = self.post(f"{SUPPLIER}/oauth2/token", data=form, auth=client, timeout=TIMEOUT)
        answer.raise_for_status()
        return str(answer.json()["access_token"])


def fetch(caller: Caller) -> None:
    """Do the orders that are due; one that fails is not answered, and comes again."""
    for order in caller.tell("GET", FETCH).json()["orders"]:
        answer = {"claim": order["claim"], **done(caller, order)}
        # 409: it was given out again, or is settled: then that counts.
        caller.tell("POST", f"{DOOR}/work-orders/{order['id']}/answer", answer)


def done(caller: Caller, order: Document) -> Document:
    """Do an order at the desk, once however often it comes; return the answer to it."""
    found = caller.ask("GET", f"/tickets?reference={order['reference']}")
    if order["kind"] == "problem":
        title = str(order["problem"]["problemType"])
        made = {"reference": order["reference"], "title": title}
        ticket = found[0] if found else caller.ask("POST", "/tickets", made)
        # Also if it was made before: what follows the first version is people's work.
        return {"ticket": ticket["number"], "version": 1}
    ticket = found[0]
    answer: Document = {"ticket": ticket["number"]}
    path = f"/tickets/{ticket['number']}"
    if any(order["id"] in comment for comment in ticket["comments"]):
        return answer
    status = STATUSES.get(order["standing"])
    if order["kind"] in ("resolution-answer", "closed") and status:
        answer["version"] = caller.ask("PATCH", path, {"status": status})["revision"]
    # Last, as it says that the order is done.
    caller.ask("POST", f"{path}/comments", {"text": f"{order['kind']} [{order['id']}]"})
    return answer


def is_told(caller: Caller, ticket: Document) -> bool:
    """Say what a ticket is; False if that has to be said again."""
    snapshot = {
        "ticket": ticket["number"],
        "version": ticket["revision"],
        "status": ticket["status"],
        "state": STATES[ticket["status"]],
    }
    if snapshot["state"] in ("RESOLVED", "COMPLETED"):
        cause = {"resolutionCode": "NETWORK_CABLING", "resolutionText": ticket["note"]}
        snapshot["resolution"] = cause
    url = f"{DOOR}/problems/{ticket['reference']}/snapshot"
    return caller.tell("PUT", url, snapshot).status_code == 200


class Hook(BaseHTTPRequestHandler):
    """Takes the desk's webhooks: each is a hint to look now."""

    changed = threading.Event()

    def do_POST(self) -> None:
        """Take the webhook."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.changed.set()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def look() -> None:
    """Say what has changed, all of it at the start; what was not taken is said again."""
    caller, since = Caller(), ""
    while True:
        Hook.changed.clear()
        try:
            tickets = caller.ask("GET", f"/tickets?changed-since={since}")
            taken = [is_told(caller, ticket) for ticket in tickets]
            if all(taken):
                since = max((ticket["changed"] for ticket in tickets), default=since)
        except requests.RequestException:
            time.sleep(PAUSE)
        Hook.changed.wait(LOOK_EVERY)


def main() -> None:
    """Work until killed."""
    hooks = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Hook)
    for work in (hooks.serve_forever, look):
        threading.Thread(target=work, daemon=True).start()
    caller = Caller()
    while True:
        try:
            fetch(caller)
        except requests.RequestException:
            time.sleep(PAUSE)


if __name__ == "__main__":
    main()
