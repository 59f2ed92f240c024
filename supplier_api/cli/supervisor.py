"""Starts the parts of a local installation as processes, watches them and stops them.

`python -m supplier_api.cli.supervisor COMMAND` is such a process. It ends when its parent is gone:
the parent holds the other end of standard input and never writes to it. Its end, even by kill -9,
closes the pipe: that is seen here on every system. On Linux the kernel sends a signal as well.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import current_process
from pathlib import Path
from threading import Event, Thread

from supplier_api.cli import main
from supplier_api.clock import MachineClock

LAST_LINES = 20
READY_STEP = 0.05  # seconds between two looks whether the parts are ready
GRACE = 4.0  # seconds that the parts have to end by themselves
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class PartFailed(Exception):
    """A part died or was not ready in time."""

    def __init__(self, part: "Part", what: str) -> None:
        """Keep the part and what happened to it."""
        super().__init__(f"{part.name} {what}")
        self.part = part


@dataclass
class Part:
    """One process: its name and command, how it shows that it is ready, and where its log is."""

    name: str
    words: Sequence[str]
    environ: Mapping[str, str]
    is_ready: Callable[[], bool]
    log: Path
    process: subprocess.Popen[bytes]

    def last_lines(self) -> list[str]:
        """Return the end of what the process said."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return text.splitlines()[-LAST_LINES:]


class Supervisor:
    """The parts that run. Every wait ends at once when `stopping` is set or a part dies."""

    def __init__(self, logs: Path, clock: MachineClock, stopping: Event) -> None:
        """Write the logs into the folder `logs`, one file for each part."""
        self._logs = logs
        self._clock = clock
        self._stopping = stopping
        self._parts: list[Part] = []

    @property
    def pids(self) -> dict[str, int]:
        """Return the process ids by the parts' names."""
        return {part.name: part.process.pid for part in self._parts}

    def part(self, name: str) -> Part:
        """Return the part of that name."""
        return next(part for part in self._parts if part.name == name)

    def start(
        self,
        name: str,
        words: Sequence[str],
        environ: Mapping[str, str],
        is_ready: Callable[[], bool],
    ) -> None:
        """Start the command `words` with this environment.

        It leads a session of its own, so that a Ctrl-C at the terminal reaches only us and the
        parts end in order. The log of the run before is kept beside the new one.
        """
        log = self._logs / f"{name}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        with log.open("wb") as output:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,  # held open: its end tells the part that we are gone
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                start_new_session=True,
            )
        self._parts.append(Part(name, words, environ, is_ready, log, process))

    def restart(self, name: str) -> None:
        """Kill a part with all that it started, as by kill -9, and start it again."""
        part = self.part(name)
        _signal_group(part.process)
        _end(part.process)
        self._parts.remove(part)
        self.start(part.name, part.words, part.environ, part.is_ready)

    def wait_until_ready(self, seconds: float) -> None:
        """Return when every part is ready. Raises PartFailed if one dies or `seconds` pass."""
        until = self._clock.monotonic() + seconds
        waiting = list(self._parts)
        while waiting and not self._stopping.is_set():
            self.check()
            waiting = [part for part in waiting if not part.is_ready()]
            if waiting and self._clock.monotonic() > until:
                raise PartFailed(waiting[0], f"was not ready after {seconds:.0f} s")
            if waiting:
                self._stopping.wait(READY_STEP)

    def check(self) -> None:
        """Raise PartFailed if a part has died."""
        for part in self._parts:
            code = part.process.poll()
            if code is not None:
                how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
                raise PartFailed(part, how)

    def stop(self) -> None:
        """End all parts, politely at first; what is left after the grace period is killed."""
        until = self._clock.monotonic() + GRACE
        for part in self._parts:
            _signal(part.process, signal.SIGTERM)
        for part in self._parts:
            try:
                part.process.wait(max(0.0, until - self._clock.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(part.process, signal.SIGKILL)
            finally:
                _signal_group(part.process)
                _end(part.process)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process that was killed, and let go of it."""
    process.wait()
    if process.stdin:
        process.stdin.close()


def _signal_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what a part has started and left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


# -- in the process of a part


def die_with_parent() -> None:
    """Arrange for this process, and the group it leads, to end when the parent does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    Thread(target=_wait_for_the_end, name="parent-watch", daemon=True).start()


def _wait_for_the_end() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    Event().wait(GRACE)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__" and current_process().name == "MainProcess":
    die_with_parent()
    main(sys.argv[1:], prog_name="supplier-api")
