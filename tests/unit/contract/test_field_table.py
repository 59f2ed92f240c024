"""The table of fields: what is derived from it, and what an amendment changes of a problem."""

from typing import Any

import pytest

from supplier_api.contract import load, schemas
from supplier_api.contract.field_table import (
    AMENDABLE,
    CANCELLATION_FIELDS,
    PROBLEM_FIELDS,
    PublishedField,
    with_amendment,
)
from supplier_api.contract.kci import KCI
from supplier_api.contract.personal import PLACEHOLDER, masked
from tests.field_examples import example_of, examples_of

PROBLEM: dict[str, Any] = {
    "problemText": "The service keeps dropping.",
    "characteristics": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    "primaryContact": {"name": "John", "email": "john@smith.com", "phoneNumber": "1"},
    "notes": "None",
}


@pytest.mark.parametrize(
    ("amendment", "changed"),
    [
        ({"notes": "New"}, {"notes": "New"}),
        ({"hazards": "A dog"}, {"hazards": "A dog"}),
        ({"escalationRequest": True}, {}),
        ({"serviceProblemId": 1}, {}),
        (
            {"characteristics": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]},
            {
                "characteristics": [
                    {"name": "A", "value": "1"},
                    {"name": "B", "value": "3"},
                    {"name": "C", "value": "4"},
                ]
            },
        ),
        (
            {"primaryContact": {"name": "Mary", "phoneNumber": "2"}},
            {"primaryContact": {"name": "Mary", "email": "john@smith.com", "phoneNumber": "2"}},
        ),
        (
            {"primaryContact": {"name": "Mary", "email": "m@x.org", "phoneNumber": "2"}},
            {"primaryContact": {"name": "Mary", "email": "m@x.org", "phoneNumber": "2"}},
        ),
        (
            {"secondaryContact": {"name": "Mary", "phoneNumber": "2"}},
            {"secondaryContact": {"name": "Mary", "phoneNumber": "2"}},
        ),
    ],
)
def test_only_what_is_supplied_changes(amendment: dict[str, Any], changed: dict[str, Any]) -> None:
    assert with_amendment(PROBLEM, amendment) == PROBLEM | changed


def named(fields: PublishedField) -> str:
    return fields.name


def published(name: str, *path: str) -> bool:
    """Tell whether the KCI's object at `path` has the field."""
    schema = KCI
    for part in path:
        schema = schema.fields[part].schema  # type: ignore[attr-defined]
    return name in schema.fields


@pytest.mark.parametrize("row", PROBLEM_FIELDS, ids=named)
def test_a_field_is_in_every_message_that_has_it(row: PublishedField) -> None:
    assert (row.name in schemas.SERVICE_PROBLEM_REQUEST.fields) == row.in_problem
    assert (row.name in schemas.SERVICE_PROBLEM.fields) == row.in_problem
    assert published(row.name, "serviceProblem") == row.in_problem
    if row.name != "id":  # each message has one of its own
        assert (row.name in schemas.AMENDMENT_REQUEST.fields) == bool(row.amend)
        assert (row.name in schemas.AMENDMENT.fields) == bool(row.amend)
        assert published(row.name, "serviceProblemAmendment") == bool(row.amend)


@pytest.mark.parametrize("row", CANCELLATION_FIELDS, ids=named)
def test_a_field_of_a_cancellation_is_in_each_of_its_messages(row: PublishedField) -> None:
    assert row.name in schemas.CANCELLATION_REQUEST.fields
    assert row.name in schemas.CANCELLATION.fields
    assert published(row.name, "serviceProblemCancellation")


@pytest.mark.parametrize("row", [*PROBLEM_FIELDS, *CANCELLATION_FIELDS], ids=named)
def test_what_is_personal_is_masked(row: PublishedField) -> None:
    value = example_of(row.field)
    assert masked({row.name: value}) == {row.name: PLACEHOLDER if row.personal else value}


def test_the_examples_make_a_problem_and_an_amendment_that_are_valid() -> None:
    problem = examples_of(schemas.SERVICE_PROBLEM_REQUEST.fields)
    amendment = examples_of(schemas.AMENDMENT_REQUEST.fields)
    assert load(schemas.SERVICE_PROBLEM_REQUEST, problem) == problem
    assert load(schemas.AMENDMENT_REQUEST, amendment) == amendment


@pytest.mark.parametrize("row", PROBLEM_FIELDS, ids=named)
def test_an_amendment_adds_each_field_that_it_may_change(row: PublishedField) -> None:
    supplied = {row.name: example_of(row.field)}
    taken = supplied if row.amend and row.in_problem else {}
    without = {name: value for name, value in PROBLEM.items() if name != row.name}
    assert with_amendment(without, supplied) == without | taken


def test_no_field_of_an_amendment_is_required() -> None:
    assert not any(field.required for field in AMENDABLE.values())
