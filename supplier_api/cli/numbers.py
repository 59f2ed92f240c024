"""Numbers as people give them to commands; what is none is refused with what was expected."""

from typing import Any

import click


class WholeNumber(click.ParamType[int]):
    """A whole number that is not below `least`."""

    name = "number"

    def __init__(self, least: int) -> None:
        """Take what is at least `least`."""
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; what is none, or too small, is wrong use."""
        try:
            number = int(value)
        except ValueError:
            number = self._least - 1
        if number < self._least:
            self.fail(f"expected a whole number from {self._least}, not {value}", param, ctx)
        return number


class Seconds(click.ParamType[float]):
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
