"""The parameters of faults: their types, limits and defaults."""

import re
from decimal import Decimal
from enum import StrEnum
from typing import Any

from supplier_api.sandbox.fault_injection.model import FaultParameter, Value


class When(StrEnum):
    """On which side of what the desk does a fault strikes."""

    BEFORE = "before"
    AFTER = "after"


def seconds(default: float, most: float, description: str) -> FaultParameter:
    """Return the parameter for a time of machine time."""

    def read(given: Any) -> Value:
        number = isinstance(given, int | float | Decimal) and not isinstance(given, bool)
        if not number or not 0 <= given <= most:
            raise ValueError
        return float(given)

    return FaultParameter("seconds", f"a number, 0 to {most:g}", default, description, read)


def whole(name: str, default: int, least: int, most: int, description: str) -> FaultParameter:
    """Return a parameter for a whole number."""

    def read(given: object) -> Value:
        if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
            raise ValueError
        return given

    return FaultParameter(name, f"a whole number, {least} to {most}", default, description, read)


def one_of(name: str, words: tuple[str, ...], description: str) -> FaultParameter:
    """Return a parameter for one of these words; the first is the default."""

    def read(given: object) -> Value:
        if given not in words:
            raise ValueError
        return str(given)

    return FaultParameter(name, f"one of {', '.join(words)}", words[0], description, read)


def text(name: str, default: str, form: str, most: int, description: str) -> FaultParameter:
    """Return a parameter for a text of this form (a regular expression), or none at all."""
    pattern = re.compile(form, re.DOTALL)

    def read(given: object) -> Value:
        right = isinstance(given, str) and len(given) <= most and pattern.fullmatch(given)
        if not right:
            raise ValueError
        return str(given)

    return FaultParameter(name, f"a text of at most {most} characters", default, description, read)


def when(default: When) -> FaultParameter:
    """Return the parameter for the side of the desk's work."""
    words = (default, *(each for each in When if each is not default))
    return one_of(
        "when",
        tuple(map(str, words)),
        "before: nothing was done. after: the request was done and is kept; only its answer is"
        " struck.",
    )
