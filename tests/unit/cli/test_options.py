"""Times as people give them to commands."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from supplier_api.cli.options import age, instant

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("12h", NOW - timedelta(hours=12)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-01-05T12:00:00+01:00", NOW - timedelta(hours=1)),
        ("2026-01-05T12:00:00.000Z", NOW),
    ],
)
def test_an_instant_is_a_date_time_or_an_age(text: str, expected: datetime) -> None:
    assert instant(text, NOW, "--since") == expected


def test_no_instant_stays_none() -> None:
    assert instant(None, NOW, "--since") is None


@pytest.mark.parametrize("text", ["", "soon", "12", "999999d", "2026-01-05T12:00:00", "-3d"])
def test_what_is_no_time_is_told_with_the_option(text: str) -> None:
    for read in (lambda: instant(text, NOW, "--since"), lambda: age(text, "--since")):
        with pytest.raises(click.BadParameter) as told:
            read()
        assert told.value.param_hint == "--since"
        assert "expected" in told.value.message
