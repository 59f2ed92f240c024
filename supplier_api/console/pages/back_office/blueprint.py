"""The blueprint of the page Back office, and the numbers of rows that its addresses name."""

from flask import Blueprint, request

from supplier_api.console.acts import ActRefused
from supplier_api.contract.limits import ID_MAX
from supplier_api.http.request_parsing import whole_number

NUMBER = f"int(max={ID_MAX}):number"  # in a path

blueprint = Blueprint("back_office", __name__, url_prefix="/back-office")


def row_id(name: str) -> int | None:
    """Return the row id that an address or a form names, None for none; raises ActRefused."""
    text = request.values.get(name, "")
    number = whole_number(text, 0)
    if text and number is None:
        raise ActRefused(f"{name}: expected a whole number", status=422)
    return number
