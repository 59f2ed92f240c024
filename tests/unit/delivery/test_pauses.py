"""How long pauses held a message back."""

from datetime import UTC, datetime, timedelta

import pytest

from supplier_api.outbox.pauses import time_within

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("spans", "hours"),
    [
        ([], 0),
        ([(1, 2)], 1),
        ([(-5, 2)], 2),  # begun before
        ([(8, 30)], 2),  # to end after
        ([(8, None)], 2),  # without an end
        ([(-5, None)], 10),
        ([(1, 3), (2, 4)], 3),  # together
        ([(2, 4), (1, 3)], 3),
        ([(1, 8), (2, 3)], 7),  # one within the other
        ([(1, 2), (4, 6)], 3),
        ([(-5, -1), (12, 14)], 0),
    ],
)
def test_spans_are_counted_once_and_only_within(
    spans: list[tuple[float, float | None]], hours: float
) -> None:
    given = [(at(since), None if until is None else at(until)) for since, until in spans]
    assert time_within(given, NOON, at(10)) == timedelta(hours=hours)
