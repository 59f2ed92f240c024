"""Days that take a moment: a closure by silence through the whole chain, by real processes."""

from datetime import datetime, timedelta

import pytest

from supplier_api.clock import from_wire
from tests.system.callers import Document, GatewayCaller, Tenant
from tests.system.conftest import Install
from tests.waiting import eventually

pytestmark = pytest.mark.slow

DAY = 86_400


def test_a_problem_that_nobody_answers_for_is_closed(install: Install, database_url: str) -> None:
    # Nothing happens by itself while the test looks on: the steps take minutes.
    installation = install(DATABASE__URL=database_url, BACKOFFICE__PACE=60)
    installation.start("sandbox", "serve", "worker")
    tenant, supplier = Tenant(installation), GatewayCaller(installation)
    problem = tenant.raise_problem()
    eventually(lambda: tenant.problem(problem)["status"] == "ACKNOWLEDGED", "the supplier's answer")

    supplier.done(200, "GET", "/admin/idle?tenant=TENANT1&wait=60s")
    began = from_wire(tenant.problem(problem)["created"])
    move = {"tenant": "TENANT1", "advanceSeconds": 6 * DAY}
    there = supplier.done(200, "POST", "/admin/clock?wait=60s", move)

    assert there["state"] == "ready"
    seen = tenant.problem(problem)
    assert seen["status"] == "COMPLETED"
    resolved, notice, closed = (_day(seen, began, number) for number in (3, 4, 5))
    assert (resolved, notice, closed) == (0, 4, 5)
    for update in seen["updates"][1:]:
        # The gateway's time has gone with ours.
        late = from_wire(update["receivedOn"]) - from_wire(update["issuedOn"])
        assert timedelta() <= late < timedelta(seconds=60)
    others = supplier.done(200, "GET", "/admin/clock?tenant=TENANT2")
    assert from_wire(others["now"]) - began < timedelta(days=1)


def _day(seen: Document, began: datetime, number: int) -> int:
    """Return on which day the update of that number was issued."""
    (update,) = [each for each in seen["updates"] if each.get("sequenceNumber") == number]
    return (from_wire(update["issuedOn"]) - began).days
