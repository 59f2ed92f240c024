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


@pytest.mark.parametrize("part", ["serve", "worker"])
def test_a_database_that_cannot_be_reached_is_told(install: Install, part: str) -> None:
    url = f"postgresql+psycopg://nobody:pass-word@{HOST}:1/none"
    said = refusal(install(upgraded=False, DATABASE__URL=url), part)
    assert "the database cannot be reached" in said
    assert "pass-word" not in said


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("SUPPLIER_API__SERVER__PROT", "8081", "SUPPLIER_API__SERVER__PORT"),
        ("SUPPLIER_API__DELIVERY__THREADS", "none", "whole number"),
        ("SUPPLIER_API_PROFILE", "sandpit", "sandbox"),
    ],
)
def test_a_wrong_setting_is_named_with_its_source_and_what_is_allowed(
    install: Install, setting: str, value: str, told: str
) -> None:
    said = refusal(install(upgraded=False), "serve", **{setting: value})
    assert setting in said
    assert re.search(rf"\(environment.*\): .*{told}", said)


def test_a_port_in_use_is_named_with_its_setting(install: Install) -> None:
    installation = install()
    name = "SUPPLIER_API__SERVER__PORT"
    with closing(socket.create_server((HOST, 0))) as taken:
        port = taken.getsockname()[1]
        said = refusal(installation, "serve", **{name: str(port)})
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
