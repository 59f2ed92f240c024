"""The commands that the pages for operators name can be given as they stand there."""

import re
import shlex
from pathlib import Path

import click
import pytest

from supplier_api.cli import main

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ["install.md", "onboarding.md", "operations.md"]
NAMED = re.compile(r"^ +supplier-api (.+)$|`supplier-api ([^`]+)`", re.MULTILINE)
# As the shell has it: a word may have a # inside.
REMARK = re.compile(r"\s#")
# Of which one of several is meant: what stands between bars, in brackets, or dots.
ONE_OF_MANY = re.compile(r"[|\[\]]|\.\.\.$")


def commands() -> list[str]:
    """Return every command of the pages, without what is said behind it."""
    text = "\n".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES)
    found = {REMARK.split(block or quoted)[0].strip() for block, quoted in NAMED.findall(text)}
    return sorted(command for command in found if not ONE_OF_MANY.search(command))


@pytest.mark.parametrize("words", commands())
def test_a_documented_command_exists(words: str) -> None:
    """Parse it, down to its options, and run nothing."""
    command: click.Command = main
    context = click.Context(main, info_name="supplier-api")
    arguments = shlex.split(words)
    while isinstance(command, click.Group) and arguments:
        found = command.get_command(context, arguments[0])
        assert found is not None, f"there is no {words}"
        context = click.Context(found, info_name=arguments.pop(0), parent=context)
        command = found
    if arguments:
        command.make_context(context.info_name, arguments)


def test_the_pages_name_commands() -> None:
    assert {"status", "doctor", "doctor --connect", "db upgrade"} <= set(commands())
