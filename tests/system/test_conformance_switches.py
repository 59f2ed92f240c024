"""The switches of docs/conformance-target.md, run as they are written but for the ports."""

import re
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.installation import free_port
from tests.system.test_conformance_page import PAGE, blocks
from tests.system.test_readme import Terminal
from tests.system.test_run import running

pytestmark = pytest.mark.slow

SECTIONS = (
    "## Time",
    "## Repeatability",
    "## Your own destination",
    "## Waiting",
    "## Faults",
    "## KCIs off the contract",
    "## Journal",
    "## Why was it refused",
)


def switches() -> list[str]:
    """Return the commands of the sections, block by block."""
    page = PAGE.read_text(encoding="utf-8")
    sections = [page.partition(f"\n{name}\n")[2].partition("\n## ")[0] for name in SECTIONS]
    return re.findall(r"```bash\n(.*?)```", "\n".join(sections), re.DOTALL)


def test_every_switch_does_what_the_page_says(tmp_path: Path) -> None:
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
        terminal.paste(blocks()[0])
        for block in switches():
            printed = terminal.paste(block)
            answered = re.findall(r"HTTP (\d+)$", printed, re.MULTILINE)
            assert answered == re.findall(r"# (\d{3}):", block), printed
            for status in re.findall(r"^until_is \S+ ([A-Z_]+)$", block, re.MULTILINE):
                assert re.search(rf"^problem \d+: {status}$", printed, re.MULTILINE), printed
