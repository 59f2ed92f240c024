"""Times, numbers and reasons as people give them to commands."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click
import pytest

from supplier_api.cli import main
from supplier_api.cli.options import WholeNumberParam, age, instant
from supplier_api.contract.limits import ID_MAX

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


def options(command: click.Command, *path: str) -> Iterator[tuple[str, click.Parameter]]:
    """Yield each option and argument of a command and of those below it, with the path to it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from options(below, *path, name)
    yield from ((f"{' '.join(path)} {param.name}", param) for param in command.params)


ALL = dict(options(main))


# An event may have a reason; a cancellation's is a code.
REASONS = {name for name in ALL if name.endswith(" reason")} - {
    "problem event reason",
    "sandbox cancel reason",
}


@pytest.mark.parametrize("name", sorted(REASONS))
@pytest.mark.parametrize("blank", ["", " "])
def test_a_reason_that_is_recorded_says_something(name: str, blank: str) -> None:
    with pytest.raises(click.BadParameter, match="expected some words"):
        ALL[name].process_value(click.Context(main), blank)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", str(ID_MAX + 1), "9" * 5000])
def test_what_is_no_number_of_a_row_is_wrong_use(text: str) -> None:
    with pytest.raises(click.BadParameter, match=f"expected a whole number from 1 to {ID_MAX}"):
        WholeNumberParam(1).convert(text, None, None)


def test_no_number_is_taken_that_the_database_cannot_hold() -> None:
    assert WholeNumberParam(1).convert(str(ID_MAX), None, None) == ID_MAX
    assert [
        name for name, param in ALL.items() if isinstance(param.type, click.types.IntParamType)
    ] == []
