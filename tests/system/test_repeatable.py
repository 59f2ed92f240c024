"""Two runs with the same calls, by real processes, leave the same journal and the same problem."""

import json
from typing import Any

import pytest
import requests

from tests.samples import amendment_request, problem_request
from tests.system.callers import Document, GatewayCaller, Tenant
from tests.system.conftest import Install
from tests.system.gateway import Gateway
from tests.waiting import eventually

pytestmark = pytest.mark.slow

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
        return self.a_week_later()

    def run_through(self, tenant: Tenant) -> tuple[Document, list[dict[str, Any]]]:
        """Start afresh and let a week go by over a problem that a tenant raises at the gateway.

        Return the problem as its tenant is shown it, and the journal.
        """
        self.done(200, "POST", "/admin/reset", FRESH)
        problem_id = tenant.raise_problem(X_Request_ID="r1")
        shown = eventual(tenant, problem_id, "ACKNOWLEDGED")
        assert shown["status"] == "ACKNOWLEDGED"
        tenant.amend(problem_id, X_Request_ID="r2")
        eventual(tenant, problem_id, "AMENDED")
        journal = self.a_week_later()
        return tenant.problem(problem_id), journal

    def a_week_later(self) -> list[dict[str, Any]]:
        """Let a week go by; return the journal, without what is another every time."""
        self.done(200, "POST", "/admin/clock?wait=60", {"tenant": TENANT, "advanceSeconds": WEEK})
        self.done(200, "GET", f"/admin/idle?tenant={TENANT}&wait=60")
        exported = self.call("GET", f"/admin/journal/export?tenant={TENANT}")
        entries = [json.loads(line) for line in exported.text.splitlines()]
        for entry in entries:
            # Where it stands in the journal, and how long it took.
            del entry["cursor"], entry["milliseconds"]
        return entries


def eventual(tenant: Tenant, problem_id: int, kind: str) -> Document:
    """Return the problem once its tenant has been told something of this kind."""

    def told() -> bool:
        updates = tenant.problem(problem_id)["updates"]
        return any(each.get("information", {}).get("type") == kind for each in updates)

    eventually(told, f"the tenant to be told {kind}")
    return tenant.problem(problem_id)


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
    assert first == second


def test_two_runs_through_the_sandbox_gateway_are_the_same(install: Install) -> None:
    installation = install(BACKOFFICE__PACE=1)
    installation.start("serve", "worker", "sandbox")
    caller, tenant = Repeater(installation), Tenant(installation)

    (shown, journal), again = caller.run_through(tenant), caller.run_through(tenant)

    assert shown["status"] == "COMPLETED"
    assert {each["operation"] for each in journal} >= {"service-problems", "kcis"}
    assert again == (shown, journal)
