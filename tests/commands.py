"""Runs commands of the supplier."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from click.testing import CliRunner, Result

from supplier_api.cli import main
from tests.waiting import PATIENCE


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """All that it said."""
        return self.stdout + self.stderr


class Command:
    """`supplier-api` and the first words of a command, run here by somebody (`by`)."""

    def __init__(self, environ: Mapping[str, str], *first: str, by: str | None = "jo") -> None:
        who = {"SUPPLIER_API_OPERATOR": by} if by else {}
        self._environ, self._first = {**environ, **who}, first

    def __call__(self, *words: object, **more: str) -> Result:
        """Run it with further words, and further settings."""
        given = [*self._first, *map(str, words)]
        environ = {**self._environ, **more}
        return CliRunner().invoke(main, given, env=environ, prog_name="supplier-api")

    def ok(self, *words: object) -> str:
        """Run it and return what it prints; it must succeed."""
        result = self(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    def refused(self, *words: object) -> str:
        """Run it and return what it says; it must refuse."""
        result = self(*words)
        assert result.exit_code == 1, result.output
        return result.stderr


def run_command(words: tuple[str, ...], environ: Mapping[str, str]) -> Ran:
    """Run a command to its end; a web server, which consists of two processes, in its own.

    In the sandbox profile, unless another is named.
    """
    environ = {"SUPPLIER_API_PROFILE": "sandbox", **environ}
    if words[0] == "serve":
        done = subprocess.run(
            [sys.executable, "-m", "supplier_api.cli", *words],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)
    result = CliRunner().invoke(main, words, env=environ, prog_name="supplier-api")
    return Ran(result.exit_code, result.stdout, result.stderr)
