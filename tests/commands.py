"""Runs commands of the supplier."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from click.testing import CliRunner

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
