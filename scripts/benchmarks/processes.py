"""Processes under measurement: on chosen cores, with their CPU time and their memory (Linux)."""

import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
ROOT = Path(__file__).resolve().parents[2]
# The server has the first core to itself, load and database have the others.
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
SERVER_CORES = frozenset(CORES[:1])
LOAD_CORES = frozenset(CORES[1:]) or SERVER_CORES
TICKS = os.sysconf("SC_CLK_TCK")


def pin(cores: frozenset[int]) -> Callable[[], None]:
    """Return what binds the calling process to some cores, where the system can do that."""

    def bind() -> None:
        if hasattr(os, "sched_setaffinity") and cores:
            os.sched_setaffinity(0, cores)

    return bind


@contextmanager
def running(
    words: Sequence[str | Path],
    environ: Mapping[str, str] | None = None,
    cores: frozenset[int] = SERVER_CORES,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command on `cores` while the block runs; it is stopped by SIGTERM.

    What it logs goes to a file, and is shown if the block fails.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            words,
            env=dict(environ) if environ is not None else None,
            cwd=ROOT,
            stdout=log,
            stderr=log,
            preexec_fn=pin(cores),  # noqa: PLW1509 - nothing has threads when servers are started
        )
        try:
            yield process
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace")[-2000:])
            raise
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            process.kill()
            process.wait()


def wait_for(url: str, seconds: float = START_SECONDS, step: float = 0.02) -> float:
    """Return the seconds until `url` is answered 200; raises TimeoutError."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        with suppress(URLError, ConnectionError), urlopen(url, timeout=seconds) as answer:  # noqa: S310
            if answer.status == 200:
                return time.monotonic() - began
        time.sleep(step)
    raise TimeoutError(f"no answer from {url} within {seconds:.0f} s")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def supplier_api(*words: str) -> list[str]:
    """Return the command line of `supplier-api` in this interpreter's environment."""
    return [sys.executable, "-m", "supplier_api.cli", *words]


def clean_environment() -> dict[str, str]:
    """Return the environment without settings that were not meant for a measurement."""
    return {name: value for name, value in os.environ.items() if "SUPPLIER_API" not in name}


def machine() -> str:
    """Name the machine in one line."""
    return (
        f"{len(CORES) or os.cpu_count()} cores, {_processor()}, {platform.system()}"
        f" {platform.machine()}, Python {platform.python_version()}"
    )


@dataclass(slots=True)
class Spent:
    """Seconds of CPU that a process and its children used, and those of them in the kernel."""

    cpu: float = 0.0
    kernel: float = 0.0


@contextmanager
def spent_by(pid: int) -> Iterator[Spent]:
    """Measure what a process and its children use while the block runs."""
    spent = Spent()
    before = cpu_seconds(pid)
    yield spent
    after = cpu_seconds(pid)
    spent.cpu, spent.kernel = after.cpu - before.cpu, after.kernel - before.kernel


def cpu_seconds(pid: int) -> Spent:
    """Return what a process, its children and those that have ended have used until now."""
    user = kernel = 0
    for folder in _family(pid):
        with suppress(OSError):
            fields = (folder / "stat").read_text(encoding="ascii", errors="replace")
            # Behind the name in brackets; its own user and system time, then its ended children's.
            times = [int(ticks) for ticks in fields.rpartition(")")[2].split()[11:15]]
            user, kernel = user + times[0] + times[2], kernel + times[1] + times[3]
    return Spent((user + kernel) / TICKS, kernel / TICKS)


def memory_of(pid: int) -> int:
    """Return the resident bytes of a process or, if that is larger, of one of its children."""
    sizes = [0]
    for folder in _family(pid):
        with suppress(OSError):
            status = (folder / "status").read_text(encoding="ascii", errors="replace")
            sizes.append(int(status.partition("VmRSS:")[2].split()[0]) * 1024)
    return max(sizes)


def _family(pid: int) -> Iterator[Path]:
    """Yield the folders under /proc of a process and its children, which may end meanwhile."""
    pids = [pid]
    while pids:
        folder = Path("/proc") / str(pids.pop())
        yield folder
        for thread in _threads(folder):
            with suppress(OSError):
                children = (thread / "children").read_text(encoding="ascii")
                pids += [int(child) for child in children.split()]


def _threads(folder: Path) -> list[Path]:
    """Return the folders of a process's threads; none if it has ended meanwhile."""
    with suppress(OSError):
        return list((folder / "task").iterdir())
    return []


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "processor unknown"
