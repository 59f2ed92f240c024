import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, validates_schema

from supplier_api.contract import (
    Invalid,
    Malformed,
    MessageError,
    field_table,
    load,
    read_json,
    schemas,
)
from supplier_api.contract.codes import CancellationReason, ProblemType
from supplier_api.contract.fields import Items, Object
from supplier_api.contract.limits import ID_MAX
from supplier_api.contract.loading import MessageSchema, is_plain, make, take
from tests.samples import (
    amendment_request,
    cancellation_request,
    patient,
    published_problem,
    resolution,
)

REQUESTS = [
    (schemas.SERVICE_PROBLEM_REQUEST, published_problem()),
    (schemas.AMENDMENT_REQUEST, amendment_request()),
    (schemas.CANCELLATION_REQUEST, cancellation_request()),
    (schemas.RESOLUTION_ANSWER_REQUEST, {"status": "ACCEPTED", "tenantNotes": "Thank you"}),
]
ANSWERS = [
    (
        schemas.SERVICE_PROBLEM,
        {"status": "HELD", "supplierReference": "A123X", **published_problem()},
    ),
    (schemas.AMENDMENT, amendment_request()),
    (schemas.CANCELLATION, {**cancellation_request(), "supplierReference": "SI_RE233827673"}),
    (schemas.RESOLUTION, resolution()),
    (
        schemas.ERROR,
        {
            "uuid": "87432dfb-2e47-4532-a1b7-4b113d48867d",
            "code": "INVALID_REQUEST",
            "messages": ["e.g. Invalid value for field x - accepted values are y"],
        },
    ),
]
MANDATORY_IN_A_PROBLEM = (
    "id problemType problemText serviceId serviceSpecification characteristics primaryContact notes"
)
WHOLE_NUMBER = "expected a whole number from 1 to 9223372036854775807"


def malformed(schema: Schema, document: object) -> list[str]:
    with pytest.raises(Malformed) as caught:
        load(schema, document)
    return caught.value.messages


def invalid(schema: Schema, document: object) -> list[str]:
    with pytest.raises(Invalid) as caught:
        load(schema, document)
    return caught.value.messages


@pytest.mark.parametrize(("schema", "document"), REQUESTS + ANSWERS)
def test_the_documents_examples_are_taken_field_by_field(
    schema: Schema, document: dict[str, Any]
) -> None:
    assert load(schema, document) == document


@pytest.mark.parametrize(("schema", "document"), REQUESTS + ANSWERS)
def test_unknown_fields_are_left_out(schema: Schema, document: dict[str, Any]) -> None:
    assert load(schema, {**document, "later": {"version": 2}}) == document


@pytest.mark.parametrize(("schema", "document"), REQUESTS)
def test_null_is_a_wrong_type_for_every_field(schema: Schema, document: dict[str, Any]) -> None:
    for name in document:
        [message] = malformed(schema, {**document, name: None})
        assert message.startswith(f"{name}: expected ")
        assert message.endswith(", not null")


@pytest.mark.parametrize(("schema", "document"), REQUESTS)
def test_every_field_has_its_json_type(schema: Schema, document: dict[str, Any]) -> None:
    for name, value in document.items():
        wrong: object = [] if isinstance(value, dict) else {}
        [message] = malformed(schema, {**document, name: wrong})
        assert message.startswith(f"{name}: expected ")


@pytest.mark.parametrize(
    ("schema", "mandatory"),
    [
        (
            schemas.SERVICE_PROBLEM_REQUEST,
            MANDATORY_IN_A_PROBLEM,
        ),
        (schemas.AMENDMENT_REQUEST, "id serviceProblemId"),
        (
            schemas.CANCELLATION_REQUEST,
            "id serviceProblemId supplierServiceProblemReference reasonCode",
        ),
        (schemas.RESOLUTION_ANSWER_REQUEST, "status"),
    ],
)
def test_what_is_mandatory_is_named_when_missing(schema: Schema, mandatory: str) -> None:
    assert malformed(schema, {}) == [f"{name}: missing" for name in mandatory.split()]


@pytest.mark.parametrize("document", [[], "text", 3, None, True])
def test_a_body_is_an_object(document: object) -> None:
    assert malformed(schemas.AMENDMENT_REQUEST, document) == ["body: expected an object"]


def test_every_structural_error_is_named_with_its_path() -> None:
    document = published_problem(
        id="23467",
        problemType=7,
        serviceSpecification={},
        address="UPRN 200004033694",
        characteristics=[{"name": "A", "value": 2}, "B", {"value": "C"}],
        primaryContact={"name": "John Smith"},
        notes=None,
    )
    assert malformed(schemas.SERVICE_PROBLEM_REQUEST, document) == [
        "id: expected a number",
        "problemType: expected a string",
        "serviceSpecification.id: missing",
        "address: expected an object",
        "characteristics[0].value: expected a string",
        "characteristics[1]: expected an object",
        "characteristics[2].name: missing",
        "primaryContact.phoneNumber: missing",
        "notes: expected a string, not null",
    ]


def test_every_broken_constraint_is_named_with_its_path() -> None:
    document = published_problem(
        id=0,
        problemType="OUTRAGE",
        problemText="too short",
        serviceId="S" * 51,
        characteristics=[{"name": "A", "value": ""}],
        secondaryContact={"name": "N" * 256, "phoneNumber": "1"},
        parentServiceProblemReference="lower",
        hazards="",
    )
    assert invalid(schemas.SERVICE_PROBLEM_REQUEST, document) == [
        f"id: {WHOLE_NUMBER}",
        f"problemType: expected one of {', '.join(ProblemType)}",
        "problemText: expected 10 to 80 characters",
        "serviceId: expected 1 to 50 characters",
        "characteristics[0].value: expected 1 to 1000 characters",
        "secondaryContact.name: expected 1 to 255 characters",
        "parentServiceProblemReference: expected to match [A-Z0-9_]{5,25}",
        "hazards: expected 1 to 1000 characters",
    ]


def test_structural_errors_hide_broken_constraints() -> None:
    document = published_problem(id=0, hazards="", notes=4)
    assert malformed(schemas.SERVICE_PROBLEM_REQUEST, document) == ["notes: expected a string"]


@pytest.mark.parametrize("name", ["id", "serviceTestId", "appointmentReservationId"])
@pytest.mark.parametrize(
    "text", ["0", "-1", "1.5", "1e400", "1e999999999", "1e-5", str(ID_MAX + 1)]
)
def test_a_number_that_is_no_id_breaks_a_constraint(name: str, text: str) -> None:
    body = json.dumps(published_problem(**{name: "@"})).replace('"@"', text)
    found = invalid(schemas.SERVICE_PROBLEM_REQUEST, read_json(body.encode()))
    assert found == [f"{name}: {WHOLE_NUMBER}"]


@pytest.mark.parametrize("value", [True, False, "23467", [23467], {"id": 23467}])
def test_what_is_no_number_is_a_wrong_type(value: object) -> None:
    found = malformed(schemas.SERVICE_PROBLEM_REQUEST, published_problem(id=value))
    assert found == ["id: expected a number"]


@patient
@given(st.integers(1, ID_MAX), st.integers(0, 30), st.booleans())
def test_an_id_is_read_exactly_in_every_way_to_write_it(
    number: int, zeros: int, shifted: bool
) -> None:
    text = f"{number}.{'0' * zeros}" if zeros else str(number)
    if shifted:
        text = f"{Decimal(number).scaleb(-3)}e3"
    body = json.dumps({"id": "@", "serviceProblemId": 1, "notes": "n"}).replace('"@"', text)
    document = load(schemas.AMENDMENT_REQUEST, read_json(body.encode()))
    assert document["id"] == number
    assert type(document["id"]) is int


@pytest.mark.parametrize("value", ["yes", 1, 0, "true", None])
def test_only_true_and_false_are_flags(value: object) -> None:
    [message] = malformed(schemas.AMENDMENT_REQUEST, amendment_request(escalationRequest=value))
    assert message.startswith("escalationRequest: expected true or false")


@pytest.mark.parametrize(("count", "taken"), [(0, False), (1, True), (100, True), (101, False)])
def test_characteristics_are_1_to_100(count: int, taken: bool) -> None:
    document = published_problem(characteristics=[{"name": "A", "value": "B"}] * count)
    if taken:
        assert load(schemas.SERVICE_PROBLEM_REQUEST, document) == document
    else:
        [message] = invalid(schemas.SERVICE_PROBLEM_REQUEST, document)
        assert message.startswith("characteristics: expected at ")


def test_too_many_characteristics_are_told_beside_what_is_wrong_in_them() -> None:
    document = published_problem(characteristics=[{"name": "", "value": "B"}] * 101)
    found = invalid(schemas.SERVICE_PROBLEM_REQUEST, document)
    assert len(found) == 101
    assert "characteristics: expected at most 100 items" in found
    assert "characteristics[99].name: expected 1 to 255 characters" in found


@pytest.mark.parametrize(
    ("name", "shortest", "longest"),
    [
        ("problemText", 10, 80),
        ("serviceId", 1, 50),
        ("hazards", 1, 1000),
        ("onSiteRestrictions", 1, 1000),
        ("notes", 1, 1000),
        ("serviceTestReference", 1, 255),
        ("appointmentReservationReference", 1, 255),
    ],
)
def test_lengths_count_code_points(name: str, shortest: int, longest: int) -> None:
    for length in (shortest, longest):
        document = published_problem(**{name: "\U0001f600" * length})
        assert load(schemas.SERVICE_PROBLEM_REQUEST, document) == document
    for length in (shortest - 1, longest + 1):
        document = published_problem(**{name: "\U0001f600" * length})
        assert invalid(schemas.SERVICE_PROBLEM_REQUEST, document) == [
            f"{name}: expected {shortest} to {longest} characters"
        ]


@pytest.mark.parametrize("text", ["    too few    ", " " * 10, "Lledr\u00f4d 10"])
def test_nothing_is_trimmed_or_normalised(text: str) -> None:
    document = published_problem(problemText=text)
    assert load(schemas.SERVICE_PROBLEM_REQUEST, document)["problemText"] == text


@pytest.mark.parametrize(
    "reference", ["ABCD", "A" * 26, "abcde", "ABC-DE", "ABCDE\n", " ABCDE", ""]
)
@pytest.mark.parametrize("name", ["supplierReference", "supplierServiceProblemReference"])
def test_references_match_as_a_whole(name: str, reference: str) -> None:
    found = invalid(schemas.AMENDMENT_REQUEST, amendment_request(**{name: reference}))
    assert found == [f"{name}: expected to match [A-Z0-9_]{{5,25}}"]


@pytest.mark.parametrize("kind", ProblemType)
def test_every_problem_type_is_taken(kind: ProblemType) -> None:
    document = published_problem(problemType=kind.value)
    assert load(schemas.SERVICE_PROBLEM_REQUEST, document)["problemType"] == kind


@pytest.mark.parametrize("reason", CancellationReason)
def test_every_reason_to_cancel_is_taken(reason: CancellationReason) -> None:
    document = cancellation_request(reasonCode=reason.value)
    assert load(schemas.CANCELLATION_REQUEST, document) == document


@pytest.mark.parametrize("status", ["PENDING", "accepted", ""])
def test_a_tenant_accepts_or_rejects(status: str) -> None:
    found = invalid(schemas.RESOLUTION_ANSWER_REQUEST, {"status": status})
    assert found == ["status: expected one of REJECTED, ACCEPTED"]


@pytest.mark.parametrize("extra", [{}, {"supplierReference": "ABCDE"}, {"status": "HELD"}])
def test_an_amendment_names_something_to_amend(extra: dict[str, str]) -> None:
    [message] = invalid(schemas.AMENDMENT_REQUEST, {"id": 1, "serviceProblemId": 2, **extra})
    assert message == (
        "body: expected at least one of problemText, escalationRequest, characteristics, "
        "primaryContact, secondaryContact, appointmentReservationId, "
        "appointmentReservationReference, hazards, onSiteRestrictions, notes to amend"
    )


@pytest.mark.parametrize("name", field_table.AMENDABLE)
def test_one_field_is_enough_for_an_amendment(name: str) -> None:
    document = {"id": 1, "serviceProblemId": 2, name: amendment_request()[name]}
    assert load(schemas.AMENDMENT_REQUEST, document) == document


def test_an_empty_amendment_is_told_beside_other_broken_constraints() -> None:
    first, second = invalid(schemas.AMENDMENT_REQUEST, {"id": 0, "serviceProblemId": 2})
    assert first == f"id: {WHOLE_NUMBER}"
    assert second.startswith("body: expected at least one of ")


def test_a_create_is_never_answered_with_pending() -> None:
    document = {"status": "PENDING", **published_problem()}
    [message] = invalid(schemas.SERVICE_PROBLEM, document)
    assert message.startswith("status: expected one of REJECTED, ACKNOWLEDGED")


@pytest.mark.parametrize(
    "date",
    [
        "2022-01-10T09:00:00",
        "2022-01-10",
        "20220110T090000Z",
        "2022-02-30T09:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "now",
        "\u0662022-01-10T09:00:00Z",
    ],
)
def test_dates_name_a_day_a_time_and_an_offset(date: str) -> None:
    assert invalid(schemas.RESOLUTION, resolution(resolvedDate=date)) == [
        "resolvedDate: expected a date-time with an offset, as in 2026-01-05T12:00:00.000Z"
    ]


@pytest.mark.parametrize("date", ["2024-02-29T09:00:00Z", "2022-06-10T09:00:00.123456+01:00"])
def test_dates_are_kept_as_written(date: str) -> None:
    document = resolution(resolvedDate=date)
    assert load(schemas.RESOLUTION, document) == document


@patient
@given(
    st.dictionaries(
        st.sampled_from(list(published_problem())),
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.lists(st.integers())
        | st.dictionaries(
            st.sampled_from(["id", "name", "phoneNumber"]), st.text() | st.integers()
        ),
    )
)
def test_no_document_is_taken_that_is_not_within_the_contract(changes: dict[str, Any]) -> None:
    document = published_problem(**changes)
    found: list[str] = []
    try:
        taken = load(schemas.SERVICE_PROBLEM_REQUEST, document)
    except MessageError as error:
        taken, found = published_problem(), error.messages or ["no message"]
    assert load(schemas.SERVICE_PROBLEM_REQUEST, taken) == taken
    assert all(": " in message and len(message) <= 1000 for message in found)


def test_no_message_repeats_a_value() -> None:
    marker = "Marmaduke-Featherstonehaugh"
    document = published_problem(
        id=marker,
        problemType=marker,
        problemText=marker * 9,
        serviceSpecification=marker,
        characteristics=[{"name": marker * 20, "value": marker * 99, marker: marker}],
        primaryContact={"name": marker * 20, "email": [marker], "phoneNumber": marker * 20},
        parentServiceProblemReference=marker,
    )
    with pytest.raises(MessageError) as caught:
        load(schemas.SERVICE_PROBLEM_REQUEST, document)
    assert marker not in str(caught.value)
    del document["id"], document["serviceSpecification"], document["primaryContact"]["email"]
    document |= {"id": 0, "serviceSpecification": {"id": marker}}
    with pytest.raises(Invalid) as caught_again:
        load(schemas.SERVICE_PROBLEM_REQUEST, document)
    assert marker not in str(caught_again.value)


@pytest.mark.parametrize(("schema", "document"), REQUESTS + ANSWERS)
def test_the_quick_way_takes_what_marshmallow_takes(
    schema: Schema, document: dict[str, Any]
) -> None:
    assert load(schema, document) == schema.load(document)


class Hooked(MessageSchema):
    """A schema with a hook of marshmallow's."""

    @validates_schema
    def check(self, *_document: object, **_more: object) -> None:
        raise ValidationError("never right")


def test_a_schema_with_a_hook_of_its_own_does_not_take_the_quick_way() -> None:
    hooked = make("Hooked", {}, Hooked)
    assert is_plain(schemas.AMENDMENT_REQUEST)
    assert not is_plain(hooked)
    around = make("Around", {"inner": Object(hooked, "Checked")})
    assert not is_plain(around)
    assert not is_plain(make("Listed", {"all": Items(Object(around, "Within"), "All")}))


def test_the_quick_way_checks_a_document_as_a_whole_too() -> None:
    around = make("Around", {"inner": Object(schemas.AMENDMENT_REQUEST, "Checked")})
    with pytest.raises(ValidationError, match="to amend"):
        take(around, {"inner": {"id": 1, "serviceProblemId": 2}})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists), st.data())
@patient
def test_the_quick_way_refuses_whatever_marshmallow_refuses(
    wrong: Any, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(published_problem())))
    document = published_problem(**{name: wrong})
    try:
        expected = schemas.SERVICE_PROBLEM_REQUEST.load(document)
    except ValidationError:
        with pytest.raises(ValidationError):
            take(schemas.SERVICE_PROBLEM_REQUEST, document)
    else:
        assert take(schemas.SERVICE_PROBLEM_REQUEST, document) == expected
