"""An amendment changes what it names and nothing else."""

from copy import deepcopy
from typing import Any

import pytest

from supplier_api.contract.limits import CHARACTERISTICS_MAX
from supplier_api.problems.transition import TooManyCharacteristics, amended

JOHN = {"name": "John Smith", "email": "john@smith.com", "phoneNumber": "01234 567890"}
DOCUMENT: dict[str, Any] = {
    "id": 7,
    "problemText": "The line drops every evening.",
    "serviceId": "SI0000000000100",
    "characteristics": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    "primaryContact": JOHN,
    "notes": "Ring twice.",
}
ABOUT = {"id": 8, "serviceProblemId": 7, "supplierServiceProblemReference": "SP_0123456789"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("problemText", "The line is dead now."),
        ("appointmentReservationId", 345),
        ("appointmentReservationReference", "A234X"),
        ("hazards", "A dog"),
        ("onSiteRestrictions", "Ladders"),
        ("notes", "Ring once."),
    ],
)
def test_a_field_is_replaced_or_added(name: str, value: object) -> None:
    assert amended(DOCUMENT, {**ABOUT, name: value}) == {**DOCUMENT, name: value}


def test_nothing_but_the_amendable_fields_is_taken_over() -> None:
    assert amended(DOCUMENT, {**ABOUT, "escalationRequest": True}) == DOCUMENT


def test_the_problem_as_it_was_is_left_alone() -> None:
    before = deepcopy(DOCUMENT)
    amended(DOCUMENT, {**ABOUT, "characteristics": [{"name": "A", "value": "3"}], "notes": "New"})

    assert before == DOCUMENT


def test_characteristics_merge_by_name() -> None:
    named = [{"name": "C", "value": "3"}, {"name": "A", "value": "4"}]

    assert amended(DOCUMENT, {**ABOUT, "characteristics": named})["characteristics"] == [
        {"name": "A", "value": "4"},
        {"name": "B", "value": "2"},
        {"name": "C", "value": "3"},
    ]


def test_there_may_be_so_many_characteristics_and_no_more() -> None:
    more = [{"name": f"C{number}", "value": "x"} for number in range(CHARACTERISTICS_MAX - 2)]
    full = amended(DOCUMENT, {**ABOUT, "characteristics": more})
    assert len(full["characteristics"]) == CHARACTERISTICS_MAX

    with pytest.raises(TooManyCharacteristics, match=r"characteristics: .* more than 100"):
        amended(full, {**ABOUT, "characteristics": [{"name": "ONE_MORE", "value": "x"}]})


def test_a_contact_without_an_email_keeps_the_old_one() -> None:
    new = {"name": "Jane Smith", "phoneNumber": "09876 543210"}

    assert amended(DOCUMENT, {**ABOUT, "primaryContact": new})["primaryContact"] == {
        **new,
        "email": "john@smith.com",
    }


def test_a_contact_is_otherwise_replaced_whole() -> None:
    new = {"name": "Jane Smith", "email": "jane@smith.com", "phoneNumber": "09876 543210"}

    assert amended(DOCUMENT, {**ABOUT, "primaryContact": new})["primaryContact"] == new


def test_a_contact_that_was_not_there_is_added() -> None:
    new = {"name": "Jane Smith", "phoneNumber": "09876 543210"}

    assert amended(DOCUMENT, {**ABOUT, "secondaryContact": new})["secondaryContact"] == new
