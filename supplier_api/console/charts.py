"""Charts as SVG, drawn by the server: small, and readable without a style sheet or a script.

Colours come from the style sheet, by classes: `chart-line` (`chart-line-2` for a second one),
`chart-bar` with `ok`, `warn` or `bad`, `chart-axis`, `chart-label`, `chart-budget`. There are no
styles in the markup, which the content security policy would forbid. Screen readers are given the
title and the figures that matter.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import count
from math import ceil, floor, log10

from markupsafe import Markup

WIDTH, HEIGHT = 320, 90
LEFT, RIGHT, TOP, BOTTOM = 36, 316, 16, 74  # the area of lines and bars
TEXT = 8  # the size of letters
LETTER = 4.4  # about the width of one
SWATCH = 6  # the size of what the legend shows of a line or bar
GAP = 0.2  # the share of a bar's place that is left free
# The tick in the middle is one of these, or 10, 100, ... times as much.
ROUND = (1, 2, 3, 4, 5, 6, 8)
EMPTY = "nothing yet"
_STROKE = Markup('fill="none" stroke="currentColor" stroke-linecap="round" stroke-width="1.5"')
_THIN = Markup('fill="none" stroke="currentColor" stroke-width="0.5"')
_DASHED = Markup('fill="none" stroke="currentColor" stroke-dasharray="4 2"')
_FILL = Markup('fill="currentColor"')


class Tone(StrEnum):
    """How good or bad is what a bar counts."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart: a value for each of its times, None where there is none."""

    label: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Bars:
    """A part of each bar of a chart, above the parts before: a value for each of its times."""

    label: str
    tone: Tone
    values: Sequence[float]


def line_chart(
    title: str,
    times: Sequence[datetime],
    lines: Sequence[Line],
    *,
    unit: str = "",
    budget: float | None = None,
    logarithmic: bool = False,
) -> Markup:
    """Return lines over time; each has a value for each of the times (aware, shown in UTC).

    `budget` is drawn as a dashed line. `unit` is written behind numbers; `ms` from 1000 on as
    seconds. A logarithmic chart shows small values beside a large budget.
    """
    known = [[value for value in line.values if value is not None] for line in lines]
    drawn = [value for values in known for value in values if value]
    if not drawn:
        return _empty(title, times)
    ends = [*drawn, *([budget] if budget else [])]
    scale = _logarithmic(ends) if logarithmic else _linear(max(ends))
    parts, figures, legend = [*_y_axis(scale, unit)], [], []
    for number, line in enumerate(lines):
        name = f"chart-line-{number + 1}" if number else "chart-line"
        parts.append(_path(name, _line_path(line.values, scale), _STROKE))
        figures.append(f"{line.label}: {_figures(known[number], unit)}.")
        legend.append((line.label, name, _STROKE))
    if budget:
        said = f"budget {_number(budget, unit)}"
        across = f"M{LEFT} {_at(scale.y(budget))}H{RIGHT}"
        parts.append(_path("chart-budget", across, _DASHED))
        figures.append(f"{said}.")
        legend.append((said, "chart-budget", _DASHED))
    parts.extend(_legend(legend))
    return _chart(title, times, parts, figures)


def bar_chart(
    title: str, times: Sequence[datetime], bars: Sequence[Bars], *, unit: str = ""
) -> Markup:
    """Return stacked bars over time; each part has a value for each of the times (aware)."""
    totals = [sum(values) for values in zip(*(each.values for each in bars), strict=True)]
    if not any(totals):
        return _empty(title, times)
    scale = _linear(max(totals))
    parts, figures, legend = [*_y_axis(scale, unit)], [], []
    lower = [0.0] * len(times)
    for each in bars:
        upper = [below + value for below, value in zip(lower, each.values, strict=True)]
        name = f"chart-bar {each.tone}"
        parts.append(_path(name, _bars_path(lower, upper, scale), _FILL))
        figures.append(f"{each.label}: {_figures(each.values, unit)}.")
        legend.append((each.label, name, _FILL))
        lower = upper
    parts.extend(_legend(legend))
    return _chart(title, times, parts, figures)


# -- the scale of values


@dataclass(frozen=True, slots=True)
class _Scale:
    """The values at the bottom and at the top of a chart, and those that are written beside it."""

    low: float
    high: float
    ticks: Sequence[float]
    by_log: bool = False

    def y(self, value: float) -> float:
        """Return where a value is drawn."""
        share = value / self.high
        if self.by_log:
            above = log10(max(value, self.low) / self.low)
            share = above / log10(self.high / self.low)
        return BOTTOM - share * (BOTTOM - TOP)


def _linear(most: float) -> _Scale:
    """Return a scale from 0 to a round number that is `most` or more, with a tick in the middle."""
    steps = (digit * 10**power for power in count() for digit in ROUND)
    middle = next(step for step in steps if 2 * step >= most)
    return _Scale(0, 2 * middle, (0, middle, 2 * middle))


def _logarithmic(values: Sequence[float]) -> _Scale:
    """Return a scale from one power of ten to another, with two or three ticks."""
    low = floor(log10(min(values)))
    high = max(ceil(log10(max(values))), low + 1)
    ticks = [10.0**power for power in range(low, high + 1, ceil((high - low) / 2))]
    return _Scale(10.0**low, 10.0**high, ticks, by_log=True)


def _y_axis(scale: _Scale, unit: str) -> Iterator[Markup]:
    for tick in scale.ticks:
        y = _at(scale.y(tick))
        yield _path("chart-axis", f"M{LEFT} {y}H{RIGHT}", _THIN)
        yield _text(_number(tick, unit), LEFT - 3, scale.y(tick) + TEXT / 3, "end")


# -- what is drawn


def _line_path(values: Sequence[float | None], scale: _Scale) -> str:
    """Return the path of a line with gaps; a value between two gaps is a dot."""
    step = (RIGHT - LEFT) / max(1, len(values) - 1)
    path, joined = "", False
    for number, value in enumerate(values):
        if value is not None:
            point = f"{_at(LEFT + number * step)} {_at(scale.y(value))}"
            path += f"L{point}" if joined else f"M{point}h0"
        joined = value is not None
    return path


def _bars_path(lower: Sequence[float], upper: Sequence[float], scale: _Scale) -> str:
    """Return one path for a part of all bars: each costs some twenty bytes."""
    place = (RIGHT - LEFT) / len(lower)
    width = _at(place * (1 - GAP))
    return "".join(
        f"M{_at(LEFT + place * (number + GAP / 2))} {_at(scale.y(bottom))}"
        f"V{_at(scale.y(top))}h{width}V{_at(scale.y(bottom))}z"
        for number, (bottom, top) in enumerate(zip(lower, upper, strict=True))
        if top > bottom
    )


def _legend(entries: Iterable[tuple[str, str, Markup]]) -> Iterator[Markup]:
    """Yield label after label above the chart, each behind a piece of its line or bar."""
    x, y = float(LEFT), TEXT - 1
    for label, name, attributes in entries:
        piece = f"M{_at(x)} {y}v-{SWATCH}h{SWATCH}v{SWATCH}z"
        if attributes is not _FILL:
            piece = f"M{_at(x)} {y - SWATCH / 2}h{SWATCH}"
        yield _path(name, piece, attributes)
        yield _text(label, x + SWATCH + 3, y, "start")
        x += SWATCH + 12 + LETTER * len(label)


def _empty(title: str, times: Sequence[datetime]) -> Markup:
    axis = _path("chart-axis", f"M{LEFT} {BOTTOM}H{RIGHT}", _THIN)
    said = _text(EMPTY, (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2, "middle")
    return _chart(title, times, [axis, said], [f"{EMPTY}."])


def _chart(
    title: str, times: Sequence[datetime], parts: Iterable[Markup], figures: Iterable[str]
) -> Markup:
    """Return a chart with its times below: the first, the one in the middle, and the last."""
    shown = [f"{at.astimezone(UTC):%H:%M}" for at in times]
    labels, span = [], ""
    if shown:
        y = HEIGHT - 4
        labels = [_text(shown[0], LEFT, y, "start"), _text(f"{shown[-1]} UTC", RIGHT, y, "end")]
        if len(shown) > 2:
            middle = len(shown) // 2
            x = LEFT + (RIGHT - LEFT) * middle / (len(shown) - 1)
            labels.append(_text(shown[middle], x, y, "middle"))
        span = f"From {shown[0]} to {shown[-1]} UTC. "
    return _svg(WIDTH, HEIGHT, title, span + " ".join(figures), [*parts, *labels])


def _svg(width: int, height: int, title: str, description: str, parts: Iterable[Markup]) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" xmlns="http://www.w3.org/2000/svg">'
        "<title>{}</title><desc>{}</desc>{}</svg>"
    ).format(width, height, title, description, Markup("").join(parts))


def _path(name: str, path: str, attributes: Markup) -> Markup:
    return Markup('<path class="{}" d="{}" {}/>').format(name, path, attributes)


def _text(text: str, x: float, y: float, anchor: str) -> Markup:
    return Markup(
        '<text class="chart-label" x="{}" y="{}" font-size="{}" text-anchor="{}"'
        ' fill="currentColor">{}</text>'
    ).format(_at(x), _at(y), TEXT, anchor, text)


# -- numbers


def _at(position: float) -> str:
    """Write a position as shortly as can be."""
    return f"{position:.1f}".removesuffix(".0")


def _number(value: float, unit: str) -> str:
    """Write a number for people, with its unit: `12`, `1.5k`, `250 ms`, `3 s`."""
    if unit == "ms" and value >= 1000:
        value, unit = value / 1000, "s"
    elif value >= 10_000:
        return f"{value / 1000:.4g}k {unit}".rstrip()
    return f"{value:.4g} {unit}".rstrip()


def _figures(values: Sequence[float], unit: str) -> str:
    """Say the last and the greatest of some values."""
    if not values:
        return EMPTY
    return f"{_number(values[-1], unit)} at last, {_number(max(values), unit)} at most"
