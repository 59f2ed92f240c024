"""The README's walk through every outcome, run as it is written.

The commands are the README's; only the ports are others, and the simulated back office is a hundred
times as fast: the commands have to work for a reader who is slow, too. What a line says it is
answered (`# 201`) is what it has to be answered.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.system.installation import free_port
from tests.system.test_run import running

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WALK = "## A walk through every outcome"
END = "-- end of what was pasted --"
START = re.compile(r"^(?P<settings>(?:[A-Z_]+=\S+ )*)make run$", re.MULTILINE)


def blocks() -> list[str]:
    """Return the commands of the walk, block by block."""
    section = (ROOT / "README.md").read_text().partition(WALK)[2].partition("\n## ")[0]
    return re.findall(r"```bash\n(.*?)```", section, re.DOTALL)


def sessions() -> list[tuple[dict[str, str], str]]:
    """Return what is run between two starts, each with the settings that its start names."""
    found: list[tuple[dict[str, str], str]] = [({}, "")]
    for block in blocks():
        start = START.search(block)
        if start:
            words = start["settings"].split()
            found.append((dict(word.split("=", 1) for word in words), ""))
        else:
            settings, commands = found[-1]
            found[-1] = (settings, commands + block)
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder in which the README's paths hold."""
    (tmp_path / "config").symlink_to(ROOT / "config")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/bin").symlink_to(Path(sys.executable).parent)
    return tmp_path


class Terminal:
    """A shell that is kept open, as the reader's is: what one block defines, the next may use."""

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        self._ports = ports
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def paste(self, commands: str) -> str:
        """Run the commands as they stand, but for the ports; return what they print."""
        for written, port in self._ports.items():
            commands = commands.replace(f"127.0.0.1:{written}", f"127.0.0.1:{port}")
        shell = self._shell
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write(f"{commands}\necho {END}\n")
        shell.stdin.flush()
        return "".join(iter(shell.stdout.readline, f"{END}\n"))

    def close(self) -> None:
        """End the shell."""
        self._shell.communicate()


@pytest.fixture
def terminal(checkout: Path, ports: Mapping[str, int]) -> Iterator[Terminal]:
    opened = Terminal(checkout, ports)
    yield opened
    opened.close()


@pytest.fixture
def ports() -> Mapping[str, int]:
    """Return free ports for those that the README names."""
    return {"8080": free_port(), "8090": free_port()}


def test_the_walk(
    checkout: Path, ports: Mapping[str, int], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {
        "SUPPLIER_API__BACKOFFICE__PACE": "0.01",
        "SUPPLIER_API__SERVER__PORT": str(ports["8080"]),
        "SUPPLIER_API__SANDBOX__PORT": str(ports["8090"]),
    }
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    (_, first), (settings, second) = sessions()

    with running(checkout, "--no-sample", **ours) as run:
        run.lines_until("serving")
        printed = terminal.paste(first)
        run.stop()

    answered = re.findall(r"^HTTP (\d+)$", printed, re.MULTILINE)
    assert answered == re.findall(r"# (\d{3})\b", first), printed
    assert {"200", "201", "400", "401", "422"} <= set(answered)
    assert re.search(r"^SP_\w+  COMPLETED$", printed, re.MULTILINE), printed

    with running(checkout, "--no-sample", **ours, **settings) as run:
        run.lines_until("serving")
        printed = terminal.paste(second)

    assert "answered 202  defer (rule: outages-by-hand)" in printed
