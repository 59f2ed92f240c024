"""The whole course through the sample desk, as processes; and the desk through its restarts."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from sysconfig import get_path

import pytest
import requests

from supplier_api.cli.play import APPROVE, ASK, DONE, HOLD, WORK
from supplier_api.sandbox.sample_desk import RunningDesk
from tests.system.conftest import Install
from tests.system.installation import COMMAND, Installation, free_port
from tests.waiting import PATIENCE, eventually

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
tenant raises one to be decided: SENT_TO_SUPPLIER
office work on it: IN_PROGRESS
"""
# What people do at the sample desk when they are told to.
STEPS = ("--seconds", str(int(PATIENCE)))  # that one may take on a busy machine
MOVES = {move.words: move.fields for move in (WORK, ASK, HOLD, DONE, APPROVE)}


@pytest.mark.parametrize("adapter", ["sample-desk", "http"])
def test_the_whole_course(tmp_path: Path, adapter: str) -> None:
    words = ["backoffice", "play", "--sample-desk", "--through", adapter, *STEPS]
    done = subprocess.run(
        [sys.executable, "-m", "supplier_api.cli", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    *lines, last = done.stdout.splitlines()
    assert steps(lines) == COURSE.split("\n")[1:-1]
    assert last.startswith("done:")
    restart = lines.index("    the worker was killed, and is started again")
    assert "to be decided" in lines[restart - 1]


def steps(lines: list[str]) -> list[str]:
    """Return the steps without numbers and tickets: who does what, and what comes of it."""
    words = [line.split() for line in lines if not line.startswith("    ")]
    return [f"{step[1]} {' '.join(step[2:-2])}: {step[-2]}" for step in words]


def test_the_course_at_a_system_that_runs(install: Install, tmp_path: Path) -> None:
    """People do at the tickets what they are told, and start everything again when asked to."""
    with RunningDesk(tmp_path / "desk.db") as running:
        installation = install(
            BACKOFFICE__ADAPTER="sample-desk",
            BACKOFFICE__OPTIONS__URL=running.url,
            POLLING__EVERY=1,
        )
        installation.start("serve", "worker", "sandbox")
        lines = []
        for line in played(installation):
            lines.append(line)
            if told := re.fullmatch(r"    now in ticket (\S+): (.*)", line):
                running.desk.change(told[1], dict(MOVES[told[2]]))
            elif line.startswith("    now restart the worker"):
                for part in ("worker", "serve", "sandbox"):
                    installation.kill(part)
                installation.start("serve", "worker", "sandbox")

        # Once more, and nobody moves the ticket.
        stuck = installation.run("backoffice", "play", "--seconds", "5")

    *lines, last = lines
    assert steps(lines) == COURSE.split("\n")[1:-1]
    assert last.startswith("done:")
    assert stuck.returncode == 1
    assert "office work on it: IN_PROGRESS is expected of the problem" in stuck.stderr
    assert "after 5 s the gateway says: ACKNOWLEDGED" in stuck.stderr


# The same moves where people say what a ticket is.
SAID: dict[str, dict[str, object]] = {
    WORK.words: {"state": "IN_PROGRESS"},
    ASK.words: {"state": "PENDING", "problemCode": "INFORMATION_REQUIRED", "text": "Which lights?"},
    HOLD.words: {"state": "HELD", "problemCode": "ACCESS_ISSUE"},
    DONE.words: {"state": "RESOLVED", "resolution": {"resolutionCode": "NETWORK_CABLING"}},
    APPROVE.words: {"decision": "accept-change"},
}


def test_the_course_where_people_make_the_tickets(install: Install) -> None:
    """An adapter that names no ticket, as one that writes rows: people make one when asked to."""
    installation = install(BACKOFFICE__ADAPTER="manual")
    installation.start("serve", "worker", "sandbox")
    lines, version = [], count(1)

    def say(ticket: str, problem: str, **said: object) -> None:
        token = installation.run("token", "--client", "back-office").stdout.strip()
        taken = requests.put(
            f"{installation.supplier}/back-office/v1/problems/{problem}/snapshot",
            json={"ticket": ticket, "version": next(version), **said},
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
        assert taken.status_code == 200, taken.text

    for line in played(installation):
        lines.append(line)
        if made := re.match(r"    now make a ticket for (SP_\w+)", line):
            say(f"T-{made[1]}", made[1], state="ACKNOWLEDGED")
        elif told := re.fullmatch(r"    now in ticket (\S+): (.*)", line):
            say(told[1], told[1], **SAID[told[2]])

    *lines, last = lines
    assert steps(lines) == COURSE.split("\n")[1:-1]
    assert last.startswith("done:")


def played(installation: Installation) -> Iterator[str]:
    """Play against an installation; yield each line as it comes. The play has to end well."""
    words = [*COMMAND, "backoffice", "play", *STEPS]
    environ = installation.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, text=True) as play:
        assert play.stdout
        for line in play.stdout:
            yield line.removesuffix("\n")
    assert play.returncode == 0


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
    assert re.search(r"\b1[4-9] passed", done.stdout), done.stdout
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
    port = free_port()
    words = [sys.executable, "-m", "supplier_api.cli", "backoffice", "desk", "--port", str(port)]
    desk = subprocess.Popen(
        [*words, "--restart-every", "1"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    numbers: list[str] = []

    def raised() -> bool:
        try:
            answer = requests.post(f"http://127.0.0.1:{port}/tickets", json={}, timeout=PATIENCE)
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
