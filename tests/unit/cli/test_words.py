"""What is no text in UTF-8 is refused by every command, wherever it is given."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from supplier_api.cli import main
from tests.unit.cli.test_help import parameters

# As Python gives the byte FF of a command line, or of the environment.
NO_TEXT = "jo\udcff"


def lines() -> Iterator[tuple[str, ...]]:
    """Yield a command line for each argument and each option with a value that there is."""
    for words, parameter in parameters():
        *path, name = words.split(" ")
        if not isinstance(parameter, click.Option):
            yield (*path, NO_TEXT)
        elif not parameter.is_flag:
            yield (*path, name, NO_TEXT)
            yield (*path, f"{name}={NO_TEXT}")


@pytest.mark.parametrize("words", sorted(set(lines())), ids=lambda words: ascii(" ".join(words)))
def test_what_is_no_text_is_wrong_use_in_a_line(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, words)

    assert result.exit_code == 2
    assert result.output == f"Error: argument {len(words)} is not UTF-8 text\n"


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("SUPPLIER_API_OPERATOR", "SUPPLIER_API_OPERATOR"),
        ("SUPPLIER_API__ENVIRONMENT", "SUPPLIER_API__ENVIRONMENT"),
        ("SUPPLIER_API__\udcff", r"SUPPLIER_API__\udcff"),
    ],
)
def test_a_variable_that_is_no_text_is_wrong_use_in_a_line(variable: str, told: str) -> None:
    result = CliRunner().invoke(main, ["config", "show"], env={variable: NO_TEXT})

    assert result.exit_code == 2
    assert result.output == f"Error: {told} is not UTF-8 text\n"


def test_text_of_any_language_is_taken() -> None:
    result = CliRunner().invoke(main, ["config", "Müller 日本 🙂"])

    assert "No such command 'Müller 日本 🙂'" in result.output
