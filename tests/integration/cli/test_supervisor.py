"""Processes that are started, watched and stopped. They are real, and small."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from supplier_api.cli.supervisor import PartFailed, Supervisor
from supplier_api.clock import ManualMachineClock, SystemMachineClock

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
TALKATIVE = "import sys; [print('line', n) for n in range(30)]; sys.exit(3)"

# Stands for `supplier-api run`: starts one part that would live for ten minutes. The part holds the
# other end of a pipe of ours, which ends when the part does.
PARENT = """
import os, sys, threading
from pathlib import Path
from supplier_api.cli.supervisor import Supervisor
from supplier_api.clock import SystemMachineClock
parts = Supervisor(Path(sys.argv[1]), SystemMachineClock(), threading.Event())
parts.start("part", [sys.executable, "-c", sys.argv[2]], os.environ, lambda: True)
sys.stdin.read()
"""
PART = """
import signal, time
from supplier_api.cli import supervisor
supervisor.GRACE = 0
signal.signal(signal.SIGTERM, signal.{on_term})
supervisor.die_with_parent()
with open({alive!r}, "w") as held:
    print("up", file=held, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path, SystemMachineClock(), Event())
    yield made
    made.stop()


def start(supervisor: Supervisor, script: str, is_ready: Callable[[], bool]) -> None:
    supervisor.start("part", [sys.executable, "-c", script], os.environ, is_ready)


def says(folder: Path, word: str) -> Callable[[], bool]:
    return lambda: word in (folder / "part.log").read_text()


def test_ready_then_stopped(supervisor: Supervisor, tmp_path: Path) -> None:
    start(supervisor, SLEEP, says(tmp_path, "up"))
    supervisor.wait_until_ready(30)
    supervisor.check()
    pid = supervisor.pids["part"]

    supervisor.stop()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_killed_and_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    start(supervisor, STUBBORN, says(tmp_path, "up"))
    supervisor.wait_until_ready(30)
    pid = supervisor.pids["part"]

    supervisor.restart("part")

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    supervisor.wait_until_ready(30)
    supervisor.check()
    assert list(supervisor.pids) == ["part"]
    assert supervisor.pids["part"] != pid


def test_one_that_does_not_want_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supplier_api.cli.supervisor.GRACE", 0.0)
    supervisor = Supervisor(tmp_path, SystemMachineClock(), Event())
    start(supervisor, STUBBORN, says(tmp_path, "up"))
    supervisor.wait_until_ready(30)
    pid = supervisor.pids["part"]

    supervisor.stop()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_that_dies_is_told_with_its_last_words(supervisor: Supervisor) -> None:
    start(supervisor, TALKATIVE, lambda: False)

    with pytest.raises(PartFailed, match="part ended with code 3") as caught:
        supervisor.wait_until_ready(30)

    assert caught.value.part.last_lines() == [f"line {number}" for number in range(10, 30)]


def test_one_that_is_killed(supervisor: Supervisor) -> None:
    start(supervisor, "import os; os.kill(os.getpid(), 9)", lambda: False)

    with pytest.raises(PartFailed, match="part was killed by signal 9"):
        supervisor.wait_until_ready(30)


def test_one_that_is_not_ready_in_time(tmp_path: Path) -> None:
    clock = ManualMachineClock()
    supervisor = Supervisor(tmp_path, clock, Event())

    def never() -> bool:
        clock.advance(31)
        return False

    start(supervisor, SLEEP, never)
    with pytest.raises(PartFailed, match="part was not ready after 30 s"):
        supervisor.wait_until_ready(30)
    supervisor.stop()


def test_a_wait_ends_when_the_user_stops(tmp_path: Path) -> None:
    stopping = Event()
    supervisor = Supervisor(tmp_path, SystemMachineClock(), stopping)

    def never() -> bool:
        stopping.set()
        return False

    start(supervisor, SLEEP, never)
    supervisor.wait_until_ready(600)

    supervisor.stop()


def test_the_log_of_the_run_before_is_kept(supervisor: Supervisor, tmp_path: Path) -> None:
    (tmp_path / "part.log").write_text("yesterday")

    start(supervisor, SLEEP, says(tmp_path, "up"))
    supervisor.wait_until_ready(30)

    assert (tmp_path / "part.log.1").read_text() == "yesterday"
    assert (tmp_path / "part.log").read_text() == "up\n"


@pytest.mark.parametrize("on_term", ["SIG_DFL", "SIG_IGN"])
def test_a_part_ends_with_its_parent(tmp_path: Path, on_term: str) -> None:
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    part = PART.format(on_term=on_term, alive=str(alive))
    words = [sys.executable, "-c", PARENT, str(tmp_path), part]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as parent, alive.open() as held:
        assert held.readline() == "up\n"
        parent.kill()

        assert held.read() == ""  # returns only when nobody holds the other end any more
