"""The markup of charts: well-formed, without styles, with every text escaped."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from xml.etree import ElementTree as ET

import pytest
from markupsafe import Markup

from supplier_api.console.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Bars,
    Line,
    Tone,
    bar_chart,
    line_chart,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TIMES = [NOON + timedelta(minutes=number) for number in range(4)]
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</svg><script>\"&'"


def lines(*values: float | None, **options: object) -> Markup:
    return line_chart("Time", TIMES, [Line("p50", values)], **options)  # type: ignore[arg-type]


def texts(chart: Markup) -> list[str]:
    return [each.text or "" for each in ET.fromstring(chart).iter(f"{SVG}text")]


def path(chart: Markup, name: str) -> str:
    """Return the first path of a class."""
    found = ET.fromstring(chart).findall(f"{SVG}path[@class='{name}']")
    return found[0].attrib["d"]


def described(chart: Markup) -> str:
    found = ET.fromstring(chart).find(f"{SVG}desc")
    assert found is not None
    return found.text or ""


CHARTS: dict[str, Callable[[str], Markup]] = {
    "lines": lambda text: line_chart(
        text, TIMES, [Line(text, [1, 2, None, 3])], unit=text, budget=3, logarithmic=True
    ),
    "bars": lambda text: bar_chart(
        text, TIMES, [Bars(text, Tone.OK, [1, 2, 0, 3]), Bars(text, Tone.BAD, [0, 1, 0, 0])]
    ),
    "no lines": lambda text: line_chart(text, TIMES, [Line(text, [None, 0, None, None])]),
    "no bars": lambda text: bar_chart(text, [], []),
}


@pytest.mark.parametrize("name", CHARTS)
def test_the_markup_is_well_formed_and_needs_no_exception_from_the_policy(name: str) -> None:
    chart = CHARTS[name](HOSTILE)

    root = ET.fromstring(chart)
    assert isinstance(chart, Markup)
    assert root.attrib["role"] == "img"
    # The first child names the picture.
    assert (root[0].tag, root[0].text) == (f"{SVG}title", HOSTILE)
    assert root[1].tag == f"{SVG}desc"
    assert root[1].text
    used = {(each.tag.removeprefix(SVG), key) for each in root.iter() for key in each.attrib}
    assert {tag for tag, _ in used} <= {"svg", "path", "text"}
    assert not [key for _, key in used if key in ("style", "id") or key.startswith("on")]
    assert "script" not in {each.tag.removeprefix(SVG) for each in root.iter()}


@pytest.mark.parametrize("name", CHARTS)
def test_every_class_is_one_that_the_style_sheet_knows(name: str) -> None:
    known = r"chart|chart-(line(-\d)?|bar (ok|warn|bad)|axis|label|budget)"
    for each in ET.fromstring(CHARTS[name]("text")).iter():
        assert re.fullmatch(known, each.attrib.get("class", "chart"))


def test_a_line_goes_from_edge_to_edge_and_has_gaps() -> None:
    assert path(lines(0, 10, None, 5), "chart-line") == (
        f"M{LEFT} {BOTTOM}h0L129.3 {TOP}M{RIGHT} 45h0"
    )


def test_the_axis_has_round_numbers_up_to_more_than_the_greatest() -> None:
    for greatest, ticks in (
        (1, ["0", "1", "2"]),
        (7, ["0", "4", "8"]),
        (101, ["0", "60", "120"]),
        (12_345, ["0", "8000", "16k"]),
    ):
        assert texts(lines(0, greatest, 0, 0))[:3] == ticks


def test_milliseconds_become_seconds() -> None:
    assert texts(lines(0, 1500, 0, 0, unit="ms"))[:3] == ["0 ms", "800 ms", "1.6 s"]


def test_a_logarithmic_chart_shows_small_values_beside_a_large_budget() -> None:
    chart = lines(8, 12, 9, 40, unit="ms", budget=3000, logarithmic=True)

    assert texts(chart)[:3] == ["1 ms", "100 ms", "10 s"]
    height = BOTTOM - TOP
    first = float(path(chart, "chart-line").split("h")[0].split()[1])
    assert BOTTOM - first > height / 5
    budget = float(re.search(r" ([\d.]+)H", path(chart, "chart-budget"))[1])  # type: ignore[index]
    assert TOP < budget < TOP + height / 4


def test_on_it_zero_stands_on_the_axis() -> None:
    chart = lines(0, 10, 0, 100, logarithmic=True)
    assert path(chart, "chart-line").startswith(f"M{LEFT} {BOTTOM}h0")


def test_the_budget_is_dashed_within_the_chart_and_named() -> None:
    chart = lines(8, 12, 9, 40, unit="ms", budget=3000)
    assert 'class="chart-budget"' in chart
    assert "stroke-dasharray" in chart
    assert "budget 3 s" in texts(chart)
    assert "budget 3 s." in described(chart)
    assert "chart-budget" not in lines(8, 12, 9, 40)


def test_times_are_those_of_utc_at_both_ends_and_in_the_middle() -> None:
    east = timezone(timedelta(hours=1))
    times = [at.astimezone(east) for at in TIMES]
    chart = line_chart("Time", times, [Line("p50", [1, 2, 3, 4])])
    assert {"12:00", "12:02", "12:03 UTC"} <= set(texts(chart))


def test_figures_are_told_to_who_does_not_see() -> None:
    assert described(lines(0, 10, None, 5)) == (
        "From 12:00 to 12:03 UTC. p50: 5 at last, 10 at most."
    )


def test_bars_stand_on_each_other() -> None:
    parts = [Bars("2xx", Tone.OK, [2, 0, 4, 0]), Bars("5xx", Tone.BAD, [2, 1, 0, 0])]
    chart = bar_chart("Answers", TIMES, parts)

    # Four at most: the axis goes to 4.
    middle = (BOTTOM + TOP) // 2
    ok, bad = path(chart, "chart-bar ok"), path(chart, "chart-bar bad")
    assert re.findall(r"M\S+ (\S+?)V(\S+?)h", ok) == [
        (str(BOTTOM), str(middle)),
        (str(BOTTOM), str(TOP)),
    ]
    assert re.findall(r"M\S+ (\S+?)V(\S+?)h", bad) == [
        (str(middle), str(TOP)),
        (str(BOTTOM), "59.5"),
    ]
    assert [each for each in texts(chart) if each.endswith("xx")] == ["2xx", "5xx"]


@pytest.mark.parametrize("name", ["no lines", "no bars"])
def test_a_chart_of_nothing_says_so(name: str) -> None:
    chart = CHARTS[name]("text")
    assert "nothing yet" in texts(chart)
    assert described(chart).endswith("nothing yet.")


def test_a_line_with_nothing_to_show_beside_one_that_has_something() -> None:
    chart = line_chart("Time", TIMES, [Line("a", [1, 2, 3, 4]), Line("b", [None] * 4)])
    assert path(chart, "chart-line-2") == ""
    assert "b: nothing yet." in described(chart)


def test_values_must_match_the_times_and_each_other() -> None:
    with pytest.raises(ValueError, match="shorter"):
        bar_chart("x", TIMES, [Bars("a", Tone.OK, [1, 2, 3, 4]), Bars("b", Tone.OK, [1, 2])])


def test_a_day_of_bars_is_small() -> None:
    many = [float(number % 7 + 1) for number in range(96)]
    times = [NOON + timedelta(minutes=15 * number) for number in range(96)]
    parts = [Bars("2xx", Tone.OK, many), Bars("4xx", Tone.WARN, many), Bars("5xx", Tone.BAD, many)]
    assert len(bar_chart("Answers", times, parts)) < 10_000
