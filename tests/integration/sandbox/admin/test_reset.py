"""A fresh start: nothing is left, nobody else is touched, and what comes is the same again."""

from typing import Any

import pytest

from supplier_api.clock import from_wire
from supplier_api.db import UnitOfWork
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Services
from supplier_api.problems.work_item_repository import Holder, WorkItemRepository
from tests.samples import amendment_request, problem_request
from tests.supplier import TENANT, on_sqlite

from .target import DAY, Target

LEAP_DAY = "2028-02-29T23:59:30.000Z"
FRESH = {"tenant": TENANT, "seed": 42, "freeze_at": LEAP_DAY}
# The back office plays every problem to its resolution.
played = pytest.mark.parametrize("also", [{"BACKOFFICE__PACE": "1.0"}], ids=["played"])
Run = tuple[list[Any], list[dict[str, Any]], dict[str, Any]]


def run(target: Target) -> Run:
    """Make the same calls, days of them; return answers, KCIs and the supplier's view."""
    before = len(target.gateway.arrivals())
    answers = [
        target.call("/service-problems", problem_request(id=problem, **changes), request="r")
        for problem, changes in enumerate(
            [{}, {"serviceId": "SI0000000000001"}, {"serviceId": "SI0000000000009"}], 1
        )
    ]
    target.settle()
    target.move(tenant=TENANT, advanceSeconds=3)
    change = amendment_request(
        id=7,
        serviceProblemId=1,
        supplierServiceProblemReference=answers[0].get_json()["supplierReference"],
    )
    answers.append(target.call("/service-problem-amendments", change, request="r"))
    target.settle()
    target.move(tenant=TENANT, advanceSeconds=7 * DAY)
    shown = target.done(200, "GET", f"/problems/1?tenant={TENANT}")
    for entry in shown["timeline"]:
        # Messages leave the house in real time.
        entry.pop("attempts", None)
        entry.pop("settled", None)
        if entry["what"] == "order":
            entry.pop("at")
    kcis = [each.document for each in target.gateway.arrivals()[before:]]
    # In order for each problem; they do not wait for each other.
    kcis.sort(key=lambda kci: (kci["serviceProblem"]["id"], kci["sequenceNumber"]))
    return [(each.status_code, each.get_json()) for each in answers], kcis, shown


@played
def test_two_runs_with_the_same_calls_are_equal(worked: Target) -> None:
    runs = []
    for _ in range(2):
        after = worked.done(200, "POST", "/reset", FRESH)
        assert (after["now"], after["frozen"]) == (LEAP_DAY, True)
        runs.append(run(worked))
    answers, kcis, _ = runs[0]
    assert [status for status, _ in answers] == [201, 422, 201, 201]
    assert kcis[-1]["reasonCode"] == "COMPLETED"
    assert runs[0] == runs[1]


def test_another_seed_makes_other_references(target: Target) -> None:
    references = set()
    for seed in (1, 2, 1):
        target.done(200, "POST", "/reset", {"tenant": TENANT, "seed": seed})
        references.add(target.opened(1))
    assert len(references) == 2


def test_without_a_seed_references_are_random(target: Target) -> None:
    references = set()
    for _ in range(2):
        target.done(200, "POST", "/reset", {"tenant": TENANT})
        references.add(target.opened(1))
    assert len(references) == 2


def test_a_reset_leaves_nothing_of_a_tenant_and_all_of_the_others(worked: Target) -> None:
    ours, theirs = worked.resolved(1), worked.resolved(1, tenant="TENANT2")
    worked.settle()
    worked.settle("TENANT2")
    worked.move(tenant=TENANT, advanceSeconds=DAY)
    moved = worked.now()
    worked.done(200, "POST", "/reset", {"tenant": TENANT})
    assert worked.admin("GET", f"/problems/{ours}").status_code == 404
    assert worked.now() < moved
    assert worked.done(200, "GET", f"/problems/{theirs}")["status"] == "RESOLVED"
    assert worked.opened(1) != ours


def test_what_people_had_taken_goes_too(target: Target) -> None:
    reference = target.opened(1)
    services: Services = target.client.application.extensions["services"]
    now = services.machine.now()

    def take(uow: UnitOfWork) -> None:
        (problem_id,) = ProblemRepository(uow).find_any(reference)
        WorkItemRepository(uow).take(reference, problem_id, "problem", now, Holder("ann", now))

    services.store.write(take)
    target.done(200, "POST", "/reset", {"tenant": TENANT})
    assert target.admin("GET", f"/problems/{reference}").status_code == 404


def test_nothing_comes_of_what_was_due_before_a_reset(worked: Target) -> None:
    worked.resolved(1)
    worked.settle()
    worked.done(200, "POST", "/reset", {"tenant": TENANT})
    worked.move(tenant=TENANT, advanceSeconds=6 * DAY)
    assert worked.reasons(1) == ["RESOLVED"]


def test_a_reset_may_come_while_an_update_is_being_sent(worked: Target) -> None:
    worked.gateway.hold()
    worked.resolved(1)
    worked.gateway.wait_for(lambda seen: len(seen) == 1, "the update to arrive")
    worked.done(200, "POST", "/reset", {"tenant": TENANT})
    worked.gateway.let_go()
    worked.opened(1)
    worked.settle()
    assert worked.reasons(1) == ["RESOLVED"]


def test_a_moved_clock_that_is_reset_arrives_nowhere(worked: Target) -> None:
    worked.resolved(1)
    worked.settle()
    worked.gateway.hold()
    worked.done(202, "POST", "/clock?wait=0", {"tenant": TENANT, "advanceSeconds": 5 * DAY})
    after = worked.done(200, "POST", "/reset", FRESH)
    worked.gateway.let_go()
    assert after["state"] == "ready"
    assert worked.now() == from_wire(LEAP_DAY)


def test_all_is_everybodys_fresh_start(target: Target) -> None:
    references = target.opened(1), target.opened(1, tenant="TENANT2")
    target.move(tenant="TENANT3", freeze=True)
    seeded = {"seed": 42, "freeze_at": LEAP_DAY}
    after = target.done(200, "POST", "/reset?all=true", seeded)
    assert after["tenants"] == {}
    assert target.now("TENANT2") == target.now("TENANT3") == from_wire(LEAP_DAY)
    for reference in references:
        assert target.admin("GET", f"/problems/{reference}").status_code == 404
    first = target.opened(1)
    target.done(200, "POST", "/reset?all=true", seeded)
    assert target.opened(1) == first
    assert target.opened(1, tenant="TENANT2") != first


@on_sqlite
@pytest.mark.parametrize(
    ("query", "body", "field"),
    [
        ("", {}, "tenant"),
        ("", {"seed": 1}, "tenant"),
        ("?all=false", {}, "tenant"),
        ("?all=true", {"tenant": TENANT}, "tenant"),
        ("?all=yes", {}, "all"),
        ("", {"tenant": "two words"}, "tenant"),
        ("", {"tenant": TENANT, "seed": 0}, "seed"),
        ("", {"tenant": TENANT, "freeze_at": "2026-01-01"}, "freeze_at"),
        ("", {"tenant": TENANT, "freeze_at": "9999-01-01T00:00:00Z"}, "freeze_at"),
    ],
)
def test_a_reset_says_whose(query: str, body: dict[str, Any], field: str, target: Target) -> None:
    kept = target.opened(1)
    refused = target.done(422, "POST", f"/reset{query}", body)
    assert refused["messages"][0].startswith(f"{field}:")
    assert target.done(200, "GET", f"/problems/{kept}")["status"] == "ACKNOWLEDGED"
