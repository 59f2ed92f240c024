"""The help of every command ends with an example that can be given as it stands there."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from supplier_api.cli import main
from supplier_api.cli.options import WholeNumberParam


def commands(
    command: click.Command = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command and group there is."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


def parse(words: list[str]) -> None:
    """Read a command line, down to its options, and run nothing."""
    command: click.Command = main
    context = click.Context(main, info_name="supplier-api")
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        assert found is not None, words
        context = click.Context(found, info_name=words.pop(0), parent=context)
        command = found
    command.make_context(context.info_name, words, parent=context.parent).close()


def parameters() -> Iterator[tuple[str, click.Parameter]]:
    """Yield every argument and option there is, each with the words of its command."""
    for path in commands():
        command: click.Command = main
        for name in path:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), name)
            assert found is not None
            command = found
        yield from ((" ".join((*path, each.opts[0])), each) for each in command.params)


def test_every_option_says_what_it_is_for() -> None:
    silent = [
        words for words, each in parameters() if isinstance(each, click.Option) and not each.help
    ]
    assert silent == []


@pytest.mark.parametrize("given", ["99999999999999999999", "-1", "x", "1e3", ""])
def test_a_number_that_nothing_takes_is_wrong_use(given: str) -> None:
    numbers = [each for _, each in parameters() if isinstance(each.type, WholeNumberParam)]
    assert numbers
    for each in numbers:
        with pytest.raises(click.BadParameter, match="expected a whole number from"):
            each.type.convert(given, each, None)


@pytest.mark.parametrize("path", sorted(commands()), ids=" ".join)
def test_help_has_an_example(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("request.json").write_text("{}", encoding="utf-8")
    result = CliRunner().invoke(main, [*path, "--help"], prog_name="supplier-api")
    assert result.exit_code == 0
    _, _, examples = result.output.partition("\n  Example:\n")
    assert examples, f"no example in the help of {' '.join(path)}"
    for line in examples.strip().splitlines():
        words = shlex.split(line)[1:]
        assert tuple(words[: len(path)]) == path
        parse(words)
