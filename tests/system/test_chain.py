"""The whole chain: a tenant raises a problem, and sees how it is resolved."""

import pytest

from tests.system.callers import Document, Tenant
from tests.system.conftest import Install
from tests.system.installation import Installation
from tests.waiting import eventually

# What the gateway makes itself has no number.
COURSE = [
    (None, "ACKNOWLEDGED"),
    (1, "COMMITTED"),
    (2, "UPDATE"),
    (3, "CONFIRM"),
]


def test_a_tenant_sees_a_problem_resolved(install: Install) -> None:
    installation = install(BACKOFFICE__PACE=0.05)
    installation.start("sandbox", "serve", "worker")
    problem = Tenant(installation).raise_problem()
    _wait_for_updates(installation, problem, len(COURSE))
    _assert_resolved(Tenant(installation).problem(problem))


@pytest.mark.slow
def test_the_course_goes_on_after_restarts_of_both_sides(
    install: Install, database_url: str
) -> None:
    """Nobody knows how far a step has come when a part ends: nothing depends on it."""
    installation = install(
        DATABASE__URL=database_url, BACKOFFICE__PACE=0.3, DELIVERY__RETRY_WAITS="[0.2]"
    )
    installation.start("sandbox", "serve", "worker")
    problem = Tenant(installation).raise_problem()
    _wait_for_updates(installation, problem, 1)
    assert installation.stop("serve", "worker") == [0, 0]
    installation.start("serve", "worker")
    _wait_for_updates(installation, problem, 2)
    assert installation.stop("sandbox") == [0]
    installation.start("sandbox")
    _wait_for_updates(installation, problem, len(COURSE))
    _assert_resolved(Tenant(installation).problem(problem))


def _wait_for_updates(installation: Installation, problem: int, count: int) -> None:
    tenant = Tenant(installation)
    eventually(lambda: len(tenant.problem(problem).get("updates", [])) >= count, f"update {count}")


def _assert_resolved(problem: Document) -> None:
    assert [(each.get("sequenceNumber"), _kind(each)) for each in problem["updates"]] == COURSE
    assert problem["status"] == "RESOLVED"
    assert problem["updates"][-1]["serviceProblemResolution"]["status"] == "PENDING"


def _kind(update: Document) -> str:
    told: Document = update.get("information") or update["action"]
    return str(told["type"])
