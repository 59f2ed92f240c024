"""Applies an amendment to a problem's document, within the limits of the contract."""

from collections.abc import Mapping
from typing import Any

from supplier_api.contract import refusals
from supplier_api.contract.field_table import with_amendment
from supplier_api.contract.limits import CHARACTERISTICS_MAX


class TooManyCharacteristics(Exception):
    """The problem would have more characteristics than the contract allows."""

    def __init__(self) -> None:
        """Name the limit."""
        super().__init__(refusals.TOO_MANY_CHARACTERISTICS.message(maximum=CHARACTERISTICS_MAX))


def amended(document: Mapping[str, Any], amendment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the problem's document with the amendment's fields (*supplier-amend*).

    Raises TooManyCharacteristics.
    """
    changed = with_amendment(document, amendment)
    if len(changed.get("characteristics", ())) > CHARACTERISTICS_MAX:
        raise TooManyCharacteristics
    return changed
