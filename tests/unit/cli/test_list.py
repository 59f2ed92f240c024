"""The list of commands: all of them, and none imported for it; what a command imports itself."""

import subprocess
import sys
from collections.abc import Collection

import click
from click.testing import CliRunner

from supplier_api.cli import COMMANDS, main

HEAVY = ("flask", "pydantic", "sqlalchemy", "requests")
LIST = """
from supplier_api.cli import main
main(["--help"], standalone_mode=False)
"""
LOADED = """
import sys
print([name for name in {} if name in sys.modules])
"""


def loaded(program: str, modules: Collection[str]) -> str:
    """Run the program in a process of its own; return which of the modules it has imported."""
    words = [sys.executable, "-c", program + LOADED.format(modules)]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return told.splitlines()[-1]


def test_the_list_names_every_command() -> None:
    told = CliRunner().invoke(main, ["--help"]).output

    for name, command in COMMANDS.items():
        assert f"  {name} " in told
        assert command.summary in told


def test_every_command_of_the_list_can_be_loaded() -> None:
    context = click.Context(main)

    assert [name for name in COMMANDS if main.get_command(context, name) is None] == []


def test_the_list_is_printed_without_a_look_at_the_commands() -> None:
    assert loaded(LIST, HEAVY) == "[]"


def test_who_looks_at_the_database_loads_no_web_server() -> None:
    names = ["status", "kci", "work_order", "delivery", "maintenance", "doctor", "db", "problem"]
    imports = "\n".join(f"import supplier_api.cli.{name}" for name in names)
    assert loaded(imports, ["flask", "psycopg"]) == "[]"
