"""Applies an amendment to a problem's document: the supplied fields change and no others."""

from collections.abc import Mapping
from typing import Any

from supplier_api.contract import field_table, refusals
from supplier_api.contract.limits import CHARACTERISTICS_MAX


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
    changed = field_table.amended(document, amendment)
    if len(changed.get("characteristics", ())) > CHARACTERISTICS_MAX:
        raise TooManyCharacteristics
    return changed
