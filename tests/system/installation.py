"""An installation of its own for a test: real processes, free ports, a folder for the data."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path

import requests

from tests.waiting import PATIENCE, eventually

COMMAND = (sys.executable, "-m", "supplier_api.cli")
# The same, ended by the end of its standard input: it does not outlive a test run that is killed.
PART = (sys.executable, "-m", "supplier_api.cli.supervisor")
HOST = "127.0.0.1"
# Below those that the system gives to outgoing connections: none of them may take a port while
# its server is being started again. Each test process takes a block: nobody else tests there.
PORTS = range(20_000, 30_000)
BLOCK = 100
# Longer than a busy machine makes anybody wait, and less than one waits behind whoever hangs.
ANSWER_BUDGET = 10.0  # seconds
# How one learns that a part without a door is ready.
STARTED = "worker.started"


@dataclass(frozen=True)
class Part:
    """A running command; it leads a process group, and all of the group write its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def text(self) -> str:
        """Return what the part has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait(self) -> int:
        """Return the exit code when all of its processes have ended."""
        code = self.process.wait(PATIENCE)
        eventually(self.is_gone, f"all processes of {self.name} to end")
        assert self.process.stdin
        self.process.stdin.close()
        return code

    def is_gone(self) -> bool:
        """Tell whether the process and all that it started have ended.

        Each of them holds the open log, and with it the lock that was taken at the start.
        """
        with self.log.open("rb") as log:
            try:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True


class Installation:
    """Starts, stops and kills the parts of one installation.

    A part is named by its command: serve, worker, sandbox; more of the same as worker-2. What
    only one of them has to know is told by `give`.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        """Keep the data in `folder`; `settings` are the environment's, without the prefix."""
        self._folder = folder
        self.data = folder / "data"
        self.data.mkdir()
        self._own: dict[str, dict[str, str]] = {}
        ports = {"SERVER__PORT": free_port(), "SANDBOX__PORT": free_port()}
        all_settings = {**ports, "SERVER__ANSWER_BUDGET": ANSWER_BUDGET, **settings}
        self.environ = {
            **_foreign(),
            **_named(all_settings),
            "SUPPLIER_API_PROFILE": "sandbox",
            "SUPPLIER_API_DATA_DIR": str(self.data),
        }
        self.supplier, self.sandbox = self.url("serve"), self.url("sandbox")
        self._parts: dict[str, Part] = {}
        self._started = 0

    @property
    def database(self) -> str:
        """Return the URL of the supplier's database."""
        return self.environ.get("SUPPLIER_API__DATABASE__URL", f"sqlite:///{self.data}/supplier.db")

    def give(self, name: str, **settings: object) -> None:
        """Let the part have these settings, whatever the others have; before it is started."""
        self._own[name] = _named(settings)

    def url(self, name: str) -> str:
        """Return where a part with a door is called: serve, sandbox, serve-2."""
        port = f"{PORT_OF[name.partition('-')[0]]}__PORT"
        setting = f"SUPPLIER_API__{port}"
        return f"http://{HOST}:{self._own.get(name, {}).get(setting, self.environ[setting])}"

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with `more` in its environment."""
        return subprocess.run(
            [*COMMAND, *words],
            env=self.environ | more,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def told(self, *words: str) -> str:
        """Run a command that has to succeed, and return what it says."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def launch(self, name: str, *options: str) -> None:
        """Start a part, with these options of its command, without waiting for it."""
        self._started += 1
        log = self._folder / f"{name}.{self._started}.log"
        with log.open("wb") as output:
            fcntl.flock(output, fcntl.LOCK_EX)
            process = subprocess.Popen(
                [*PART, name.partition("-")[0], *options],
                env=self.environ | self._own.get(name, {}),
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._parts[name] = Part(name, process, log)

    def start(self, *names: str) -> None:
        """Start the parts beside each other and wait until all are ready."""
        for name in names:
            self.launch(name)
        for name in names:
            self.wait_until_ready(name)

    def wait_until_ready(self, name: str) -> None:
        """Return when the part does its work; fail with its log if it ends instead."""
        part = self._parts[name]

        def is_at_work() -> bool:
            assert part.process.poll() is None, f"{name} ended:\n{part.text()}"
            if name.startswith("worker"):
                return STARTED in part.text()
            return is_ready(self.url(name))

        eventually(is_at_work, f"{name} to be ready")

    def part(self, name: str) -> Part:
        """Return a part that was started."""
        return self._parts[name]

    def stop(self, *names: str) -> list[int]:
        """Ask the parts to end; return their exit codes when all have ended."""
        for name in names:
            self.ask_to_end(name)
        return [self.wait_for_end(name) for name in names]

    def ask_to_end(self, name: str) -> None:
        """Send SIGTERM to the part, and do not wait."""
        self._parts[name].process.send_signal(signal.SIGTERM)

    def wait_for_end(self, name: str) -> int:
        """Return the part's exit code when all of its processes have ended."""
        return self._parts[name].wait()

    def strike(self, name: str) -> None:
        """Kill the part with everything that it started (SIGKILL), and do not wait."""
        part = self._parts[name]
        if not part.is_gone():
            with suppress(ProcessLookupError):
                os.killpg(part.process.pid, signal.SIGKILL)

    def kill(self, name: str) -> None:
        """Kill the part with everything that it started (SIGKILL), and wait for its end."""
        self.strike(name)
        self._parts[name].wait()

    def logs(self, name: str) -> str:
        """Return what all that were started under this name have said so far."""
        files = sorted(self._folder.glob(f"{name}.*.log"))
        return "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)

    def close(self) -> None:
        """Leave nothing running."""
        for name in self._parts:
            self.kill(name)


PORT_OF = {"serve": "SERVER", "sandbox": "SANDBOX"}


def free_port() -> int:
    """Return a port that nobody listens on now, and that no other test process is given."""
    for port in _own_block()[1]:
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return port
    raise AssertionError("unreachable")


@cache
def _own_block() -> tuple[socket.socket, Iterator[int]]:
    """Return the ports of this process, round and round, and what keeps others off them."""
    for first in range(PORTS.start, PORTS.stop, BLOCK):
        holder = socket.socket()
        try:
            # Whoever has the first port has the block.
            holder.bind((HOST, first))
        except OSError:
            holder.close()
        else:
            return holder, cycle(range(first + 1, first + BLOCK))
    raise AssertionError("no block of ports is free")


def new_session() -> requests.Session:
    """Return a session that takes nothing from the environment."""
    session = requests.Session()
    session.trust_env = False
    return session


def _named(settings: Mapping[str, object]) -> dict[str, str]:
    return {f"SUPPLIER_API__{name}": str(value) for name, value in settings.items()}


def _foreign() -> dict[str, str]:
    """Return the environment without settings that were not meant for the test."""
    return {name: value for name, value in os.environ.items() if "SUPPLIER_API" not in name}


def is_ready(url: str) -> bool:
    """Tell whether the server at `url` says that it is ready."""
    with new_session() as session:
        try:
            return session.get(f"{url}/health/ready", timeout=5).status_code == 200
        except requests.RequestException:
            return False
