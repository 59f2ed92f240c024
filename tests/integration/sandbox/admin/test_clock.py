"""Business time that testers move: in order, each thing at its own time, and settled."""

from datetime import timedelta
from typing import Any

import pytest

from supplier_api.clock import from_wire
from tests.supplier import TENANT, on_sqlite

from .target import DAY, Target, issued

# The gateway is given an hour after a failure.
patient = pytest.mark.parametrize("also", [{"DELIVERY__RETRY_WAITS": "3600"}], ids=["patient"])


def test_a_closure_by_silence_is_told_on_its_own_days(worked: Target) -> None:
    reference = worked.resolved(1)
    worked.settle()
    began = worked.now()
    after = worked.move(tenant=TENANT, advanceSeconds=5 * DAY)
    assert after["state"] == "ready"
    assert worked.reasons(1) == ["RESOLVED", "ADDITIONAL", "COMPLETED"]
    _, notice, closed = worked.told(1)
    assert issued(closed) - issued(notice) == timedelta(days=1)
    assert timedelta(days=4, hours=23) < issued(closed) - began <= timedelta(days=5)
    shown = worked.done(200, "GET", f"/problems/{reference}")
    assert shown["status"] == "COMPLETED"


def test_what_becomes_due_on_the_way_happens_in_its_order(worked: Target) -> None:
    hours = [2, 1, 3]
    for problem, _ in enumerate(hours, 1):
        worked.resolved(problem)
        worked.settle()
        worked.move(tenant=TENANT, advanceSeconds=3600)
    worked.move(tenant=TENANT, advanceSeconds=6 * DAY)
    arrivals = [each.document for each in worked.gateway.arrivals()]
    later = [kci for kci in arrivals if kci["reasonCode"] in {"ADDITIONAL", "COMPLETED"}]
    assert [(kci["reasonCode"], kci["serviceProblem"]["id"]) for kci in later] == [
        (reason, problem) for reason in ("ADDITIONAL", "COMPLETED") for problem in (1, 2, 3)
    ]
    dates = [issued(kci) for kci in later]
    assert dates == sorted(dates)
    assert dates[1] - dates[0] >= timedelta(hours=1)


def test_a_move_waits_for_what_is_under_way_at_its_start(worked: Target) -> None:
    worked.resolved(1)
    # Before the gateway has taken RESOLVED the tenant's days do not run.
    worked.move(tenant=TENANT, advanceSeconds=5 * DAY)
    assert worked.reasons(1) == ["RESOLVED", "ADDITIONAL", "COMPLETED"]


@patient
def test_a_failed_update_is_tried_again_as_time_passes(worked: Target) -> None:
    refusals = [503, 503, 204]
    worked.gateway.answers(lambda _: refusals.pop(0) if refusals else 204)
    reference = worked.opened(1)
    worked.say(reference, "start")
    worked.settle()
    assert worked.done(200, "GET", "/idle")["lanesInBackOff"] == 1
    worked.move(tenant=TENANT, advanceSeconds=1800)
    assert worked.reasons(1) == []
    worked.move(tenant=TENANT, advanceSeconds=3 * 3600)
    assert worked.reasons(1) == ["COMMITTED"]


@patient
def test_a_late_update_moves_what_counts_from_its_arrival(worked: Target) -> None:
    answers = [503]
    worked.gateway.answers(lambda _: answers.pop(0) if answers else 204)
    worked.resolved(1)
    worked.settle()
    worked.move(tenant=TENANT, advanceSeconds=7 * DAY)
    _, notice, closed = worked.told(1)
    resolved = worked.told(1)[0]
    # RESOLVED is dated when it happened; five days count from when it was taken, an hour later.
    assert timedelta(days=5, hours=1) <= issued(closed) - issued(resolved) < timedelta(days=5.1)
    assert issued(closed) - issued(notice) == timedelta(days=1)


def test_who_waits_too_shortly_is_told_that_it_goes_on(worked: Target) -> None:
    worked.resolved(1)
    worked.settle()
    worked.gateway.hold()
    going = worked.done(202, "POST", "/clock?wait=0", {"tenant": TENANT, "advanceSeconds": 5 * DAY})
    assert going["state"] == "advancing"
    assert from_wire(going["to"]) > from_wire(going["now"])
    again = worked.admin("POST", "/clock", {"tenant": TENANT, "advanceSeconds": 1})
    assert again.status_code == 409
    assert worked.done(408, "GET", f"/idle?tenant={TENANT}&wait=0")["advancing"] is True
    worked.gateway.let_go()
    worked.settle()
    ready = worked.done(200, "GET", f"/clock?tenant={TENANT}")
    assert ready["state"] == "ready"
    assert worked.reasons(1)[-1] == "COMPLETED"


def test_a_move_can_be_stopped_on_its_way(worked: Target) -> None:
    worked.resolved(1)
    worked.settle()
    worked.gateway.hold()
    worked.done(202, "POST", "/clock?wait=0", {"tenant": TENANT, "advanceSeconds": 5 * DAY})
    stopped = worked.move(tenant=TENANT, freeze=True)
    assert (stopped["state"], stopped["frozen"]) == ("ready", True)
    worked.gateway.let_go()
    worked.settle()
    assert "COMPLETED" not in worked.reasons(1)


def test_a_frozen_clock_stands_and_goes_on_from_there(worked: Target) -> None:
    frozen = worked.move(tenant=TENANT, freeze=True)
    assert frozen["frozen"]
    assert worked.now() == worked.now() == from_wire(frozen["now"])
    moved = worked.move(tenant=TENANT, advanceSeconds=90.5)
    assert moved["frozen"]
    assert from_wire(moved["now"]) - from_wire(frozen["now"]) == timedelta(seconds=90.5)
    running = worked.move(tenant=TENANT, run=True)
    assert not running["frozen"]
    # Instants are told in milliseconds: two readings may be of the same one.
    began = from_wire(running["now"])
    assert from_wire(moved["now"]) <= began
    assert any(worked.now() > began for _ in range(100))


def test_nothing_becomes_due_while_a_clock_stands(worked: Target) -> None:
    worked.move(tenant=TENANT, freeze=True)
    worked.resolved(1)
    idle = worked.settle()
    notice = from_wire(idle["nextTimer"])
    assert notice == worked.now() + timedelta(days=4)
    worked.move(tenant=TENANT, to=idle["nextTimer"])
    assert worked.reasons(1) == ["RESOLVED", "ADDITIONAL"]
    assert issued(worked.told(1)[-1]) == notice


def test_each_tenant_has_its_own_time(worked: Target) -> None:
    others = worked.now("TENANT2")
    worked.move(tenant=TENANT, advanceSeconds=DAY)
    assert worked.now() - others >= timedelta(days=1)
    assert worked.now("TENANT2") - others < timedelta(hours=1)
    every = worked.done(200, "GET", "/clock")
    assert list(every["tenants"]) == [TENANT]


def test_all_clocks_move_together(worked: Target) -> None:
    worked.move(tenant=TENANT, advanceSeconds=DAY)
    before = worked.now(), worked.now("TENANT2")
    worked.move(advanceSeconds=DAY)
    assert worked.now() - before[0] >= timedelta(days=1)
    assert worked.now("TENANT2") - before[1] >= timedelta(days=1)
    worked.resolved(2, tenant="TENANT2")
    worked.settle("TENANT2")
    worked.move(advanceSeconds=5 * DAY)
    assert worked.reasons(2)[-1] == "COMPLETED"


@on_sqlite
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"freeze": False}, "body"),
        ({"advanceSeconds": 1, "run": True}, "body"),
        ({"advanceSeconds": -1}, "advanceSeconds"),
        ({"advanceSeconds": 10**10}, "advanceSeconds"),
        ({"to": "2020-01-01T00:00:00.000Z"}, "to"),
        ({"to": "2030-01-01T00:00:00"}, "to"),
        ({"to": "9999-12-31T00:00:00Z"}, "to"),
        ({"tenant": "tenant 1", "freeze": True}, "tenant"),
        ({"tenant": "T" * 256, "freeze": True}, "tenant"),
        ({"tenant": "", "freeze": True}, "tenant"),
    ],
)
def test_a_move_that_cannot_be_is_refused(body: dict[str, Any], field: str, target: Target) -> None:
    refused = target.done(422, "POST", "/clock", body)
    assert refused["messages"][0].startswith(f"{field}:")


@on_sqlite
@pytest.mark.parametrize("body", [{"advanceSeconds": "1"}, {"freeze": 1}, {"tenant": None}])
def test_a_move_of_a_wrong_type_is_malformed(body: dict[str, Any], target: Target) -> None:
    assert target.admin("POST", "/clock", body).status_code == 400


@on_sqlite
@pytest.mark.parametrize("query", ["tenant=two+words", "tenant="])
def test_there_is_no_clock_of_an_impossible_tenant(query: str, target: Target) -> None:
    assert target.admin("GET", f"/clock?{query}").status_code == 422


@on_sqlite
@pytest.mark.parametrize("wait", ["61s", "soon", "-1", "1.5"])
def test_one_waits_for_at_most_a_minute(wait: str, target: Target) -> None:
    refused = target.done(422, "GET", f"/idle?wait={wait}")
    assert refused["messages"][0].startswith("wait:")
