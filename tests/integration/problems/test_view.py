"""The read model of a problem: its timeline, what it waits for, and no personal data."""

import json
from typing import Any

import pytest

from supplier_api.contract.codes import ResolutionCode
from supplier_api.db.operator_actions import Operator, OperatorActionRepository
from supplier_api.delivery.message_admin import MessageAdmin
from supplier_api.problems import view
from supplier_api.problems.lifecycle import BACK_OFFICE_EVENTS, Event
from supplier_api.problems.next_events import caused, impossible, legal_for_back_office
from supplier_api.problems.parts_repository import ChangeRequestRepository
from supplier_api.problems.services import GATEWAY, EventAnswer
from supplier_api.problems.work import BackOfficeEvent
from tests.integration.problems.rig import TENANT, Rig

MARKER = "Marguerite"


def shown(rig: Rig) -> dict[str, Any]:
    """Return the problem as people see it; it must be plain JSON."""
    problem = rig.problem()
    seen = rig.store.read(lambda uow: view.show(uow, problem))
    plain: dict[str, Any] = json.loads(json.dumps(seen))
    return plain


def lines(rig: Rig) -> list[str]:
    """Return the timeline as lines."""
    lines = []
    for entry in shown(rig)["timeline"]:
        name = next(entry[key] for key in ("operation", "event", "kind", "action") if key in entry)
        came = entry.get("answer") or entry.get("state") or entry.get("message")
        lines.append(f"{entry['what']} {name} {came}")
    return lines


def test_the_time_line_holds_everything_in_its_order(rig: Rig) -> None:
    rig.create()
    rig.machine.advance(1)
    rig.say("start")
    rig.take()
    rig.machine.advance(1)
    rig.say("start")
    rig.machine.advance(1)
    rig.cancel(text="defer")

    assert lines(rig) == [
        "request problem 201",
        "order problem queued",
        "event start 200",
        "kci COMMITTED delivered",
        "event start 409",
        "request cancellation 202",
        "order cancellation queued",
    ]
    seen = shown(rig)
    assert seen["reference"] == rig.problem().reference
    assert seen["status"] == "PENDING_CANCELLATION"
    assert seen["waitsFor"] == "the supplier: to decide on the cancellation"
    assert "accept-change" in seen["legalEvents"]
    (attempt,) = seen["timeline"][3]["attempts"]
    assert attempt["status"] == 204


def found(rig: Rig, name: str) -> list[int]:
    """Return the row ids of the problems that match a name."""
    return [problem.id for problem in rig.store.read(lambda uow: view.find(uow, name))]


@pytest.mark.parametrize(
    ("event", "waits"),
    [
        ("ask-information", "the tenant: to amend with the information asked for"),
        ("ask-appointment", "the tenant: to book an appointment and amend"),
        ("hold", "the supplier: to resume work"),
        ("start", "the supplier: to resolve it"),
        ("resolve", "the tenant: to accept or reject the resolution"),
        ("cancel", None),
    ],
)
def test_it_is_said_what_a_problem_waits_for(on_sqlite: Rig, event: str, waits: str | None) -> None:
    on_sqlite.create()
    resolution = {"resolutionCode": ResolutionCode.OTHER}
    on_sqlite.say(event, problem_code="OTHER", text="Words.", resolution=resolution)

    assert shown(on_sqlite)["waitsFor"] == waits


def test_timers_are_shown(on_sqlite: Rig) -> None:
    on_sqlite.create()
    on_sqlite.resolve()

    assert [timer["kind"] for timer in shown(on_sqlite)["timers"]] == ["closure-notice", "closure"]


def by_hand(rig: Rig, event: str, event_id: str, **fields: Any) -> EventAnswer:
    """Say an event as an operator."""
    said = BackOfficeEvent(event_id, Event(event), **fields)
    return rig.progress.event(rig.problem().reference, said, by=Operator("jo", MARKER))


def test_an_operators_event_is_recorded_once_with_who_and_why(rig: Rig) -> None:
    rig.create()
    for _ in range(2):
        assert by_hand(rig, "start", "E1").status == 200
    assert by_hand(rig, "complete", "E2").status == 409
    assert by_hand(rig, "hold", "E3").status == 422
    assert rig.progress.event("SP_UNKNOWN01", BackOfficeEvent("E4", Event.START)).status == 404

    problem_id = rig.problem().id
    acts = rig.store.read(lambda uow: OperatorActionRepository(uow).of(problem_id))
    assert [(each.who, each.action, each.reason, each.tenant) for each in acts] == [
        ("jo", "event start", MARKER, TENANT),
        ("jo", "event complete", MARKER, TENANT),
    ]
    assert [each.detail for each in acts] == [
        {"id": "E1", "before": "ACKNOWLEDGED", "after": "IN_PROGRESS", "answer": 200},
        {"id": "E2", "before": "IN_PROGRESS", "after": "IN_PROGRESS", "answer": 409},
    ]


def test_the_time_line_tells_of_operators_and_of_their_reasons_to_people_only(rig: Rig) -> None:
    rig.create()
    rig.machine.advance(1)
    rig.pass_days(1)  # the business clock is ahead of the machine's from here on
    by_hand(rig, "start", "E1")
    rig.machine.advance(1)
    uuid = rig.messages(GATEWAY)[0]["uuid"]
    MessageAdmin(rig.services).replay(GATEWAY, uuid, Operator("kim", MARKER))
    rig.machine.advance(1)
    rig.say("note")

    assert lines(rig)[2:] == [
        "event start 200",
        "kci COMMITTED queued",
        f"action kci replay {uuid}",
        "event note 200",
        "kci UPDATE queued",
    ]
    seen = shown(rig)
    assert [each["by"] for each in seen["timeline"] if each["what"] == "event"] == [
        "operator",
        None,
    ]
    assert seen["timeline"][4]["message"] == uuid
    assert MARKER not in json.dumps(seen)
    people = json.dumps(rig.store.read(lambda uow: view.show(uow, rig.problem(), people=True)))
    assert people.count(MARKER) == 2


def test_what_is_possible_says_what_it_causes_and_what_is_not_says_why(on_sqlite: Rig) -> None:
    on_sqlite.create()
    on_sqlite.resolve()
    problem = on_sqlite.problem()

    assert list(caused(problem, Event.REOPEN)) == [(2, "RESUMED", "IN_PROGRESS")]
    refused = impossible(problem.state)
    assert {*refused, *legal_for_back_office(problem.state)} == BACK_OFFICE_EVENTS
    for event, why in refused.items():
        answer = on_sqlite.say(event, resolution={"resolutionCode": "OTHER"}, change_reference="1")
        assert answer.status == 409
        assert answer.body["messages"] == [why]


def test_nothing_personal_is_shown(on_sqlite: Rig) -> None:
    rig = on_sqlite
    person = {"name": MARKER, "email": f"{MARKER}@home.example", "phoneNumber": MARKER}
    rig.create(
        f"{MARKER} is at home",
        problemText=f"{MARKER}'s line drops.",
        primaryContact=person,
        secondaryContact=person,
        hazards=MARKER,
        onSiteRestrictions=MARKER,
        characteristics=[{"name": "SERVICE_HAS_WORKED", "value": MARKER}],
    )
    rig.amend(101, notes=MARKER)
    rig.amend(102, notes="reject", hazards=MARKER)
    rig.say("ask-information", problem_code="OTHER", text=MARKER)
    rig.say("note", note={"note": MARKER})
    rig.say("resolve", resolution={"resolutionCode": "OTHER", "resolutionText": MARKER})
    rig.settle("REJECTED", tenantNotes=MARKER)
    rig.cancel(text=MARKER)

    assert rig.problem().document["primaryContact"]["name"] == MARKER
    assert MARKER not in json.dumps(shown(rig))


def test_a_problem_is_found_by_any_of_its_names(rig: Rig) -> None:
    rig.create()
    rig.amend(notes="defer")
    rig.say("note", text="Ours is ready.", back_office_id="TICKET-1")
    rig.say("accept-change", change_reference="101")
    rig.resolve()
    problem_id = rig.problem().id
    change = rig.store.read(lambda uow: ChangeRequestRepository(uow).of(problem_id))[0].reference

    for name in (
        rig.problem().reference,
        "1",
        rig.problem().service_id,
        "conversation-1",
        "TICKET-1",
        change,
        rig.resolution_reference(),
    ):
        assert found(rig, name) == [problem_id], name
    assert found(rig, "nothing") == []
