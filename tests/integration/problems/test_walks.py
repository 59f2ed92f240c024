"""Fifteen courses of a problem: the answers and the KCIs, in order.

`n REASON/STATUS`, then what the KCI carries: problemCode, text, and the status of the amendment
(A), cancellation (C) or resolution (R). KCIs that the gateway creates itself are not shown.
"""

from typing import Any

import pytest

from supplier_api.outbox.model import MessageState
from supplier_api.problems.parts_repository import ChangeRequestRepository, ResolutionRepository
from supplier_api.problems.timer_repository import TimerRepository
from tests.integration.problems.rig import REPAIRED, Rig, problem

ASK = {"problem_code": "INFORMATION_REQUIRED", "text": "Which lights are on?"}


def test_acknowledged_worked_on_resolved_and_accepted(rig: Rig) -> None:
    created = rig.create()
    assert created.status == 201
    assert created.body == {
        **problem(),
        "status": "ACKNOWLEDGED",
        "supplierReference": rig.problem().reference,
        "serviceSpecification": {"id": "ftthl2r", "name": "FTTH"},
    }
    rig.say("start")
    rig.resolve()
    rig.take()

    answer = rig.settle("ACCEPTED", tenantNotes="Thank you.")

    assert answer.status == 200
    assert answer.body == {
        "supplierReference": rig.resolution_reference(),
        "status": "ACCEPTED",
        "resolvedDate": "2026-01-05T12:00:00.000Z",
        "closedDate": "2026-01-05T12:00:01.000Z",
        "resolutionDetails": REPAIRED,
        "tenantNotes": "Thank you.",
    }
    assert rig.kci_lines() == [
        "1 COMMITTED/IN_PROGRESS",
        "2 RESOLVED/RESOLVED + R PENDING",
        "3 COMPLETED/COMPLETED + R ACCEPTED closed",
    ]
    assert rig.kcis()[2]["serviceProblemResolution"] == answer.body


def test_in_progress_held_resumed_resolved_rejected_resolved_again_and_silence(rig: Rig) -> None:
    created = rig.create("commit")
    assert created.status == 201
    assert created.body is not None
    assert created.body["status"] == "IN_PROGRESS"
    rig.say("hold", problem_code="ACCESS_ISSUE")
    rig.say("resume")
    rig.resolve()
    rig.take()
    first = rig.resolution_reference()
    answer = rig.settle("REJECTED", tenantNotes="It drops again.")
    assert answer.status == 200
    assert answer.body is not None
    assert answer.body["status"] == "REJECTED"
    assert "closedDate" not in answer.body
    rig.take()
    rig.resolve()
    rig.take()

    rig.pass_days(3.99)
    assert len(rig.kcis()) == 5
    rig.pass_days(0.02)
    assert len(rig.kcis()) == 6
    rig.pass_days(0.98)
    assert len(rig.kcis()) == 6
    rig.pass_days(0.02)

    assert rig.kci_lines() == [
        "1 DELAY/HELD + ACCESS_ISSUE",
        "2 RESUMED/IN_PROGRESS",
        "3 RESOLVED/RESOLVED + R PENDING",
        "4 RESUMED/IN_PROGRESS + R REJECTED",
        "5 RESOLVED/RESOLVED + R PENDING",
        "6 ADDITIONAL/RESOLVED + text + R PENDING",
        "7 COMPLETED/COMPLETED + R ACCEPTED closed",
    ]
    resolutions = [kci["serviceProblemResolution"]["supplierReference"] for kci in rig.kcis()[2:]]
    assert resolutions == [first, first] + [rig.resolution_reference()] * 3
    assert first != rig.resolution_reference()
    assert "10 January 2026" in rig.kcis()[5]["text"]


@pytest.mark.parametrize("commit", [True, False])
def test_undecided_then_accepted(rig: Rig, commit: bool) -> None:
    created = rig.create("defer")
    assert (created.status, created.body) == (202, None)

    rig.say("accept", commit=commit)
    if not commit:
        rig.say("start")

    assert rig.kci_lines() == ["1 ACKNOWLEDGED/ACKNOWLEDGED", "2 COMMITTED/IN_PROGRESS"]


def test_undecided_then_cancelled_by_the_tenant(rig: Rig) -> None:
    rig.create("defer")

    answer = rig.cancel(supplierServiceProblemReference="UNKNOWN")

    assert answer.status == 201
    assert answer.body is not None
    assert answer.body["id"] == 201
    assert rig.problem().state.base == "CANCELLED"
    for event in ("accept", "start", "cancel"):
        assert rig.say(event, problem_code="OTHER").status == 409
    assert rig.kci_lines() == []
    assert rig.problem().next_kci == 1


def test_undecided_accepted_meanwhile_then_cancelled_by_the_tenant(rig: Rig) -> None:
    rig.create("defer")
    rig.say("accept", commit=True)

    answer = rig.cancel(
        supplierServiceProblemReference="UNKNOWN", reasonCode="CUSTOMER_NETWORK_ISSUE"
    )

    assert answer.status == 202
    assert rig.problem().state.base == "CANCELLED"
    assert rig.kci_lines() == [
        "1 ACKNOWLEDGED/ACKNOWLEDGED",
        "2 COMMITTED/IN_PROGRESS",
        "3 CANCELLED/CANCELLED + NETWORK_ISSUE + C COMPLETED",
    ]


def test_undecided_then_rejected(rig: Rig) -> None:
    rig.create("defer")

    rig.say("reject", problem_code="ACCESS_ISSUE", text="The building was torn down.")

    assert rig.kci_lines() == ["1 REJECTED/REJECTED + ACCESS_ISSUE + text + no reference"]


def test_a_question_that_an_amendment_answers_at_once(rig: Rig) -> None:
    rig.create()
    rig.say("ask-information", **ASK)
    rig.take()

    answer = rig.amend(notes="The lights are green.")

    assert answer.status == 201
    assert answer.body == {
        "id": 101,
        "serviceProblemId": 1,
        "supplierServiceProblemReference": rig.problem().reference,
        "supplierReference": _references(rig)[0],
        "notes": "The lights are green.",
    }
    assert rig.kci_lines() == [
        "1 INFORMATION_REQUIRED/PENDING + INFORMATION_REQUIRED + text",
        "2 RESUMED/ACKNOWLEDGED",
    ]
    assert rig.kcis()[1]["serviceProblem"]["notes"] == "The lights are green."


def test_a_question_that_an_amendment_answers_before_it_was_delivered(rig: Rig) -> None:
    rig.create()
    rig.say("ask-information", **ASK)

    assert rig.amend(notes="The lights are green.").status == 202

    assert rig.kci_lines() == [
        "1 INFORMATION_REQUIRED/PENDING + INFORMATION_REQUIRED + text",
        "2 AMENDED/ACKNOWLEDGED + A COMPLETED",
    ]
    assert rig.kcis()[1]["serviceProblemAmendment"] == {
        "id": 101,
        "supplierReference": _references(rig)[0],
        "status": "COMPLETED",
        "serviceProblemId": 1,
        "notes": "The lights are green.",
    }


def test_a_question_whose_amendment_is_rejected_later_still_waits(rig: Rig) -> None:
    rig.create()
    rig.say("ask-information", **ASK)
    rig.take()
    answer = rig.amend(notes="defer")
    assert answer.status == 202
    assert answer.body is not None
    assert answer.body["notes"] == "defer"
    assert rig.problem().state.status == "PENDING_AMENDMENT"
    assert len(rig.kcis()) == 1

    rejected = rig.say(
        "reject-change",
        change_reference=rig.change_reference(),
        problem_code="REJECTION",
        text="That says nothing.",
    )

    assert rejected.body["status"] == "PENDING"
    assert rig.kci_lines()[1:] == ["2 AMENDMENT_REJECTED/PENDING + REJECTION + text + A REJECTED"]
    assert rig.problem().state.awaits == "information"
    assert rig.problem().document["notes"] == "none"


def test_a_question_whose_amendment_is_accepted_later_is_settled(rig: Rig) -> None:
    rig.create()
    rig.say("ask-information", **ASK)
    rig.take()
    rig.amend(notes="defer")

    rig.say("accept-change", change_reference=rig.change_reference())

    assert rig.kci_lines()[1:] == ["2 AMENDED/ACKNOWLEDGED + A COMPLETED"]
    assert rig.problem().document["notes"] == "defer"


def test_a_cancellation_that_is_overtaken_by_the_resolution(rig: Rig) -> None:
    rig.create("commit")
    assert rig.cancel(text="defer").status == 202
    assert rig.problem().state.status == "PENDING_CANCELLATION"
    assert rig.kcis() == []
    reference = rig.change_reference()

    rig.resolve()

    assert rig.kci_lines() == [
        "1 CANCELLATION_REJECTED/IN_PROGRESS + OTHER + text + C REJECTED",
        "2 RESOLVED/RESOLVED + R PENDING",
    ]
    for event in ("accept-change", "reject-change"):
        decided = rig.say(event, change_reference=reference, problem_code="OTHER", text="Late.")
        assert decided.status == 409
    assert len(rig.kcis()) == 2


@pytest.mark.parametrize("hindrance", ["not taken", "in flight", "parked"])
def test_a_cancellation_does_not_overtake_an_undelivered_kci(rig: Rig, hindrance: str) -> None:
    rig.create("commit")
    rig.say("hold", problem_code="ACCESS_ISSUE")
    if hindrance != "not taken":
        rig.machine.advance(1.0)
        claim = rig.claim()
        assert claim
        if hindrance == "parked":
            rig.settled(claim, MessageState.REFUSED)

    answer = rig.cancel(reasonCode="NO_LONGER_REQUIRED")

    assert answer.status == 202
    assert rig.problem().state.status == "CANCELLED"
    assert rig.kci_lines() == [
        "1 DELAY/HELD + ACCESS_ISSUE",
        "2 CANCELLED/CANCELLED + NO_LONGER_REQUIRED + C COMPLETED",
    ]


def test_a_cancellation_is_done_at_once_when_everything_was_taken(rig: Rig) -> None:
    rig.create("commit")
    rig.say("hold", problem_code="ACCESS_ISSUE")
    rig.take()

    assert rig.cancel().status == 201

    assert rig.problem().state.status == "CANCELLED"
    assert rig.kci_lines() == ["1 DELAY/HELD + ACCESS_ISSUE"]


def test_an_incident_that_is_declared_while_the_tenant_is_asked(rig: Rig) -> None:
    rig.create()
    rig.say("ask-information", **ASK)
    rig.take()
    rig.incidents.declare("INC1", [rig.problem().service_id])
    rig.run_timers()
    rig.take()
    assert rig.amend().status == 201
    assert rig.problem().state.status == "NETWORK_INCIDENT"

    rig.incidents.end("INC1")
    rig.run_timers()

    assert rig.kci_lines() == [
        "1 INFORMATION_REQUIRED/PENDING + INFORMATION_REQUIRED + text",
        "2 DELAY/NETWORK_INCIDENT + NETWORK_ISSUE",
        "3 RESUMED/ACKNOWLEDGED",
    ]


def test_a_problem_that_is_raised_in_a_known_incident(supplied: Rig) -> None:
    created = supplied.create(serviceId="SI0000000000005")
    assert created.status == 201
    assert created.body is not None
    assert created.body["status"] == "ACKNOWLEDGED"
    supplied.take()

    supplied.incidents.end("INC0000001")
    supplied.run_timers()
    supplied.say("start")

    assert supplied.kci_lines() == [
        "1 DELAY/NETWORK_INCIDENT + NETWORK_ISSUE",
        "2 RESUMED/ACKNOWLEDGED",
        "3 COMMITTED/IN_PROGRESS",
    ]


def test_only_a_reservation_settles_the_question_for_an_appointment(rig: Rig) -> None:
    rig.create("commit")
    rig.say("ask-appointment", problem_code="UNABLE_TO_ATTEND")
    rig.take()

    assert rig.amend(101, notes="Any day will do.").status == 201
    assert rig.problem().state.status == "PENDING"
    assert len(rig.kcis()) == 1
    assert rig.amend(102, appointmentReservationId=345).status == 201

    assert rig.kci_lines() == [
        "1 REAPPOINT/PENDING + UNABLE_TO_ATTEND",
        "2 RESUMED/IN_PROGRESS",
    ]


def test_work_starts_while_an_amendment_is_undecided(rig: Rig) -> None:
    rig.create()
    assert rig.amend(notes="defer").status == 202

    started = rig.say("start")
    rig.say("accept-change", change_reference=rig.change_reference())

    assert started.body["status"] == "PENDING_AMENDMENT"
    assert rig.kci_lines() == [
        "1 COMMITTED/PENDING_AMENDMENT",
        "2 AMENDED/IN_PROGRESS + A COMPLETED",
    ]


def test_the_back_office_cancels_while_an_amendment_is_undecided(rig: Rig) -> None:
    rig.create("commit")
    rig.say("hold", problem_code="ACCESS_ISSUE")
    rig.take()
    assert rig.amend(notes="defer").status == 202

    rig.say("cancel", problem_code="PROPERTY_UNOCCUPIED")

    assert rig.kci_lines()[1:] == [
        "2 AMENDMENT_REJECTED/HELD + OTHER + text + A REJECTED",
        "3 CANCELLED/CANCELLED + PROPERTY_UNOCCUPIED",
    ]


def test_the_supplier_reopens_what_it_resolved(rig: Rig) -> None:
    rig.create("commit")
    rig.resolve()
    rig.take()
    withdrawn = rig.resolution_reference()

    reopened = rig.say("reopen", text="The line has failed again.")

    assert reopened.body["status"] == "IN_PROGRESS"
    assert rig.kcis()[1]["text"] == "The line has failed again."
    assert _stored_resolutions(rig) == ["WITHDRAWN"]
    assert _timers(rig) == []
    for status in ("ACCEPTED", "REJECTED"):
        late = rig.settle(status, withdrawn)
        assert late.status == 422
        assert late.body is not None
        assert "withdrawn on 2026-01-05T" in late.body["messages"][0]
    rig.pass_days(6)
    rig.resolve()
    rig.take()
    late = rig.settle("ACCEPTED", withdrawn)
    assert late.body is not None
    assert f"replaced by {rig.resolution_reference()}" in late.body["messages"][0]
    assert rig.settle("ACCEPTED").status == 200
    assert rig.kci_lines() == [
        "1 RESOLVED/RESOLVED + R PENDING",
        "2 RESUMED/IN_PROGRESS + text",
        "3 RESOLVED/RESOLVED + R PENDING",
        "4 COMPLETED/COMPLETED + R ACCEPTED closed",
    ]
    assert _stored_resolutions(rig) == ["WITHDRAWN", "ACCEPTED"]
    assert rig.say("reopen", text="The line has failed again.").status == 409


@pytest.mark.parametrize("lacking", [{}, {"problem_code": "OTHER"}])
def test_a_problem_is_not_reopened_without_a_word(rig: Rig, lacking: dict[str, str]) -> None:
    rig.create("commit")
    rig.resolve()

    refused = rig.say("reopen", **lacking)

    assert refused.status == 422
    assert refused.body["messages"] == ["text: missing; reopen must carry it"]
    assert _stored_resolutions(rig) == ["PENDING"]


def test_a_withdrawn_resolution_stays_so_though_its_kci_is_delivered_later(rig: Rig) -> None:
    rig.create("commit")
    rig.resolve()
    rig.say("reopen", text="The line has failed again.")

    rig.take()

    rig.pass_days(6)
    assert _stored_resolutions(rig) == ["WITHDRAWN"]
    assert rig.kci_lines() == ["1 RESOLVED/RESOLVED + R PENDING", "2 RESUMED/IN_PROGRESS + text"]
    assert rig.say("cancel", problem_code="OTHER").status == 200
    late = rig.settle("ACCEPTED")
    assert late.body is not None
    assert "withdrawn on" in late.body["messages"][0]


def _stored_resolutions(rig: Rig) -> list[str]:
    problem_id = rig.problem().id
    made = rig.store.read(lambda uow: ResolutionRepository(uow).of(problem_id))
    return [resolution.status.value for resolution in made]


def _timers(rig: Rig) -> list[str]:
    problem_id = rig.problem().id
    found = rig.store.read(lambda uow: TimerRepository(uow).of(problem_id))
    return [timer.kind for timer in found]


def _references(rig: Rig) -> list[Any]:
    """Return our references of the problem's changes."""
    problem_id = rig.problem().id
    return [
        change.reference
        for change in rig.store.read(lambda uow: ChangeRequestRepository(uow).of(problem_id))
    ]
