"""Whatever fails around a command, it ends with one line and an exit code, in every command."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import supplier_api
from supplier_api.cli import main
from tests.commands import run_command
from tests.waiting import PATIENCE

WHY = ("--reason", "because")
BOOK = Path(supplier_api.__file__).parent / "_config" / "rules.yaml"
# Every command, with what it cannot do without. Those of a tenant call a gateway that is not there.
COMMANDS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("run",): (),
    ("serve",): (),
    ("worker",): (),
    ("sandbox",): (),
    ("sandbox", "accept"): ("1",),
    ("sandbox", "amend"): ("1", "--notes", "x"),
    ("sandbox", "cancel"): ("1",),
    ("sandbox", "raise"): (),
    ("sandbox", "reject"): ("1", "--notes", "x"),
    ("sandbox", "scenarios"): (),
    ("sandbox", "watch"): ("1",),
    ("status",): (),
    ("doctor",): (),
    ("incident", "declare"): ("INC1", "--service", "SI0000000000001", *WHY),
    ("incident", "end"): ("INC1", *WHY),
    ("incident", "list"): (),
    ("incident", "show"): ("INC1",),
    ("problem", "event"): ("1", "note"),
    ("problem", "list"): (),
    ("problem", "show"): ("1",),
    ("kci", "edit"): ("SP_X#1", "--set", "text=x", *WHY),
    ("kci", "list"): (),
    ("kci", "replay"): ("SP_X#1", *WHY),
    ("kci", "show"): ("SP_X#1",),
    ("kci", "skip"): ("SP_X#1", *WHY),
    ("work-order", "list"): (),
    ("work-order", "replay"): ("SP_X#1", *WHY),
    ("work-order", "show"): ("SP_X#1",),
    ("work-order", "skip"): ("SP_X#1", *WHY),
    ("delivery", "list"): (),
    ("delivery", "pause"): WHY,
    ("delivery", "resume"): WHY,
    ("inbox", "list"): (),
    ("inbox", "replay"): ("1", *WHY),
    ("inbox", "show"): ("1",),
    ("inbox", "skip"): ("1", *WHY),
    ("inventory", "find"): ("SI0000000000001",),
    ("reconcile",): (),
    ("undecided",): (),
    ("rules", "audited"): ("has-worked-missing",),
    ("rules", "backtest"): (str(BOOK),),
    ("rules", "diff"): (str(BOOK), str(BOOK)),
    ("rules", "hits"): (),
    ("rules", "check"): (),
    ("rules", "explain"): ("request.json",),
    ("rules", "test"): (),
    ("backoffice", "check"): (),
    ("new-adapter",): ("mine", "--into", "."),
    ("plugins",): (),
    ("maintenance", "off"): WHY,
    ("maintenance", "on"): WHY,
    ("maintenance", "show"): (),
    ("privacy", "erase"): ("SP_X", *WHY),
    ("privacy", "export"): ("SP_X",),
    ("privacy", "find"): ("--text", "Smith"),
    ("user", "add"): ("jo", "--role", "viewer", "--password-file", "password", *WHY),
    ("user", "disable"): ("jo", *WHY),
    ("user", "enable"): ("jo", *WHY),
    ("user", "link"): WHY,
    ("user", "list"): (),
    ("user", "password"): ("jo", "--password-file", "password", *WHY),
    ("user", "role"): ("jo", "viewer", *WHY),
    ("user", "sessions"): (),
    ("db", "backup"): ("copy.db",),
    ("db", "reconciled"): WHY,
    ("db", "restamp"): WHY,
    ("db", "restore"): ("copy.db",),
    ("db", "restored"): WHY,
    ("db", "retain"): (),
    ("db", "upgrade"): (),
    ("token",): (),
    ("config", "show"): (),
}
# These have nothing to do with the database, but for what tells of the past.
WITHOUT = {"backoffice", "config", "inventory", "new-adapter", "plugins", "rules", "token"}
PAST = {("rules", "audited"), ("rules", "backtest"), ("rules", "hits")}
# A server, and a whole chain: tests/system/test_play.py.
OF_THEIR_OWN = {("backoffice", "desk"), ("backoffice", "play")}
STAYING = {("run",), ("sandbox",)}
each_command = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return settings with databases in a folder of its own, and nobody at the other end."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "request.json").write_text("{}", encoding="utf-8")
    (tmp_path / "password").write_text("correct horse battery\n", encoding="utf-8")
    return {
        "SUPPLIER_API_DATA_DIR": str(tmp_path / "data"),
        "SUPPLIER_API__SERVER__PORT": "28471",
        "SUPPLIER_API__SANDBOX__PORT": "28472",
    }


@pytest.fixture
def intact(upgraded_sqlite: Path, tmp_path: Path) -> Path:
    """Return the file of the database, whole."""
    file = tmp_path / "data" / "supplier.db"
    file.parent.mkdir()
    shutil.copy(upgraded_sqlite, file)
    return file


def leaves(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every command that can be given."""
    if not isinstance(command, click.Group):
        yield words
        return
    if command.invoke_without_command:
        yield words
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, (*words, name))


def test_every_command_is_tried() -> None:
    assert set(leaves(main)) == set(COMMANDS) | OF_THEIR_OWN


def is_without(command: tuple[str, ...]) -> bool:
    """Return whether a command does without the database."""
    return command[0] in WITHOUT and command not in PAST


def ended(command: tuple[str, ...], environ: dict[str, str], **more: str) -> tuple[int, str]:
    """Give a command and return its exit code and all it said; it must not end by an exception."""
    if command == ("serve",):  # two processes
        done = run_command(command, {**environ, **more})
        assert "Traceback" not in done.output
        return done.exit_code, done.output
    result = CliRunner().invoke(main, [*command, *COMMANDS[command]], env={**environ, **more})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result.exit_code, result.output


def not_a_database(file: Path) -> None:
    file.write_bytes(b"not a database\n" * 1000)


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:20_000])


def damaged(file: Path) -> None:
    """Overwrite every page but the first, as a disk may."""
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)


@pytest.mark.usefixtures("logged")
@each_command
def test_a_broken_file_is_one_line(
    command: tuple[str, ...], environ: dict[str, str], intact: Path
) -> None:
    shutil.copy(intact, "copy.db")
    whole = intact.read_bytes()
    # A web server takes its time to start.
    breakages = [truncated] if command == ("serve",) else [not_a_database, truncated, damaged]
    for breakage in breakages:
        intact.write_bytes(whole)
        breakage(intact)
        shutil.copy(intact, intact.with_name("sandbox.db"))
        if command == ("db", "backup"):
            Path("copy.db").unlink(missing_ok=True)

        code, said = ended(command, environ)

        if is_without(command):
            assert "corrupt" not in said
        elif command == ("db", "restore"):
            assert code == 0, said
        elif command[0] == "sandbox":
            assert code == 1, said
            assert ("sandbox.db: " in said) == (len(command) == 1)
        else:
            assert code == 1, said
            (line,) = [line for line in said.splitlines() if "the file is corrupt" in line]
            assert str(intact) in line


@pytest.mark.usefixtures("logged")
@each_command
def test_what_is_no_database_at_all_is_one_line(
    command: tuple[str, ...], environ: dict[str, str], intact: Path
) -> None:
    shutil.copy(intact, "copy.db")
    if command not in STAYING:  # which make what is missing
        intact.write_bytes(b"")
        said = ended(command, environ)[1]
        assert said.count("Error: ") <= 1
    for file in (intact, intact.with_name("sandbox.db")):
        file.unlink(missing_ok=True)
        file.mkdir()
    if command != ("serve",):
        code, said = ended(command, environ)
        assert said.count("Error: ") <= 1
        assert code == 1 or is_without(command)


@each_command
def test_a_missing_variable_is_told_with_its_name(
    command: tuple[str, ...], environ: dict[str, str]
) -> None:
    code, said = ended(command, environ, SUPPLIER_API_PROFILE="production")

    if command not in {("new-adapter",), ("plugins",), ("rules", "test")}:
        assert code == 1
        assert said.startswith("Error: the settings do not allow a start\n")
        assert "SUPPLIER_API__GATEWAY__CLIENT_SECRET" in said


@each_command
def test_a_database_that_cannot_be_reached_is_one_line(
    command: tuple[str, ...], environ: dict[str, str]
) -> None:
    if command[0] == "sandbox":
        return  # it has a file of its own
    url = "postgresql://me:hidden@127.0.0.1:1/supplier"

    code, said = ended(command, environ, SUPPLIER_API__DATABASE__URL=url)

    assert "hidden" not in said
    if not is_without(command):
        assert code == 1
        assert said.count("Error: ") <= 1


def piped(words: tuple[str, ...], environ: dict[str, str], **streams: Any) -> tuple[int, str]:
    """Run a command as a process whose output goes elsewhere; return code and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "supplier_api.cli", *words],
        env={**os.environ, **environ},
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
        **streams,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", [("config", "show"), ("status", "--json"), ("db", "--help")])
def test_who_stops_reading_ends_it_without_a_word(
    words: tuple[str, ...], environ: dict[str, str], intact: Path
) -> None:
    assert intact.exists()
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert piped(words, environ, stdout=writer) == (141, "")
    finally:
        os.close(writer)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_under_the_output_is_one_line(environ: dict[str, str]) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        found = piped(("config", "show"), environ, stdout=full)
    assert found == (1, "Error: No space left on device\n")


@pytest.mark.usefixtures("intact")
def test_what_is_made_is_for_its_owner_alone(environ: dict[str, str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = tmp_path / "another"
    before = os.umask(0)
    try:
        (data / "supplier.db").chmod(0o666)
        with closing(sqlite3.connect(data / "supplier.db")) as used:
            used.execute("PRAGMA journal_mode=WAL")
            used.execute("CREATE TABLE more (id)")
            (data / "supplier.db-wal").chmod(0o644)
            assert ended(("maintenance", "on"), environ)[0] == 0
            for name in ("supplier.db", "supplier.db-wal", "supplier.db-shm"):
                assert (data / name).stat().st_mode & 0o777 == 0o600, name
        assert ended(("db", "backup"), environ)[0] == 0
        more = {
            "SUPPLIER_API_DATA_DIR": str(made / "data"),
            "SUPPLIER_API__SERVER__HOST": "0.0.0.0",
        }
        assert ended(("db", "upgrade"), environ, **more)[0] == 0
        assert os.umask(0) == 0  # as it was, for whoever called us
    finally:
        os.umask(before)

    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    for each in (made, *made.rglob("*")):
        assert each.stat().st_mode & 0o077 == 0, each
    assert (made / "data" / "secrets.json").exists()
