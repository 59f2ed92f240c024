"""Timers: the notice of closure, closure without an answer, and what ends them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from supplier_api.db import StoreUnavailable
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.timer_repository import Timer, TimerRepository
from tests.integration.problems.conftest import MakeRig
from tests.integration.problems.rig import POLICY, REPAIRED, TENANT, Rig

RESOLVED = "1 RESOLVED/RESOLVED + R PENDING"
NOTICE = "2 ADDITIONAL/RESOLVED + text + R PENDING"
CLOSED = "COMPLETED/COMPLETED + R ACCEPTED closed"


def timers(rig: Rig) -> list[str]:
    """Return the kinds of the problem's timers, the earliest first."""
    problem_id = rig.problem().id
    return [timer.kind for timer in rig.store.read(lambda uow: TimerRepository(uow).of(problem_id))]


def resolved(rig: Rig) -> None:
    """Raise a problem, resolve it, and deliver the KCI."""
    rig.create()
    rig.resolve()
    rig.take()


def test_silence_is_announced_and_closes_the_problem(rig: Rig) -> None:
    resolved(rig)
    assert timers(rig) == ["closure-notice", "closure"]

    rig.pass_days(4)
    assert rig.kci_lines() == [RESOLVED, NOTICE]
    assert timers(rig) == ["closure"]
    rig.pass_days(1)

    assert rig.kci_lines() == [RESOLVED, NOTICE, f"3 {CLOSED}"]
    assert timers(rig) == []


def test_time_that_jumps_over_both_brings_them_in_order(rig: Rig) -> None:
    resolved(rig)
    rig.pass_days(30)

    assert rig.kci_lines() == [RESOLVED, NOTICE, f"3 {CLOSED}"]


def test_silence_counts_from_when_the_gateway_took_the_resolution(rig: Rig) -> None:
    rig.create()
    rig.resolve()
    rig.pass_days(10)
    assert rig.kci_lines() == [RESOLVED]

    rig.take()
    rig.pass_days(3.9)
    assert rig.kci_lines() == [RESOLVED]
    rig.pass_days(0.2)
    assert rig.kci_lines() == [RESOLVED, NOTICE]
    rig.pass_days(1)
    assert rig.kci_lines()[2:] == [f"3 {CLOSED}"]


@pytest.mark.parametrize("hours", [24, 12])
def test_a_short_span_is_not_announced(upgraded_url: str, make_rig: MakeRig, hours: float) -> None:
    policy = replace(POLICY, closure=timedelta(hours=hours))
    rig = make_rig(upgraded_url, policy=policy)
    resolved(rig)
    assert timers(rig) == ["closure"]

    rig.pass_days(1)

    assert rig.kci_lines() == [RESOLVED, f"2 {CLOSED}"]


@pytest.mark.parametrize("status", ["ACCEPTED", "REJECTED"])
def test_an_answer_ends_the_wait_for_silence(rig: Rig, status: str) -> None:
    resolved(rig)
    rig.pass_days(4)

    rig.settle(status)

    assert timers(rig) == []
    rig.pass_days(30)
    assert len(rig.kcis()) == 3


def test_each_resolution_has_a_silence_of_its_own(rig: Rig) -> None:
    resolved(rig)
    rig.pass_days(3)
    rig.settle("REJECTED")
    rig.resolve()
    rig.take()

    rig.pass_days(3)
    assert rig.problem().state.status == "RESOLVED"
    assert len(rig.kcis()) == 3
    rig.pass_days(2)

    assert rig.kci_lines()[3:] == [
        "4 ADDITIONAL/RESOLVED + text + R PENDING",
        f"5 {CLOSED}",
    ]


def test_a_timer_whose_resolution_is_not_the_current_one_does_nothing(rig: Rig) -> None:
    resolved(rig)
    stray = Timer(rig.problem().id, TENANT, "closure", rig.business.now(TENANT), "SP_ANOTHER01")
    rig.store.write(lambda uow: TimerRepository(uow).add(stray))

    rig.run_timers()

    assert rig.kci_lines() == [RESOLVED]
    assert timers(rig) == ["closure-notice", "closure"]


def test_the_back_office_may_complete_like_silence(rig: Rig) -> None:
    resolved(rig)

    assert rig.say("complete").status == 200

    assert rig.kci_lines()[1:] == [f"2 {CLOSED}"]
    assert timers(rig) == []


def test_after_silence_an_acceptance_changes_nothing(rig: Rig) -> None:
    resolved(rig)
    rig.pass_days(5)
    told = rig.kci_lines()

    answer = rig.settle("ACCEPTED", tenantNotes="Thank you.")

    assert answer.status == 200
    assert answer.body == rig.kcis()[2]["serviceProblemResolution"]
    assert rig.kci_lines() == told
    assert rig.settle("ACCEPTED", tenantNotes="Thank you.") == answer


def test_after_silence_a_rejection_is_refused_and_not_kept(rig: Rig) -> None:
    resolved(rig)
    rig.pass_days(5)

    answer = rig.settle("REJECTED")

    assert answer.status == 422
    assert answer.body is not None
    (message,) = answer.body["messages"]
    assert message.startswith("status: the service problem was closed on 2026-01-10T12:00:01.000Z;")
    assert rig.problem().state.status == "COMPLETED"
    assert rig.settle("ACCEPTED").status == 200


def test_each_tenant_has_a_time_of_its_own(rig: Rig) -> None:
    for tenant in ("TENANT1", "TENANT2"):
        rig.create(tenant=tenant)
        rig.say("resolve", rig.problem(tenant=tenant).reference, resolution=REPAIRED)
    rig.take()

    rig.business.advance(6 * 86400, "TENANT2")
    rig.run_timers()

    assert rig.problem(tenant="TENANT1").state.status == "RESOLVED"
    assert rig.problem(tenant="TENANT2").state.status == "COMPLETED"
    (first,) = rig.kcis(tenant="TENANT1")
    *_, last = rig.kcis(tenant="TENANT2")
    assert first["issuedOn"] == "2026-01-05T12:00:00.000Z"
    assert last["issuedOn"] == "2026-01-11T12:00:01.001Z"


def test_the_next_timer_is_told_in_machine_time(rig: Rig) -> None:
    assert rig.timers.next_due() is None
    resolved(rig)
    took = rig.machine.now()
    assert rig.timers.next_due() == took + timedelta(days=4)

    rig.business.advance(3 * 86400, TENANT)

    assert rig.timers.next_due() == took + timedelta(days=1)


def test_a_timer_that_fails_does_not_hold_up_the_others(rig: Rig) -> None:
    resolved(rig)
    now = rig.business.now(TENANT)
    unheard_of = {"id": "E1", "event": "unheard-of", "supplier_codes": []}
    broken = Timer(rig.problem().id, TENANT, "back-office-event", now, "E1", unheard_of)
    rig.store.write(lambda uow: TimerRepository(uow).add(broken))

    rig.business.advance(30 * 86400)
    assert rig.timers.run_due() == 3

    assert rig.kci_lines()[2:] == [f"3 {CLOSED}"]


def test_a_row_that_cannot_be_had_does_not_hold_up_the_others(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for gateway_id in (1, 2):
        rig.create(id=gateway_id)
        rig.say("resolve", rig.problem(gateway_id).reference, resolution=REPAIRED)
    rig.take()
    rig.business.advance(4 * 86400)
    first, lock = rig.problem(1).id, ProblemRepository.lock

    def busy(problems: ProblemRepository, problem_id: int) -> ServiceProblem:
        if problem_id == first:
            raise StoreUnavailable("somebody holds the row")
        return lock(problems, problem_id)

    with monkeypatch.context() as patch:
        patch.setattr(ProblemRepository, "lock", busy)
        with pytest.raises(StoreUnavailable):
            rig.timers.run_due()
    assert [len(rig.kci_lines(each)) for each in (1, 2)] == [1, 2]

    assert rig.timers.run_due() == 1
    assert [len(rig.kci_lines(each)) for each in (1, 2)] == [2, 2]


def test_a_later_timer_waits_for_an_earlier_one_that_could_not_run(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved(rig)
    rig.business.advance(30 * 86400)
    busy, lock = [StoreUnavailable("somebody holds the row")], ProblemRepository.lock

    def busy_once(problems: ProblemRepository, problem_id: int) -> ServiceProblem:
        if busy:
            raise busy.pop()
        return lock(problems, problem_id)

    with monkeypatch.context() as patch:
        patch.setattr(ProblemRepository, "lock", busy_once)
        with pytest.raises(StoreUnavailable):
            rig.timers.run_due()
    assert rig.kci_lines() == [RESOLVED]
    assert timers(rig) == ["closure-notice", "closure"]

    rig.run_timers()
    assert rig.kci_lines() == [RESOLVED, NOTICE, f"3 {CLOSED}"]


def test_a_turn_ends_behind_the_timer_at_which_a_stop_is_seen(rig: Rig) -> None:
    for gateway_id in (1, 2, 3):
        rig.create(id=gateway_id)
        rig.say("resolve", rig.problem(gateway_id).reference, resolution=REPAIRED)
    rig.take()
    rig.business.advance(4 * 86400)

    assert rig.timers.run_due(go_on=lambda: False) == 1
    assert rig.timers.run_due() == 2


def test_timers_that_are_due_are_run_a_few_at_a_time(rig: Rig) -> None:
    for gateway_id in (1, 2, 3):
        rig.create(id=gateway_id)
        rig.say("resolve", rig.problem(gateway_id).reference, resolution=REPAIRED)
    rig.take()
    rig.business.advance(4 * 86400)

    assert rig.timers.run_due(limit=2) == 2
    assert rig.timers.run_due(limit=2) == 1
    assert rig.timers.run_due(limit=2) == 0


def test_a_problem_that_is_over_has_no_timers(rig: Rig) -> None:
    resolved(rig)
    rig.settle("REJECTED")
    rig.resolve()
    rig.settle("REJECTED")
    rig.take()
    rig.cancel()

    assert timers(rig) == []
    assert Event.CLOSE not in rig.say("start").body["legalEvents"]
