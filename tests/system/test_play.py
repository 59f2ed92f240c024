"""The whole course through the sample desk, as processes; and the desk through its restarts."""

import os
import re
import subprocess
import sys
from pathlib import Path
from sysconfig import get_path

import pytest
import requests

from supplier_api.cli.local import free_port
from tests.system.waiting import eventually

pytestmark = pytest.mark.slow

COURSE = """
tenant raises a problem: ACKNOWLEDGED
office work on it: IN_PROGRESS
office ask the customer: PENDING
tenant amends it: IN_PROGRESS
office work on it: IN_PROGRESS
office have it wait: HELD
office work on it: IN_PROGRESS
office resolve it: RESOLVED
tenant rejects the resolution: IN_PROGRESS
office resolve it: RESOLVED
tenant accepts the resolution: COMPLETED
tenant raises a problem: ACKNOWLEDGED
office work on it: IN_PROGRESS
tenant asks for its cancellation: PENDING_CANCELLATION
office accept the cancellation: CANCELLED
"""


@pytest.mark.parametrize("adapter", ["sample-desk", "http"])
def test_the_whole_course(tmp_path: Path, adapter: str) -> None:
    words = ["backoffice", "play", "--sample-desk", "--through", adapter]
    done = subprocess.run(
        [sys.executable, "-m", "supplier_api.cli", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    *steps, last = [line.split() for line in done.stdout.splitlines()]
    said = [f"{step[1]} {' '.join(step[2:-2])}: {step[-2]}" for step in steps]
    assert said == COURSE.split("\n")[1:-1]
    assert last[0] == "done:"


def test_the_afternoon_of_the_page(tmp_path: Path) -> None:
    """Each command as the page has it, in an environment where nothing of it is installed."""
    page = (Path(__file__).parents[2] / "docs" / "back-office.md").read_text(encoding="utf-8")
    section = page.partition("## One afternoon")[2]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found
    environ = {**os.environ, "PATH": f"{empty_environment(tmp_path)}:{os.environ['PATH']}"}

    done = subprocess.run(
        ["/bin/sh", "-ec", found[1]],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "14 passed" in done.stdout
    assert done.stdout.endswith("all seen at the gateway\n")


def empty_environment(folder: Path) -> Path:
    """Make an environment of its own that sees our libraries; return where its commands are."""
    place = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    [packages] = place.glob("lib/python*/site-packages")
    ours = get_path("purelib")
    (packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    commands = {"pip": "pip", "pytest": "pytest", "supplier-api": "supplier_api.cli"}
    for name, module in commands.items():
        command = place / "bin" / name
        command.write_text(f'#!/bin/sh\nexec {place}/bin/python -m {module} "$@"\n')
        command.chmod(0o755)
    return place / "bin"


def test_the_desk_comes_back_with_its_tickets(tmp_path: Path) -> None:
    port = free_port("127.0.0.1")
    words = [sys.executable, "-m", "supplier_api.cli", "backoffice", "desk", "--port", str(port)]
    desk = subprocess.Popen(
        [*words, "--restart-every", "1"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    numbers: list[str] = []

    def raised() -> bool:
        try:
            answer = requests.post(f"http://127.0.0.1:{port}/tickets", json={}, timeout=5)
        except requests.RequestException:
            return False
        numbers.append(answer.json()["number"])
        return True

    try:
        assert desk.stdout
        for _ in range(3):
            assert desk.stdout.readline() == f"sample desk: http://127.0.0.1:{port}\n"
            eventually(raised, "a ticket is made")
    finally:
        desk.kill()
        desk.communicate()

    assert numbers == sorted(set(numbers), key=numbers.index)
    assert len(numbers) == 3
