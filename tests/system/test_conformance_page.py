"""The walk-through of docs/conformance-target.md, run as it is written but for the ports."""

import re
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.installation import free_port
from tests.system.test_readme import Terminal
from tests.system.test_run import running

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "conformance-target.md"
WALK = "## A walk-through with curl"


def blocks() -> list[str]:
    """Return the commands of the walk-through, block by block."""
    section = PAGE.read_text(encoding="utf-8").partition(WALK)[2].partition("\n## ")[0]
    return re.findall(r"```bash\n(.*?)```", section, re.DOTALL)


def test_every_command_says_what_the_page_says(tmp_path: Path) -> None:
    ports = {"8080": free_port(), "8090": free_port()}
    ours = {
        "SUPPLIER_API__SERVER__PORT": str(ports["8080"]),
        "SUPPLIER_API__SANDBOX__PORT": str(ports["8090"]),
    }
    with (
        running(tmp_path, "--no-sample", **ours) as run,
        closing(Terminal(tmp_path, ports)) as terminal,
    ):
        run.lines_until("serving")
        for block in blocks():
            printed = terminal.paste(block)
            for problem, status in re.findall(r"^until_is (\S+) ([A-Z_]+)$", block, re.MULTILINE):
                assert problem == "$PROBLEM"
                assert re.search(rf"^problem \d+: {status}$", printed, re.MULTILINE), printed
            for told in re.findall(r"^(?:updates|show .*)  # (.*)$", block, re.MULTILINE):
                assert told in printed, printed
            answered = re.findall(r"HTTP (\d+)$", printed, re.MULTILINE)
            assert answered == re.findall(r"# (\d{3}):", block), printed
