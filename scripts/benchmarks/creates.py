"""POST /service-problems, complete: production and sandbox profile, SQLite and PostgreSQL."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

from scripts.benchmarks.figures import Figure, Options, at_least, at_most, ratios
from scripts.benchmarks.installation import (
    BODY,
    FIRST_ID,
    SERVICES,
    Installation,
    make_installation,
    request,
)
from scripts.benchmarks.load import Aim
from scripts.benchmarks.processes import HOST, free_port, running, wait_for
from scripts.benchmarks.servers import WARM_UP, Subject, take_turns
from tests import postgresql

# As Debian ships it: every commit reaches the disk.
DURABLE = ("fsync=on", "synchronous_commit=on", "max_connections=200")


@contextmanager
def creating(name: str, installation: Installation) -> Iterator[Subject]:
    """Serve an installation; yield what raises problems there, warmed up."""
    with installation.serving() as process:
        aim = Aim(installation.port, installation.request(), WARM_UP, FIRST_ID, SERVICES)
        subject = Subject(name, process.pid, aim)
        subject.warm_up()
        yield subject


@contextmanager
def yardstick(name: str, folder: Path) -> Iterator[Subject]:
    """Serve a yardstick on an installation of its own; yield what raises problems there."""
    environ = make_installation(folder).environ
    port = free_port()
    url = f"http://{HOST}:{port}/token"
    words = [sys.executable, "-m", f"scripts.benchmarks.{name}", str(folder), str(port)]
    with running(words, environ) as process:
        wait_for(url)
        with urlopen(url, timeout=10) as answer:
            token = answer.read().decode()
        raising = request("POST", "/service-problems", BODY, token)
        subject = Subject(name, process.pid, Aim(port, raising, WARM_UP, FIRST_ID, SERVICES))
        subject.warm_up()
        yield subject


def measure(options: Options) -> list[Figure]:
    """Measure creates in turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(
            postgresql.database(stack.enter_context(postgresql.server(DURABLE)), "creates")
        )
        installations = {
            "SQLite": make_installation(folder / "production"),
            "sandbox": make_installation(folder / "sandbox", profile="sandbox"),
            "PostgreSQL": make_installation(folder / "postgresql", url),
        }
        subjects = [
            stack.enter_context(creating(name, each)) for name, each in installations.items()
        ]
        subjects += [
            stack.enter_context(yardstick(name, folder / name)) for name in ("plain", "floor")
        ]
        take_turns(subjects, options)
    ours, sandbox, on_postgresql, plain, floor = (
        each.figure(f"create, {each.name}") for each in subjects
    )
    return [
        ours,
        plain,
        floor,
        ratios("create, plain / ours", plain, ours, at_least(4.5)),
        ratios("create, ours / floor", ours, floor, at_most(2.0)),
        sandbox,
        on_postgresql,
        ratios("create, sandbox profile with journal / production", sandbox, ours, at_most(1.6)),
        ratios("create, PostgreSQL / SQLite", on_postgresql, ours, at_most(1.8)),
    ]
