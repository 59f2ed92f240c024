"""What stops a start is told in a few lines that say what to do."""

import re
import socket
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.conftest import Install
from tests.system.installation import HOST, Installation


def refusal(installation: Installation, *words: str, **environ: str) -> str:
    """Run a command that has to refuse; return what it says."""
    done = installation.run(*words, **environ)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("part", ["serve", "worker"])
def test_a_database_without_schema_names_the_command(install: Install, part: str) -> None:
    installation = install(upgraded=False)
    assert "run `supplier-api db upgrade`" in refusal(installation, part)
    installation.told("db", "upgrade")
    installation.start(part)


@pytest.mark.parametrize("part", ["serve", "worker"])
def test_a_database_that_cannot_be_reached_is_told(install: Install, part: str) -> None:
    installation = install(
        upgraded=False, DATABASE__URL=f"postgresql+psycopg://nobody:pass-word@{HOST}:1/none"
    )
    said = refusal(installation, part)
    assert "the database cannot be reached" in said
    assert "pass-word" not in said


@pytest.mark.parametrize("part", ["serve", "worker", "sandbox"])
def test_wrong_settings_are_all_named(install: Install, part: str) -> None:
    installation = install(upgraded=False)
    said = refusal(
        installation,
        part,
        SUPPLIER_API__SERVER__PROT="8081",
        SUPPLIER_API__DELIVERY__THREADS="none",
    )
    assert re.search(r"SERVER__PROT.*PORT", said)
    assert "DELIVERY__THREADS" in said


@pytest.mark.parametrize(("part", "section"), [("serve", "SERVER"), ("sandbox", "SANDBOX")])
def test_a_port_in_use_is_named_with_the_setting(
    install: Install, part: str, section: str
) -> None:
    installation = install()
    with closing(socket.create_server((HOST, 0))) as taken:
        port = taken.getsockname()[1]
        name = f"SUPPLIER_API__{section}__PORT"
        said = refusal(installation, part, **{name: str(port)})
    assert re.search(rf"{port} is in use.*{name}", said)


def test_a_typing_error_in_the_rule_book_is_placed(install: Install, tmp_path: Path) -> None:
    installation = install()
    book = tmp_path / "typing-error.yaml"
    book.write_text(
        "version: 1\n"
        "default: {problem: acknowledge, amendment: commit, cancellation: commit}\n"
        "rules:\n"
        "  - id: first\n"
        "    applies_to: [problem]\n"
        "    when: service.stat == 'live'\n"
        "    then: defer\n",
        encoding="utf-8",
    )
    said = refusal(installation, "serve", SUPPLIER_API__RULES__FILE=str(book))
    assert re.search(r"typing-error\.yaml:6:\d+: .*stat", said)
