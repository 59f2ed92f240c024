"""What a measurement finds: figures, each with its spread and its target."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """How long and how much is measured.

    `seconds` is one round of load, `rounds` how often everything takes its turn, `rows` how many
    problems make a full table, `soak` for how many seconds memory is watched. What needs the last
    two is left out where they are 0.
    """

    seconds: float = 2.0
    rounds: int = 5
    rows: int = 0
    soak: float = 0.0


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that the median of a figure must keep: `kind` is "at most" or "at least"."""

    kind: str
    bound: float

    def held_by(self, value: float) -> bool:
        """Return whether a value keeps the bound."""
        return value <= self.bound if self.kind == "at most" else value >= self.bound


def at_most(bound: float) -> Target:
    """Return the target of a figure that must not be greater."""
    return Target("at most", bound)


def at_least(bound: float) -> Target:
    """Return the target of a figure that must not be smaller."""
    return Target("at least", bound)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of docs/performance.md.

    `values` has one value for each round, in `unit` ("" for a ratio). `rates` are requests a
    second in the same rounds, where there are any: they depend on what else runs, CPU hardly does.
    """

    what: str
    unit: str
    values: Sequence[float]
    target: Target | None = None
    note: str = ""
    rates: Sequence[float] = ()

    @property
    def median(self) -> float:
        """Return the median of the rounds."""
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """Return "held" or "MISSED", or nothing where there is no target."""
        if self.target is None:
            return ""
        return "held" if self.target.held_by(self.median) else "MISSED"

    def line(self) -> str:
        """Return the figure as one line for a terminal."""
        parts = [f"{self.what}: {shown(self.values, self.unit)}"]
        if self.rates:
            parts.append(f"{shown(self.rates)} a second")
        if self.target is not None:
            parts.append(f"{self.target.kind} {number(self.target.bound)}: {self.verdict}")
        return ", ".join(parts)

    def as_row(self) -> list[str]:
        """Return the cells of the page's table: figure, median, a second, target, verdict."""
        target = f"{self.target.kind} {number(self.target.bound)}" if self.target else ""
        rates = shown(self.rates) if self.rates else ""
        return [self.what, shown(self.values, self.unit), rates, target, self.verdict]

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self)


def from_json(given: dict[str, Any]) -> Figure:
    """Return the figure that `as_json` wrote."""
    target = given["target"]
    return Figure(**{**given, "target": Target(**target) if target else None})


def ratios(what: str, of: Figure, to: Figure, target: Target, note: str = "") -> Figure:
    """Return how many times `to` the figure `of` is, round by round."""
    pairs = zip(of.values, to.values, strict=True)
    return Figure(what, "", [one / other for one, other in pairs], target, note)


def shown(values: Sequence[float], unit: str = "") -> str:
    """Return median, unit and spread, as in `812 us (798 to 840)`."""
    low, middle, high = min(values), statistics.median(values), max(values)
    unit = f" {unit}" if unit else ""
    spread = f" ({number(low)} to {number(high)})" if len(values) > 1 else ""
    return f"{number(middle)}{unit}{spread}"


def number(value: float) -> str:
    """Return a number with as many digits as say something."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def say(text: str) -> None:
    """Show how far a measurement is."""
    print(text, flush=True)
