"""The blueprint of the page Back office, and the numbers of rows that its addresses name."""

import re

from flask import Blueprint, request

from supplier_api.console.acts import ActRefused

NUMBER_MAX = 2**63 - 1
NUMBER = f"int(max={NUMBER_MAX}):number"  # in a path

blueprint = Blueprint("back_office", __name__, url_prefix="/back-office")


def row_id(name: str) -> int | None:
    """Return the row id that an address or a form names, None for none; raises ActRefused."""
    text = request.values.get(name, "")
    if not text:
        return None
    if re.fullmatch("[0-9]{1,19}", text) and int(text) <= NUMBER_MAX:
        return int(text)
    raise ActRefused(f"{name}: expected a whole number", status=422)
