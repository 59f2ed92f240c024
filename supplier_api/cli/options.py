"""What people give to several commands: numbers, times, who they are and why they do it."""

import getpass
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click

from supplier_api.clock import age_given, instant_given

OPERATOR = "SUPPLIER_API_OPERATOR"
# As contract.limits.ID_MAX; the package takes long to import.
MAX_ID = 2**63 - 1
MAX_ROWS = 1_000_000  # that a list prints
MAX_SECONDS = 86_400  # that a command waits
LONGEST = 100  # of an operator's name, as the column has it
F = TypeVar("F", bound=Callable[..., Any])

with_json = click.option("--json", "as_json", is_flag=True, help="As JSON.")


def some_words(_ctx: click.Context, _param: click.Parameter, reason: str | None) -> str | None:
    """Return the reason that an option has without blanks around it; a blank one is wrong use."""
    if reason is None:
        return None
    if not reason.strip():
        raise click.BadParameter("expected some words")
    return reason.strip()


def with_reason(command: F) -> F:
    """Give a command the option --reason, which must say why it is given."""
    option = click.option(
        "--reason", required=True, callback=some_words, help="Why; recorded with who did it."
    )
    return option(command)


def operator() -> str:
    """Return who gives the command: SUPPLIER_API_OPERATOR, or else the login name."""
    named = os.environ.get(OPERATOR, "").strip()
    if named:
        return named[:LONGEST]
    try:
        return getpass.getuser()[:LONGEST]
    except (KeyError, OSError):  # a container's user by number
        return f"uid {os.getuid()}"


class WholeNumberParam(click.ParamType[int]):
    """A whole number from `least` to `most`; if that is not given, to the largest id there is."""

    name = "number"

    def __init__(self, least: int, most: int = MAX_ID) -> None:
        """Take what is in the range."""
        self._least, self._most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; what is none, or too small or too big, is wrong use."""
        try:
            number = int(value)
        except ValueError:
            number = self._least - 1
        if not self._least <= number <= self._most:
            expected = f"expected a whole number from {self._least} to {self._most}"
            self.fail(f"{expected}, not {value}", param, ctx)
        return number


class SecondsParam(click.ParamType[float]):
    """Seconds, as in 20 or 0.5; not below zero."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds; what is no such number is wrong use."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        if not seconds >= 0:  # nor what is no number at all (nan)
            self.fail(f"expected seconds, as in 20 or 0.5, not {value}", param, ctx)
        return seconds


def age(text: str, option: str) -> timedelta:
    """Return the span that `text` says, as in 12h; BadParameter names the option."""
    found = age_given(text)
    if found is None:
        expected = "expected a number of up to five digits with m, h or d, as in 12h"
        raise click.BadParameter(expected, param_hint=option)
    return found


def instant(text: str | None, now: datetime, option: str) -> datetime | None:
    """Return the instant that `text` says: a date-time with an offset, or an age before `now`.

    BadParameter names the option. None stays None.
    """
    if text is None:
        return None
    try:
        return instant_given(text, now)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None
