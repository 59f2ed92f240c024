"""Times as people give them to commands: RFC 3339, or how long ago."""

import re
from datetime import datetime, timedelta

import click

from supplier_api.clock import from_wire

AGES = {"m": "minutes", "h": "hours", "d": "days"}


def age(text: str, option: str) -> timedelta:
    """Return the span that `text` says, as in 12h; BadParameter names the option."""
    found = _age(text)
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
    ago = _age(text)
    if ago is not None:
        return now - ago
    try:
        return from_wire(text)
    except (ValueError, OverflowError):
        expected = "expected an age, as in 12h, or a date-time, as in 2026-01-05T12:00:00Z"
        raise click.BadParameter(expected, param_hint=option) from None


def _age(text: str) -> timedelta | None:
    matched = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    return timedelta(**{AGES[matched[2]]: int(matched[1])}) if matched else None
