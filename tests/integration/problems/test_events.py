"""Back-office events: applied once, refused where illegal, recorded in both cases."""

from datetime import timedelta
from typing import Any

import pytest

from supplier_api.contract.codes import ProblemCode
from supplier_api.problems.lifecycle import BACK_OFFICE_EVENTS, Event
from supplier_api.problems.parts_repository import (
    BackOfficeEventRepository,
    ChangeRequestRepository,
)
from supplier_api.problems.services import BACK_OFFICE
from supplier_api.problems.timer_repository import TimerRepository
from supplier_api.problems.work import BackOfficeEvent, LaterEvent, OrderAnswer, WorkOrder
from tests.integration.problems.rig import REPAIRED, Rig

EVERYTHING: dict[str, Any] = {"problem_code": "OTHER", "text": "Words.", "resolution": REPAIRED}


def orders(rig: Rig) -> list[WorkOrder]:
    """Return the work orders of the back office."""
    return [WorkOrder.from_body(row["uuid"], row["body"]) for row in rig.messages(BACK_OFFICE)]


def test_an_event_that_is_repeated_gets_its_answer_again_and_nothing_is_done(rig: Rig) -> None:
    rig.create()
    first = rig.say("start", id="E1")
    rig.say("hold", id="E2", problem_code="OTHER")

    assert rig.say("start", id="E1") == first
    assert first.status == 200
    assert first.body == {"reference": rig.problem().reference, "status": "IN_PROGRESS"}
    assert rig.kci_lines() == ["1 COMMITTED/IN_PROGRESS", "2 DELAY/HELD + OTHER"]


def test_an_event_that_is_forbidden_gets_a_final_refusal_with_what_is_possible(rig: Rig) -> None:
    rig.create("commit")
    first = rig.say("start", id="E1")
    version = rig.problem().version
    rig.say("resolve", id="E2", resolution=REPAIRED)
    rig.settle("REJECTED")

    assert first.status == 409
    assert first.body["messages"] == ["start is not possible while the problem is IN_PROGRESS"]
    assert first.body["state"] == "IN_PROGRESS"
    assert first.body["legalEvents"] == [
        "hold",
        "ask-information",
        "ask-appointment",
        "reappointed",
        "note",
        "warn",
        "resolve",
        "cancel",
    ]
    assert rig.say("start", id="E1") == first
    assert version == 1


def test_every_event_is_kept_in_the_history(rig: Rig) -> None:
    rig.create()
    rig.say("start", id="E1")
    rig.say("start", id="E2")
    rig.say("hold", id="E3")
    problem_id = rig.problem().id

    events = rig.store.read(lambda uow: BackOfficeEventRepository(uow).of(problem_id))

    assert [(event.event_id, event.event, event.status_code) for event in events] == [
        ("E1", "start", 200),
        ("E2", "start", 409),
    ]


def test_the_id_of_an_event_is_not_used_for_another(rig: Rig) -> None:
    rig.create()
    rig.say("start", id="E1")

    reused = rig.say("hold", id="E1", problem_code="OTHER")

    assert reused.status == 422
    assert rig.problem().state.status == "IN_PROGRESS"


def test_problems_have_event_ids_of_their_own(rig: Rig) -> None:
    rig.create()
    rig.create(id=2)

    assert rig.say("start", rig.problem(1).reference, id="E1").status == 200
    assert rig.say("start", rig.problem(2).reference, id="E1").status == 200


@pytest.mark.parametrize(
    ("event", "fields", "missing"),
    [
        ("hold", {}, ["problemCode"]),
        ("ask-information", {}, ["text", "problemCode"]),
        ("ask-information", {"text": "Words."}, ["problemCode"]),
        ("ask-appointment", {}, ["problemCode"]),
        ("warn", {}, ["problemCode"]),
        ("resolve", {}, ["resolution"]),
        ("cancel", {}, ["problemCode"]),
        ("accept-change", {}, ["changeReference"]),
    ],
)
def test_an_event_that_lacks_something_is_told_what_and_may_come_again(
    on_sqlite: Rig, event: str, fields: dict[str, Any], missing: list[str]
) -> None:
    on_sqlite.create()

    refused = on_sqlite.say(event, id="E1", **fields)

    assert refused.status == 422
    assert refused.body["messages"] == [
        f"{field}: missing; {event} must carry it" for field in missing
    ]
    assert on_sqlite.kcis() == []
    if event in ("hold", "warn", "cancel"):
        assert on_sqlite.say(event, id="E1", problem_code="OTHER").status == 200


def test_a_problem_has_several_names(rig: Rig) -> None:
    rig.create()
    rig.create(id=7)
    rig.say("note", rig.problem(7).reference, back_office_id="TICKET 1/é", text="Ours is ready.")

    for name in ("7", "TICKET 1/é", rig.problem(7).reference, rig.problem(7).service_id):
        answer = rig.say("note", name, text="Still at it.")
        assert answer.body["reference"] == rig.problem(7).reference
    assert len(rig.kcis(7)) == 5
    assert rig.kcis(1) == []


def test_a_name_of_none_or_of_several_is_refused(rig: Rig) -> None:
    rig.create()
    rig.create(tenant="TENANT2")

    assert rig.say("start", "SP_NOSUCHTHING").status == 404
    several = rig.say("start", "1")
    assert several.status == 422
    ours, theirs = rig.problem().reference, rig.problem(tenant="TENANT2").reference
    message = "reference: stands for 2 problems; expected our own reference: "
    assert several.body["messages"] == [f"{message}{ours} of TENANT1, {theirs} of TENANT2"]


def test_of_a_name_of_very_many_some_are_named(on_sqlite: Rig) -> None:
    for gateway_id in range(1, 6):
        on_sqlite.create(id=gateway_id)

    (message,) = on_sqlite.say("start", "conversation-1").body["messages"]

    assert message.startswith("reference: stands for 5 problems; expected our own reference: ")
    assert message.endswith(" of TENANT1 and 2 more")


def test_a_note_without_a_text_is_an_update_and_carries_its_note(rig: Rig) -> None:
    rig.create()
    rig.say("note", note={"note": "The line was tested.", "type": "Engineer Note"})
    rig.say("note", text="We are on our way.", supplier_codes=("R9", "313"))

    assert rig.kci_lines() == ["1 UPDATE/ACKNOWLEDGED", "2 ADDITIONAL/ACKNOWLEDGED + text"]
    first, second = rig.kcis()
    assert first["supplierNotes"] == [
        {
            "note": "The line was tested.",
            "type": "Engineer Note",
            "created": "2026-01-05T12:00:00.000Z",
        }
    ]
    assert second["supplierCodes"] == ["R9", "313"]


# -- undecided


def test_an_undecided_problem_takes_a_decision_or_its_end_and_nothing_else(rig: Rig) -> None:
    rig.create("defer")
    for event in set(BACK_OFFICE_EVENTS) - {Event.ACCEPT, Event.REJECT, Event.CANCEL}:
        refused = rig.say(event, change_reference="SP_NOSUCHTHING", **EVERYTHING)
        assert refused.status == 409, event
        assert refused.body["legalEvents"] == ["accept", "reject", "cancel"]

    assert rig.kcis() == []
    assert rig.problem().next_kci == 1


def test_an_undecided_problem_that_the_back_office_cancels(rig: Rig) -> None:
    rig.create("defer")
    rig.say("cancel", problem_code="PROPERTY_UNOCCUPIED")

    assert rig.kci_lines() == ["1 CANCELLED/CANCELLED + PROPERTY_UNOCCUPIED + no reference"]


def test_an_undecided_problem_is_open_on_its_service(rig: Rig) -> None:
    rig.create("defer", serviceId="SI0000000000100")

    assert rig.create(id=2, serviceId="SI0000000000100").status == 422


@pytest.mark.parametrize("notes", ["The gate is open.", "defer"])
def test_an_undecided_problem_is_amended_at_once(rig: Rig, notes: str) -> None:
    rig.create("defer")

    assert rig.amend(notes=notes).status == 201

    assert rig.problem().document["notes"] == notes
    rig.say("accept")
    assert rig.kci_lines() == ["1 ACKNOWLEDGED/ACKNOWLEDGED"]
    assert rig.kcis()[0]["serviceProblem"]["notes"] == notes
    assert [(order.kind, order.decide) for order in orders(rig)] == [
        ("problem", True),
        ("amendment", False),
    ]


def test_an_undecided_problem_is_cancelled_at_once_even_where_the_book_would_wait(
    rig: Rig,
) -> None:
    rig.create("defer")

    assert rig.cancel(text="defer").status == 201
    assert rig.problem().state.base == "CANCELLED"
    assert orders(rig)[1].kind == "cancellation"


def test_an_undecided_problem_in_an_incident_joins_it_when_it_is_accepted(rig: Rig) -> None:
    rig.incidents.declare("INC1", ["SI0000000000100"])
    rig.create("defer", serviceId="SI0000000000100")
    rig.say("accept")

    assert rig.kci_lines() == [
        "1 ACKNOWLEDGED/ACKNOWLEDGED",
        "2 DELAY/NETWORK_INCIDENT + NETWORK_ISSUE",
    ]


# -- while a change is undecided


@pytest.mark.parametrize("kind", ["amendment", "cancellation"])
def test_work_goes_on_beneath_an_undecided_change(rig: Rig, kind: str) -> None:
    rig.create()
    if kind == "amendment":
        rig.amend(notes="defer")
    else:
        rig.cancel(text="defer")
    status = f"PENDING_{kind.upper()}"
    rig.say("start")
    rig.say("hold", problem_code="OTHER")
    rig.say("note", text="Still at it.")
    rig.say("resume")

    assert rig.kci_lines() == [
        f"1 COMMITTED/{status}",
        f"2 DELAY/{status} + OTHER",
        f"3 ADDITIONAL/{status} + text",
        f"4 RESUMED/{status}",
    ]
    for question in ("ask-information", "ask-appointment"):
        assert rig.say(question, **EVERYTHING).status == 409


def test_a_cancellation_that_the_back_office_overtakes_is_fulfilled(rig: Rig) -> None:
    rig.create("commit")
    rig.cancel(text="defer")

    rig.say("cancel", problem_code="PROPERTY_UNOCCUPIED")

    assert rig.kci_lines() == ["1 CANCELLED/CANCELLED + PROPERTY_UNOCCUPIED + C COMPLETED"]


@pytest.mark.parametrize(
    ("reason", "code"), [("ISSUE_RESOLVED", "NO_LONGER_REQUIRED"), ("OTHER", "OTHER")]
)
def test_a_cancellation_that_is_accepted_later_has_the_code_of_the_tenants_reason(
    rig: Rig, reason: str, code: str
) -> None:
    rig.create("commit")
    rig.cancel(text="defer", reasonCode=reason)
    rig.say("accept-change", change_reference=rig.change_reference())

    assert rig.kci_lines() == [f"1 CANCELLED/CANCELLED + {code} + C COMPLETED"]


def test_a_change_may_be_named_by_the_gateways_id(rig: Rig) -> None:
    rig.create("commit")
    rig.amend(101, notes="defer")

    assert rig.say("accept-change", change_reference="101").status == 200
    assert rig.kci_lines() == ["1 AMENDED/IN_PROGRESS + A COMPLETED"]


def test_an_event_that_lacks_something_leaves_the_undecided_change_alone(rig: Rig) -> None:
    rig.create("commit")
    rig.amend(notes="defer")
    reference = rig.change_reference()

    assert rig.say("cancel").status == 422
    assert rig.say("reject-change", change_reference=reference).status == 422
    keep(rig, Event.CANCEL)
    keep(rig, Event.REJECT_CHANGE, change_reference=reference)
    rig.pass_days(1)

    assert rig.change_reference() == reference
    assert rig.problem().state.status == "PENDING_AMENDMENT"
    assert rig.kcis() == []


# -- work orders


def test_the_back_office_is_told_of_every_request_once(rig: Rig) -> None:
    rig.create()
    rig.amend(101, notes="defer")
    rig.say("accept-change", change_reference="101")
    rig.resolve()
    rig.settle("REJECTED")
    rig.cancel(text="defer")
    rig.cancel(text="defer")

    assert [(order.kind, order.decide, order.standing) for order in orders(rig)] == [
        ("problem", False, "ACKNOWLEDGED"),
        ("amendment", True, "ACKNOWLEDGED"),
        ("resolution-answer", False, "IN_PROGRESS"),
        ("cancellation", True, "IN_PROGRESS"),
    ]
    subjects = [order.subject for order in orders(rig)]
    assert subjects[0] is None
    assert [subject["status"] for subject in subjects if subject] == [
        "PENDING",
        "REJECTED",
        "PENDING",
    ]
    assert len({order.id for order in orders(rig)}) == 4


def answer(rig: Rig, order: WorkOrder, answered: OrderAnswer) -> None:
    """Let the back office answer an order."""
    problem_id = rig.problem().id
    rig.store.write(lambda uow: rig.progress.order_answered(uow, problem_id, order, answered))


def keep(rig: Rig, event: Event, **fields: Any) -> None:
    """Let the back office answer the first order with an event in an hour."""
    later = LaterEvent(timedelta(hours=1), BackOfficeEvent(f"later {event}", event, **fields))
    answer(rig, orders(rig)[0], OrderAnswer(later=(later,)))


def test_an_answer_to_an_order_may_decide_and_name_a_ticket(rig: Rig) -> None:
    rig.create("defer")
    (order,) = orders(rig)
    accept = BackOfficeEvent("E1", Event.ACCEPT, commit=True)

    for _ in range(2):
        answer(rig, order, OrderAnswer("TICKET-1", "https://tickets/1", (accept,)))

    assert rig.kci_lines() == ["1 ACKNOWLEDGED/ACKNOWLEDGED", "2 COMMITTED/IN_PROGRESS"]
    problem = rig.problem()
    assert (problem.back_office_id, problem.back_office_url) == ("TICKET-1", "https://tickets/1")


def test_an_order_answered_again_keeps_the_url_of_its_ticket(rig: Rig) -> None:
    rig.create()
    rig.amend(101, notes="defer")
    for url in ("https://tickets/1", None):
        answer(rig, orders(rig)[0], OrderAnswer("TICKET-1", url))
        answer(rig, orders(rig)[1], OrderAnswer("TICKET-2", url))

    assert rig.problem().back_office_url == "https://tickets/1"
    sent = [row["back_office_url"] for row in rig.messages(BACK_OFFICE)]
    assert sent == ["https://tickets/1"] * 2
    (change,) = rig.store.read(lambda uow: ChangeRequestRepository(uow).of(rig.problem().id))
    assert change.back_office_url == "https://tickets/1"


def test_the_ticket_of_a_change_belongs_to_the_change(rig: Rig) -> None:
    rig.create()
    rig.amend(101, notes="defer")
    answer(rig, orders(rig)[1], OrderAnswer("TICKET-2"))

    assert rig.problem().back_office_id is None
    assert rig.say("accept-change", "TICKET-2", change_reference="TICKET-2").status == 200


def test_what_the_back_office_will_say_later_is_said_then(rig: Rig) -> None:
    rig.create()
    keep(rig, Event.HOLD, problem_code=ProblemCode.ACCESS_ISSUE, supplier_codes=("R9",))
    rig.run_timers()
    assert rig.kcis() == []

    rig.pass_days(1 / 24)

    assert rig.kci_lines() == ["1 DELAY/HELD + ACCESS_ISSUE"]
    assert rig.kcis()[0]["supplierCodes"] == ["R9"]


def test_what_would_be_said_later_is_not_possible_any_more(rig: Rig) -> None:
    rig.create()
    keep(rig, Event.START)
    rig.say("start")
    rig.pass_days(1)

    assert rig.kci_lines() == ["1 COMMITTED/IN_PROGRESS"]


def test_of_a_problem_that_is_over_nothing_is_said_later(rig: Rig) -> None:
    rig.create()
    keep(rig, Event.START)
    order = orders(rig)[0]
    rig.cancel()
    answer(
        rig, order, OrderAnswer(later=(LaterEvent(timedelta(), BackOfficeEvent("L", Event.START)),))
    )
    problem_id = rig.problem().id

    assert rig.store.read(lambda uow: TimerRepository(uow).of(problem_id)) == []
