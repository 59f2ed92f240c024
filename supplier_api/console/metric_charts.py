"""The charts of what the processes count, and the figures that stand beside them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from supplier_api.console.charts import Bars, Line, Tone, bar_chart, line_chart
from supplier_api.db import UnitOfWork
from supplier_api.operations.metric_samples import MetricPoint, rounded_down, series

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Span:
    """How far back charts go, and how much time a point of theirs stands for."""

    name: str
    length: timedelta
    step: timedelta


# Samples older than an hour are of five minutes: shorter steps would say nothing.
SPANS = (
    Span("Last hour", timedelta(hours=1), MINUTE),
    Span("Last day", timedelta(days=1), timedelta(minutes=15)),
)


@dataclass(frozen=True, slots=True)
class SpanCharts:
    """The charts of a span with their captions, its answers by code, and the minutes of a point."""

    name: str
    charts: Sequence[tuple[str, Markup]]
    codes: Mapping[int, int]
    requests: int
    minutes: int


def charts_of(uow: UnitOfWork, span: Span, now: datetime, budget: float) -> SpanCharts:
    """Return the charts until `now` (machine time) without the step that is not over yet.

    `budget` is that of an answer, in seconds.
    """
    until = rounded_down(now, span.step)
    points = series(uow, until - span.length, until, span.step)
    codes: Counter[int] = Counter()
    for point in points:
        codes.update(point.codes)
    minutes = span.step // MINUTE
    made = list(_charts(points, minutes, budget * 1000))
    return SpanCharts(span.name, made, dict(sorted(codes.items())), sum(codes.values()), minutes)


def _charts(
    points: Sequence[MetricPoint], minutes: int, budget: float
) -> Iterator[tuple[str, Markup]]:
    times = [point.at for point in points]

    def rates(counted: Callable[[MetricPoint], int]) -> list[float]:
        return [round(counted(point) / minutes, 2) for point in points]

    answers = [
        Bars("2xx", Tone.OK, rates(lambda each: _answered(each, 200))),
        Bars("4xx", Tone.WARN, rates(lambda each: _answered(each, 400))),
        Bars("5xx, unread", Tone.BAD, rates(lambda each: _answered(each, 500) + each.unread)),
    ]
    yield "Requests a minute", bar_chart("Requests a minute, by answer", times, answers)
    lines = [
        Line("p50", [point.p50 for point in points]),
        Line("p99", [point.p99 for point in points]),
    ]
    title, caption = "Answer times", "Answer time, p50 and p99"
    chart = line_chart(title, times, lines, unit="ms", budget=budget, logarithmic=True)
    yield caption, chart
    kcis = [
        Bars("delivered", Tone.OK, rates(lambda each: each.kcis.delivered)),
        Bars("tried again", Tone.WARN, rates(lambda each: each.kcis.retried)),
        Bars("refused", Tone.BAD, rates(lambda each: each.kcis.refused)),
    ]
    yield "KCIs a minute", bar_chart("KCIs a minute, by outcome", times, kcis)


def _answered(point: MetricPoint, first: int) -> int:
    """Return how many answers had a status of the hundred that begins with `first`."""
    return sum(count for code, count in point.codes.items() if first <= code < first + 100)
