"""Applies an amendment to a problem's document: the supplied fields change and no others."""

from collections.abc import Mapping
from typing import Any

from supplier_api.contract import refusals
from supplier_api.contract.limits import CHARACTERISTICS_MAX

REPLACED = (
    "problemText",
    "appointmentReservationId",
    "appointmentReservationReference",
    "hazards",
    "onSiteRestrictions",
    "notes",
)
CONTACTS = ("primaryContact", "secondaryContact")


class TooManyCharacteristics(Exception):
    """The problem would have more characteristics than the contract allows."""

    def __init__(self) -> None:
        """Name the limit."""
        super().__init__(refusals.TOO_MANY_CHARACTERISTICS.message(maximum=CHARACTERISTICS_MAX))


def amended(document: Mapping[str, Any], amendment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the problem's document with the amendment's fields (*supplier-amend*).

    Characteristics merge by name; a contact that is supplied replaces the old one but keeps its
    e-mail if it brings none. Raises TooManyCharacteristics.
    """
    changed = dict(document)
    for name in REPLACED:
        if name in amendment:
            changed[name] = amendment[name]
    for name in CONTACTS:
        if name in amendment:
            changed[name] = _contact(document.get(name, {}), amendment[name])
    if "characteristics" in amendment:
        changed["characteristics"] = _merged(
            document.get("characteristics", []), amendment["characteristics"]
        )
    return changed


def _contact(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {"email": old["email"], **new} if "email" in old else dict(new)


def _merged(old: list[dict[str, str]], new: list[dict[str, str]]) -> list[dict[str, str]]:
    values = {each["name"]: each["value"] for each in [*old, *new]}
    if len(values) > CHARACTERISTICS_MAX:
        raise TooManyCharacteristics
    return [{"name": name, "value": value} for name, value in values.items()]
