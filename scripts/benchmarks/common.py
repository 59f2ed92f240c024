"""What the measurements share: processes on chosen cores, load from outside, ratios."""

import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

HOST = "127.0.0.1"
CONNECTIONS = 16
START_SECONDS = 60.0
STOP_SECONDS = 20.0
ROOT = Path(__file__).resolve().parents[2]
# The server has the first core to itself, load and database have the others.
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
SERVER_CORES = frozenset(CORES[:1])
LOAD_CORES = frozenset(CORES[1:]) or SERVER_CORES


@dataclass(frozen=True, slots=True)
class Options:
    """How long and how much is measured.

    `seconds` is one round of load, `rounds` how often everything takes its turn, `rows` how many
    problems make a full table, `soak` for how many seconds memory is watched (0: not at all).
    """

    seconds: float = 4.0
    rounds: int = 5
    rows: int = 100_000
    soak: float = 0.0


@dataclass(frozen=True, slots=True)
class Section:
    """A part of docs/performance.md: a heading, and what stands below it in Markdown."""

    heading: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Aim:
    """Whom the load generator calls, and how (see load.py).

    `request` is a whole HTTP request with %(id)d, %(service)d and %(tenant)d to fill in, which
    keep its length. Ids count from `first`. Without a `rate` each of the `connections` calls again
    as soon as it is answered; with one, so many requests a second are due, and their time counts
    from when they were due.
    """

    port: int
    request: str
    seconds: float
    first: int = 0
    services: int = 1
    connections: int = CONNECTIONS
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load: answers a second, their number by status, milliseconds by percent."""

    rate: float
    count: int
    statuses: Mapping[str, int]
    milliseconds: Mapping[str, float]

    def only(self, status: int) -> "Load":
        """Return itself; raises RuntimeError if anything but `status` was answered."""
        if set(self.statuses) - {str(status)}:
            raise RuntimeError(f"answers other than {status}: {dict(self.statuses)}")
        return self


def load(aim: Aim, cores: frozenset[int] = LOAD_CORES) -> Load:
    """Put load on a server from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benchmarks.load", *map(str, cores)],
        input=json.dumps(asdict(aim)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Load(**json.loads(done.stdout))


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
            sys.stderr.write(log.read().decode(errors="replace")[-4000:])
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


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median with the least and the most, as in `0.31 (0.29 to 0.33)`."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return [f"| {' | '.join(row)} |" for row in [head, rule, *rows]]


def memory_of(pid: int) -> int:
    """Return the resident bytes of a process and its children, on Linux."""
    total = 0
    for folder in _family(pid):
        with suppress(OSError):
            status = (folder / "status").read_text(encoding="ascii", errors="replace")
            total += int(status.partition("VmRSS:")[2].split()[0]) * 1024
    return total


def bind(pid: int, cores: frozenset[int]) -> None:
    """Bind a process that runs, its children and all their threads to some cores, on Linux."""
    for folder in _family(pid):
        for thread in _threads(folder):
            with suppress(OSError):
                os.sched_setaffinity(int(thread.name), cores)


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
