"""What testers can see: whether anything is left to do, and all that is known of a problem."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from supplier_api.clock import from_wire, to_wire
from supplier_api.db import Store, UnitOfWork, tables
from supplier_api.outbox.pauses import PauseCause, PauseRepository, Scope
from tests.supplier import TENANT, on_sqlite

from .target import Target


def test_what_is_under_way_keeps_a_tenant_busy(worked: Target) -> None:
    worked.gateway.hold()
    worked.resolved(1)
    worked.gateway.wait_for(lambda seen: len(seen) == 1, "the update to arrive")
    busy = worked.done(408, "GET", f"/idle?tenant={TENANT}&wait=0s")
    assert (busy["idle"], busy["lanesInFlight"], busy["lanesDue"]) == (False, 1, 0)
    assert worked.done(408, "GET", "/idle?wait=0ms")["lanesInFlight"] == 1
    assert worked.done(200, "GET", "/idle?tenant=TENANT2&wait=0")["idle"] is True
    worked.gateway.let_go()
    assert worked.settle()["lanesInFlight"] == 0


def test_without_a_worker_everything_stays_due(target: Target) -> None:
    target.resolved(1)
    busy = target.done(408, "GET", "/idle?wait=10ms")
    # To the gateway and to the back office.
    assert busy["lanesDue"] == 2


def test_what_was_refused_for_good_is_not_waited_for(worked: Target) -> None:
    worked.gateway.answers(lambda _: 422)
    worked.resolved(1)
    assert worked.settle()["lanesParked"] == 1


def waits(target: Target, status: int = 200) -> list[dict[str, Any]]:
    seen = target.done(status, "GET", f"/idle?tenant={TENANT}&wait=0")
    found: list[dict[str, Any]] = seen["waits"]
    return found


@pytest.fixture
def store(target: Target) -> Store:
    found: Store = target.client.application.extensions["services"].store
    return found


def test_it_says_why_it_waits(worked: Target) -> None:
    worked.gateway.answers(lambda kci: 422 if kci.problem == 1 else 503)
    worked.resolved(1)
    worked.resolved(2)
    worked.settle()
    refused, failed = sorted(waits(worked), key=lambda each: str(each["why"]), reverse=True)
    assert refused == {"why": "refused", "count": 1}
    assert (failed.pop("why"), failed.pop("count")) == ("back-off", 1)
    assert from_wire(failed.pop("until")) > datetime.now(UTC)
    assert failed == {}


def test_it_says_what_holds_everything_up(target: Target, store: Store) -> None:
    now = datetime.now(UTC)
    soon = now + timedelta(minutes=1)

    def hold_up(uow: UnitOfWork) -> None:
        for tenant in (TENANT, "TENANT2"):
            scope = Scope("gateway", tenant)
            PauseRepository(uow).begin(
                PauseCause.OPERATOR, scope, reason="their release", who="me", since=now
            )
        PauseRepository(uow).open_breaker(
            "gateway", reason="all fail", who="w", now=now, probe_at=soon
        )
        PauseRepository(uow).begin_or_prolong(
            PauseCause.ASKED, Scope("back-office"), reason="429", who="w", now=now, until=soon
        )

    target.resolved(1)
    store.write(hold_up)
    # Beside them an update may still be withheld for the moment after the answer.
    assert [each for each in waits(target, 408) if each["why"] != "withheld"] == [
        {
            "why": "paused",
            "destination": "gateway",
            "tenant": TENANT,
            "reason": "their release",
        },
        {
            "why": "breaker",
            "destination": "gateway",
            "reason": "all fail",
            "until": to_wire(soon),
        },
        {"why": "asked", "destination": "back-office", "reason": "429", "until": to_wire(soon)},
    ]


def test_it_says_that_an_update_follows_an_answer(target: Target, store: Store) -> None:
    target.resolved(1)
    released = datetime.now(UTC) + timedelta(minutes=5)
    store.write(lambda uow: uow.connection.execute(update(tables.lane).values(not_before=released)))
    [withheld] = waits(target, 408)
    assert withheld == {"why": "withheld", "count": 2, "until": to_wire(released)}


def test_a_problem_is_found_by_any_of_its_names(worked: Target) -> None:
    reference = worked.resolved(1)
    worked.settle()
    service = "SI0000001000001"
    seen = [
        worked.done(200, "GET", f"/problems/{name}")
        for name in (reference, "1", service, "conversation-1")
    ]
    assert all(each == seen[0] for each in seen)
    assert [entry["what"] for entry in seen[0]["timeline"]].count("kci") == 1
    resolution = worked.told(1)[0]["serviceProblemResolution"]["supplierReference"]
    assert worked.done(200, "GET", f"/problems/{resolution}") == seen[0]


def test_a_name_of_several_problems_needs_a_tenant(target: Target) -> None:
    references = target.opened(1), target.opened(1, tenant="TENANT2")
    several = target.done(409, "GET", "/problems/1")
    assert several["messages"][1:] == [
        f"{references[0]} of TENANT1",
        f"{references[1]} of TENANT2",
    ]
    assert target.done(200, "GET", "/problems/1?tenant=TENANT2")["reference"] == references[1]


@on_sqlite
@pytest.mark.parametrize(
    ("path", "status"), [("/problems/none", 404), ("/problems/1?tenant=two+words", 422)]
)
def test_a_name_of_no_problem(path: str, status: int, target: Target) -> None:
    assert target.admin("GET", path).status_code == status
