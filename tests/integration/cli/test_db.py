"""`supplier-api db upgrade`, and what the other commands say before it was run."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from supplier_api.db import migrate
from tests.commands import Ran, run_command

Run = Callable[..., Ran]


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Run:
    """Return what runs a command on an empty database, once for each engine."""

    def run(*words: str, **more: str) -> Ran:
        environ = {
            "SUPPLIER_API_DATA_DIR": str(tmp_path),
            "SUPPLIER_API__DATABASE__URL": database_url,
            "SUPPLIER_API__SERVER__PORT": "0",
            **more,
        }
        return run_command(words, environ)

    return run


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_an_upgrade_makes_the_tables_and_then_has_nothing_to_do(run: Run) -> None:
    result = run("db", "upgrade")
    assert (result.exit_code, result.stdout) == (0, f"schema (none) -> {migrate.head()}\n")
    result = run("db", "upgrade")
    assert (result.exit_code, result.stdout) == (0, f"schema {migrate.head()}, nothing to do\n")
    assert run("problem", "list").exit_code == 0


@pytest.mark.usefixtures("logged")  # a server configures the logs as it starts
@pytest.mark.parametrize("words", [("problem", "list"), ("problem", "show", "1"), ("serve",)])
def test_without_the_tables_a_command_names_the_one_that_makes_them(
    run: Run, words: tuple[str, ...]
) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: the database has no schema yet, this version needs {migrate.head()}:"
        " run `supplier-api db upgrade`\n"
    )


@on_sqlite
def test_the_folder_of_the_file_is_made(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "not" / "yet" / "there.db"
    result = run("db", "upgrade", SUPPLIER_API__DATABASE__URL=f"sqlite:///{file}")
    assert result.exit_code == 0, result.output
    assert file.exists()


@on_sqlite
@pytest.mark.parametrize("command", [("db", "upgrade"), ("problem", "list")])
def test_a_database_that_cannot_be_reached_is_told_in_a_line(
    run: Run, command: tuple[str, ...]
) -> None:
    nowhere = "postgresql+psycopg://somebody:secret@127.0.0.1:1/supplier"
    result = run(*command, SUPPLIER_API__DATABASE__URL=nowhere)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the database cannot be reached")
    assert "secret" not in result.stderr
    assert "Traceback" not in result.output


@on_sqlite
def test_wrong_settings_are_told_without_a_trace(run: Run) -> None:
    result = run("db", "upgrade", SUPPLIER_API__SERVER__PROT="1")
    assert result.exit_code == 1
    assert "SUPPLIER_API__SERVER__PROT" in result.stderr


@on_sqlite
@pytest.mark.parametrize(
    "words",
    [
        ("db", "downgrade"),
        ("db", "upgrade", "now"),
        ("db", "retain", "--dry-run", "--vacuum"),
        ("bd",),
    ],
)
def test_wrong_use_exits_with_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_what_is_old_is_counted_and_taken_away(run: Run) -> None:
    assert run("db", "upgrade").exit_code == 0
    counted = run("db", "retain", "--dry-run")
    assert counted.exit_code == 0, counted.output
    assert counted.stdout.splitlines()[:2] == ["thinned          0", "pruned           0"]
    taken = run("db", "retain", "--vacuum", "--json")
    assert json.loads(taken.stdout)["refused_pruned"] == 0


@on_sqlite
def test_a_copy_of_the_future_is_wrong_use(run: Run) -> None:
    assert run("db", "upgrade").exit_code == 0
    noted = run("db", "restored", "--taken", "9999-12-31T23:59:59Z", "--reason", "a typo")
    assert noted.exit_code == 2
    assert "Invalid value for --taken: expected a time that is past" in noted.stderr
