"""How long the console's pages take, and how large they are, at 100,000 problems that are over."""

import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

from scripts.benchmarks.console import Raising
from scripts.benchmarks.creates import DURABLE
from scripts.benchmarks.figures import Figure, Options, at_most, say
from scripts.benchmarks.fill import fill
from scripts.benchmarks.installation import Installation, make_installation
from scripts.benchmarks.processes import HOST
from scripts.benchmarks.servers import analyze
from tests import postgresql

PROBLEMS = 100_000
TIMES = 5  # each page; the first one counts too
RAISED = 5.0  # seconds in which problems are raised that are not over
KIB = 1024
PAGES = (
    "sandbox/",
    "overview/",
    "problems/",
    "problems/?state=NOT_OVER",
    "problems/?state=COMPLETED",
    "problems/?tenant=TENANT50000",
    "problems/{reference}",
    "work/",
    "delivery/",
    "delivery/?state=queued",
    "rules/",
    "rules/hits",
    "back-office/",
    "back-office/incidents",
    "audit/",
    "people/",
)


def measure(_options: Options) -> list[Figure]:
    """Ask for every page some times, on each engine."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgresql.server(DURABLE))
        url = stack.enter_context(postgresql.database(server, "console"))
        return [
            *_measured("SQLite", make_installation(folder / "sqlite", profile="sandbox")),
            *_measured("PostgreSQL", make_installation(folder / "pg", url, profile="sandbox")),
        ]


def _measured(engine: str, installation: Installation) -> list[Figure]:
    fill(installation.database, PROBLEMS)
    if engine == "PostgreSQL":
        analyze(installation.database)
    with installation.serving():
        raising = Raising(installation)
        raising.run(RAISED)
        reference = next(reversed(raising.raised))
        asked = {page: _asked(installation, page.format(reference=reference)) for page in PAGES}
    slowest = max(asked, key=lambda page: max(asked[page][0]))
    largest = max(asked, key=lambda page: asked[page][1])
    for page, (taken, size) in asked.items():
        say(f"{engine} {page}: {max(taken):.0f} ms at most, {size / KIB:.1f} KiB")
    return [
        Figure(
            f"slowest page of the console beside {PROBLEMS:,} problems, {engine}",
            "ms",
            asked[slowest][0],
            at_most(300),
            f"{slowest}; of each page, most of {TIMES}: {_told(asked)}.",
        ),
        Figure(
            f"largest page of the console beside {PROBLEMS:,} problems, {engine}",
            "KiB",
            [asked[largest][1] / KIB],
            at_most(100),
            f"{largest}.",
        ),
    ]


def _asked(installation: Installation, page: str) -> tuple[list[float], int]:
    """Return the milliseconds that a page took each time, and its bytes."""
    connection = HTTPConnection(HOST, installation.port)
    taken, size = [], 0
    for _ in range(TIMES):
        began = time.monotonic()
        connection.request("GET", f"/console/{page}")
        answer = connection.getresponse()
        size = len(answer.read())
        taken.append((time.monotonic() - began) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{page}: {answer.status}")
    connection.close()
    return taken, size


def _told(asked: Mapping[str, tuple[list[float], int]]) -> str:
    return ", ".join(f"{page} {max(taken):.0f}" for page, (taken, _) in asked.items())
