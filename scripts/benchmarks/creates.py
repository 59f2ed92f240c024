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
from scripts.benchmarks.servers import WARM_UP, Subject, analyze, take_turns
from tests import postgresql

# As Debian ships it: every commit reaches the disk.
DURABLE = ("fsync=on", "synchronous_commit=on", "max_connections=200")
PLAIN = (
    "what one would write with the same libraries, tables and promises, on granian"
    " (`scripts/benchmarks/plain.py`)"
)
ADDED = (
    "token, schema, trace, the problem and its documents cost about as much as what is below them."
)
FLOOR = (
    "the libraries alone, with ready values: no token, no schema, no trace, nothing made"
    " (`scripts/benchmarks/floor.py`)"
)


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


@contextmanager
def on_postgresql(folder: Path) -> Iterator[Subject]:
    """Serve an installation on a PostgreSQL server of its own, whose CPU is measured, too."""
    with (
        postgresql.server(DURABLE) as server,
        postgresql.database(server, "creates") as url,
        creating("PostgreSQL", make_installation(folder, url)) as subject,
    ):
        subject.database = analyze(url)
        yield subject


def measure(options: Options) -> list[Figure]:
    """Measure creates of ours and of both yardsticks in turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        production = make_installation(folder / "production")
        sandbox = make_installation(folder / "sandbox", profile="sandbox")
        subjects = [
            stack.enter_context(each)
            for each in (
                creating("ours", production),
                yardstick("plain", folder / "plain"),
                yardstick("floor", folder / "floor"),
                creating("sandbox", sandbox),
                on_postgresql(folder / "postgresql"),
            )
        ]
        take_turns(subjects, options)
    ours, plain, floor, in_sandbox, on_server = subjects
    create = ours.figure("create: SQLite, production profile")
    written = plain.figure('create: "plain"', note=PLAIN)
    least = floor.figure('create: "floor"', note=FLOOR)
    journalled = in_sandbox.figure("create: sandbox profile, with journal")
    served = on_server.figure("create: PostgreSQL, the web process")
    costs = on_server.database_costs
    return [
        create,
        written,
        ratios("plain / create", written, create, at_least(4.5)),
        least,
        ratios("create / floor", create, least, at_most(2.0), ADDED),
        journalled,
        ratios("sandbox / production profile", journalled, create, at_most(1.6)),
        served,
        Figure("create: PostgreSQL, the database server", "us", costs),
        ratios("PostgreSQL, the web process / SQLite", served, create, at_most(1.8)),
    ]
