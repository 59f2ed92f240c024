"""What an amendment changes, what it leaves, and when it is refused."""

from typing import Any

import pytest

from tests.samples import CONTACT, cancellation_request, problem_request
from tests.supplier import DEFERRED, Problem, Supplier, refusal

JANE = {"name": "Jane Smith", "phoneNumber": "01234 567891"}


def amended(supplier: Supplier, problem: Problem, **fields: Any) -> dict[str, Any]:
    """Amend a problem and return it as the next KCI tells it."""
    count = len(supplier.kcis(problem))
    body = {"id": 100 + count, "serviceProblemId": problem.id, **fields}
    answer = supplier.amend(body, tenant=problem.tenant)
    assert answer.status_code in (201, 202), answer.get_json()
    assert supplier.event(problem.reference, "note").status_code == 200
    entity: dict[str, Any] = supplier.kcis(problem)[-1]["serviceProblem"]
    return entity


def told(**changes: Any) -> dict[str, Any]:
    """Return the example problem with some fields changed, as a KCI tells it."""
    named = {"serviceSpecification": {"id": "ftthl2r", "name": "FTTH"}}
    return {**problem_request(), **named, **changes}


def without_our_own(entity: dict[str, Any]) -> dict[str, Any]:
    ours = ("status", "supplierReference")
    return {name: value for name, value in entity.items() if name not in ours}


@pytest.mark.parametrize(
    "field",
    [
        {"problemText": "No light on the terminal since this morning."},
        {"hazards": "A dog"},
        {"onSiteRestrictions": "Keys at the lodge"},
        {"notes": "Ring twice."},
        {"appointmentReservationId": 346},
        {"appointmentReservationReference": "A235X"},
    ],
    ids=lambda field: next(iter(field)),
)
def test_one_field_changes_and_no_other(supplier: Supplier, field: dict[str, Any]) -> None:
    entity = amended(supplier, supplier.opened(), **field)
    assert without_our_own(entity) == told(**field)


def test_an_escalation_changes_nothing_of_the_problem(supplier: Supplier) -> None:
    entity = amended(supplier, supplier.opened(), escalationRequest=True)
    assert without_our_own(entity) == told()


def test_characteristics_merge_by_name(supplier: Supplier) -> None:
    first = {"name": "CPE_POWER_ON", "value": "true"}
    second = {"name": "END_USER_CPE", "value": "Zyxel 3213"}
    problem = supplier.opened(characteristics=[first, second])
    changed = {"name": "END_USER_CPE", "value": "Zyxel DX3301"}
    new = {"name": "USAGE_CHANGES", "value": "false"}
    entity = amended(supplier, problem, characteristics=[new, changed])
    assert entity["characteristics"] == [first, changed, new]


def test_a_problem_has_no_more_characteristics_than_the_wire_can_carry(supplier: Supplier) -> None:
    many = [{"name": f"C{number}", "value": "x"} for number in range(100)]
    problem = supplier.opened(characteristics=many)
    one_more = {"characteristics": [{"name": "ONE_MORE", "value": "x"}]}
    answer = supplier.amend({"id": 1, "serviceProblemId": problem.id, **one_more})
    expected = ["characteristics: the problem would have more than 100 of them"]
    assert refusal(answer) == (422, "INVALID_REQUEST", expected)
    same_name = {"characteristics": [{"name": "C7", "value": "y"}]}
    assert len(amended(supplier, problem, **same_name)["characteristics"]) == 100


def test_a_contact_without_an_email_keeps_the_old_one(supplier: Supplier) -> None:
    problem = supplier.opened(secondaryContact={**CONTACT, "name": "Janet Smith"})
    entity = amended(supplier, problem, primaryContact=JANE)
    assert entity["primaryContact"] == {**JANE, "email": CONTACT["email"]}
    assert entity["secondaryContact"] == {**CONTACT, "name": "Janet Smith"}
    entity = amended(supplier, problem, secondaryContact={**JANE, "email": "jane@smith.com"})
    assert entity["secondaryContact"] == {**JANE, "email": "jane@smith.com"}


def test_a_contact_can_be_added_and_must_be_whole(supplier: Supplier) -> None:
    problem = Problem(23467, supplier.create(problem_request()).get_json()["supplierReference"])
    partial = {"id": 1, "serviceProblemId": 23467, "secondaryContact": {"name": "Jane Smith"}}
    assert refusal(supplier.amend(partial)) == (
        400,
        "MALFORMED_REQUEST",
        ["secondaryContact.phoneNumber: missing"],
    )
    assert amended(supplier, problem, secondaryContact=JANE)["secondaryContact"] == JANE


def test_an_amendment_names_something_to_amend(supplier: Supplier) -> None:
    problem = supplier.opened()
    status, code, messages = refusal(
        supplier.amend(
            {
                "id": 1,
                "supplierReference": "SI_RE233827673",
                "serviceProblemId": problem.id,
                "supplierServiceProblemReference": problem.reference,
            }
        )
    )
    assert (status, code) == (422, "INVALID_REQUEST")
    assert messages[0].startswith("body: expected at least one of problemText, ")


def test_the_reference_must_be_the_problems(supplier: Supplier) -> None:
    problem = supplier.opened()
    other = supplier.opened(id=2, serviceId="SI0000000000099")
    body = {"id": 1, "serviceProblemId": problem.id, "notes": "Ring twice."}
    answer = supplier.amend({**body, "supplierServiceProblemReference": other.reference})
    assert refusal(answer)[:2] == (422, "NOT_FOUND")
    answer = supplier.amend({**body, "supplierServiceProblemReference": "lower_case"})
    assert refusal(answer)[:2] == (422, "INVALID_REQUEST")
    assert supplier.amend(body).status_code == 201


def test_an_undecided_problem_is_changed_at_once_whatever_reference_is_sent(
    supplier: Supplier,
) -> None:
    assert supplier.create(problem_request(), tenant=DEFERRED).status_code == 202
    unknown = {"serviceProblemId": 23467, "supplierServiceProblemReference": "UNKNOWN"}
    amendment = {"id": 1, **unknown, "notes": "Ring twice."}
    assert supplier.amend(amendment, tenant=DEFERRED).status_code == 201
    assert supplier.stored(23467, DEFERRED).document["notes"] == "Ring twice."
    answer = supplier.cancel(cancellation_request(**unknown), tenant=DEFERRED)
    assert answer.status_code == 201
    reference = supplier.stored(23467, DEFERRED).reference
    assert supplier.told(Problem(23467, reference, DEFERRED)) == []
    assert supplier.event(reference, "accept").status_code == 409


@pytest.mark.parametrize("first", ["amendment", "cancellation"])
def test_one_change_at_a_time(supplier: Supplier, first: str) -> None:
    problem = supplier.opened(tenant=DEFERRED)
    amendment = {"id": 1, "serviceProblemId": problem.id, "notes": "Ring twice."}
    cancellation = problem.named(cancellation_request(), id=1)
    ask = {
        "amendment": lambda **more: supplier.amend({**amendment, **more}, tenant=DEFERRED),
        "cancellation": lambda **more: supplier.cancel({**cancellation, **more}, tenant=DEFERRED),
    }
    assert ask[first]().status_code == 202
    for second in ("amendment", "cancellation"):
        status, code, messages = refusal(ask[second](id=2))
        assert (status, code) == (422, "INVALID_REQUEST")
        assert messages == [
            f"serviceProblemId: {first} 1 is not decided yet; expected one request at a time"
        ]


def test_an_amendment_settles_a_question_but_an_escalation_does_not(supplier: Supplier) -> None:
    problem = supplier.opened()
    code = {"problemCode": "INFORMATION_REQUIRED"}
    supplier.event(problem.reference, "ask-information", text="Which router is it?", **code)
    supplier.deliver()
    body = {"serviceProblemId": problem.id}
    assert supplier.amend({"id": 1, **body, "escalationRequest": True}).status_code == 201
    assert supplier.told(problem) == ["1 INFORMATION_REQUIRED/PENDING"]
    assert supplier.amend({"id": 2, **body, "notes": "A Zyxel."}).status_code == 201
    assert supplier.told(problem)[1:] == ["2 RESUMED/ACKNOWLEDGED"]


def test_only_a_reservation_settles_a_new_appointment(supplier: Supplier) -> None:
    problem = supplier.opened()
    supplier.event(problem.reference, "ask-appointment", problemCode="ACCESS_ISSUE")
    supplier.deliver()
    body = {"serviceProblemId": problem.id}
    assert supplier.amend({"id": 1, **body, "notes": "After noon."}).status_code == 201
    assert supplier.told(problem) == ["1 REAPPOINT/PENDING"]
    assert supplier.amend({"id": 2, **body, "appointmentReservationId": 346}).status_code == 201
    assert supplier.told(problem)[1:] == ["2 RESUMED/ACKNOWLEDGED"]


def test_a_change_behind_an_update_under_way_is_told_by_an_update(supplier: Supplier) -> None:
    problem = supplier.opened()
    supplier.event(problem.reference, "hold", problemCode="ACCESS_ISSUE")
    answer = supplier.amend({"id": 1, "serviceProblemId": problem.id, "notes": "Ring twice."})
    assert answer.status_code == 202
    answer = supplier.cancel(problem.named(cancellation_request()))
    assert answer.status_code == 202
    assert supplier.told(problem) == ["1 DELAY/HELD", "2 AMENDED/HELD", "3 CANCELLED/CANCELLED"]
    told = supplier.kcis(problem)[-1]
    assert told["problemCode"] == "NETWORK_ISSUE"
    assert told["serviceProblemCancellation"]["status"] == "COMPLETED"


def test_a_change_that_was_left_open_is_decided_by_the_back_office(supplier: Supplier) -> None:
    problem = supplier.opened(tenant=DEFERRED)
    asked = supplier.amend(
        {"id": 1, "serviceProblemId": problem.id, "notes": "Ring twice."}, tenant=DEFERRED
    )
    change = {"changeReference": asked.get_json()["supplierReference"]}
    refused = {"problemCode": "OTHER", "text": "There is no bell."}
    answer = supplier.event(problem.reference, "reject-change", **change, **refused)
    assert answer.get_json()["status"] == "ACKNOWLEDGED"
    kci = supplier.kcis(problem)[-1]
    assert kci["reasonCode"] == "AMENDMENT_REJECTED"
    assert kci["serviceProblemAmendment"] == {
        "id": 1,
        "supplierReference": change["changeReference"],
        "status": "REJECTED",
        "serviceProblemId": problem.id,
        "notes": "Ring twice.",
    }
    assert kci["serviceProblem"]["notes"] == problem_request()["notes"]


@pytest.mark.parametrize("end", ["cancel", "reject", "complete"])
def test_nothing_is_changed_after_the_end(supplier: Supplier, end: str) -> None:
    status = {"cancel": "CANCELLED", "reject": "REJECTED", "complete": "COMPLETED"}[end]
    if end == "reject":
        assert supplier.create(problem_request(), tenant=DEFERRED).status_code == 202
        stored = supplier.stored(23467, DEFERRED)
        problem = Problem(23467, stored.reference, DEFERRED)
    else:
        problem = supplier.opened()
    if end == "complete":
        supplier.resolved(problem)
    code = {} if end == "complete" else {"problemCode": "OTHER", "text": "There is no fault."}
    assert supplier.event(problem.reference, end, **code).status_code == 200
    expected = [f"serviceProblemId: problem 23467 is {status}; raise a new problem instead"]
    amendment = {"id": 1, "serviceProblemId": problem.id, "notes": "Ring twice."}
    answer = supplier.amend(amendment, tenant=problem.tenant)
    assert refusal(answer) == (422, "INVALID_REQUEST", expected)
    answer = supplier.cancel(problem.named(cancellation_request()), tenant=problem.tenant)
    assert refusal(answer) == (422, "INVALID_REQUEST", expected)
