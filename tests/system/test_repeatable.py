"""Two runs with the same calls, by real processes, leave the same journal."""

import json
from typing import Any

import requests

from tests.samples import amendment_request, problem_request
from tests.system.callers import Document, GatewayCaller
from tests.system.conftest import Install
from tests.system.gateway import Gateway

TENANT = "TENANT1"
FRESH = {"tenant": TENANT, "seed": 42, "freeze_at": "2028-02-29T23:59:30.000Z"}
WEEK = 7 * 86_400


class Repeater(GatewayCaller):
    """Calls the supplier as the gateway does, under request ids that are the same in every run."""

    serial = 0

    def call(
        self, method: str, path: str, document: Document | None = None, **more: str
    ) -> requests.Response:
        """Send a request."""
        self.serial += 1
        names = {"X_Request_ID": f"r{self.serial}", "X_Conversation_ID": "c"}
        return super().call(method, path, document, **names, **more)

    def run(self) -> list[dict[str, Any]]:
        """Start afresh, make the calls, let a week go by; return the journal."""
        self.serial = 0
        self.done(200, "POST", "/admin/reset", FRESH)
        raised = self.done(201, "POST", "/service-problems", problem_request(id=1))
        self.done(422, "POST", "/service-problems", problem_request(id=2))
        self.done(400, "POST", "/service-problems", problem_request(id="3", extra="x"))
        change = amendment_request(
            serviceProblemId=1, supplierServiceProblemReference=raised["supplierReference"]
        )
        self.done(201, "POST", "/service-problem-amendments", change)
        self.done(200, "POST", "/admin/clock?wait=60", {"tenant": TENANT, "advanceSeconds": WEEK})
        self.done(200, "GET", f"/admin/idle?tenant={TENANT}&wait=60")
        exported = self.call("GET", f"/admin/journal/export?tenant={TENANT}")
        return [json.loads(line) for line in exported.text.splitlines()]


def test_two_runs_leave_the_same_journal(
    install: Install, gateway: Gateway, database_url: str
) -> None:
    installation = install(DATABASE__URL=database_url, BACKOFFICE__PACE=1, **gateway.settings)
    installation.start("serve", "worker")
    caller = Repeater(installation)

    first, second = caller.run(), caller.run()

    assert [(each["operation"], each["status"]) for each in first[:4]] == [
        ("service-problems", 201),
        ("service-problems", 422),
        ("service-problems", 400),
        ("service-problem-amendments", 201),
    ]
    reasons = [json.loads(each["request"]["body"])["reasonCode"] for each in first[4:]]
    assert reasons[0] == "COMMITTED"
    assert reasons[-3:] == ["RESOLVED", "ADDITIONAL", "COMPLETED"]
    for entry in first + second:
        # Where it stands in the journal, and how long it took.
        del entry["cursor"], entry["milliseconds"]
    assert first == second
