"""Changes to a document, as they are given on a command line."""

from typing import Any

import click
import pytest

from supplier_api.cli.kci import PathChanges

BODY: dict[str, Any] = {
    "text": "No key.",
    "supplierCodes": ["1", "2"],
    "serviceProblem": {"primaryContact": {"name": "John Smith"}},
}


def changed(*values: str, unset: tuple[str, ...] = ()) -> dict[str, Any]:
    return PathChanges.read(values, unset)(BODY)


def test_a_text_is_taken_as_it_is() -> None:
    assert changed("text=7 = seven")["text"] == "7 = seven"
    assert changed("problemCode=OTHER")["problemCode"] == "OTHER"


def test_anything_else_is_given_as_json() -> None:
    assert changed('supplierCodes:=["3"]')["supplierCodes"] == ["3"]
    assert changed("serviceProblem.id:=7")["serviceProblem"]["id"] == 7


def test_a_path_leads_into_objects_and_arrays() -> None:
    contact = changed("serviceProblem.primaryContact.name=Ann")["serviceProblem"]["primaryContact"]
    assert contact == {"name": "Ann"}
    assert changed("supplierCodes[1]=3")["supplierCodes"] == ["1", "3"]
    assert changed("supplierCodes[2]=3")["supplierCodes"] == ["1", "2", "3"]


def test_what_is_unset_is_left_out() -> None:
    assert "text" not in changed(unset=("text",))
    assert changed(unset=("supplierCodes[0]",))["supplierCodes"] == ["2"]


def test_what_was_there_stays_as_it_was() -> None:
    changed("serviceProblem.primaryContact.name=Ann", unset=("text",))
    assert BODY["text"] == "No key."
    assert BODY["serviceProblem"]["primaryContact"]["name"] == "John Smith"


@pytest.mark.parametrize("value", ["text", "=x", "a..b=x", "a[x]=1", "text:=", "text:={", "1=x"])
def test_what_is_no_change_is_told(value: str) -> None:
    with pytest.raises(click.BadParameter):
        PathChanges.read([value], [])


@pytest.mark.parametrize(
    "value", ["nowhere.name=x", "supplierCodes[7]=x", "text.name=x", "text[0]=x"]
)
def test_a_place_that_is_not_there_is_named(value: str) -> None:
    place = value.partition("=")[0]
    with pytest.raises(click.BadParameter) as told:
        changed(value)
    assert told.value.message == f"{place}: there is no such place in the body"
    with pytest.raises(click.BadParameter, match="there is no such place in the body"):
        changed(unset=(place,))
    with pytest.raises(click.BadParameter, match="absent: there is no such place"):
        changed(unset=("absent",))
