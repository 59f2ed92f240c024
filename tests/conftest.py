"""Databases for the tests: every storage test runs on SQLite and on PostgreSQL."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest
from structlog.dev import ConsoleRenderer, plain_traceback

from supplier_api.db import engine
from supplier_api.db import postgresql as db_postgresql
from tests import pgbouncer, postgresql
from tests.upgraded import upgrade

T = TypeVar("T")
# Seconds that PostgreSQL may take to answer, whatever a deadline says.
DATABASE_PATIENCE = 60.0
MEMORY = Path("/dev/shm")
ENOUGH = 2 * 2**30  # bytes

# Tests make some ten thousand commits, each of which would wait for the disk. What is committed
# outlives a process in memory too. A TMPDIR of the environment stands.
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH:
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None  # read anew


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server; without one the test is skipped, or fails in CI."""
    with ExitStack() as stack:
        yield _entered(stack, postgresql.server())


# Where a test does not log as the supplier does: to draw a traceback in a frame takes seconds.
ConsoleRenderer.get_active().exception_formatter = plain_traceback


@pytest.fixture(scope="session", autouse=True)
def patient_with_postgresql() -> Iterator[None]:
    """Let the server be slow; a test of one that does not answer sets a time of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "GRACE", DATABASE_PATIENCE)
        patch.setattr(db_postgresql, "ANSWER_SECONDS", DATABASE_PATIENCE)
        patch.setattr(db_postgresql, "CONNECT_SECONDS", DATABASE_PATIENCE)
        yield


@pytest.fixture(scope="session")
def upgraded_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an upgraded, empty SQLite file to copy."""
    file = tmp_path_factory.mktemp("upgraded") / "supplier.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def own_postgresql() -> Iterator[postgresql.Server]:
    """Yield a PostgreSQL server that only this test uses, and may restart."""
    with ExitStack() as stack:
        yield _entered(stack, postgresql.own_server())


@pytest.fixture
def make_pooler(postgresql_server: str) -> Iterator[Callable[[str], str]]:
    """Return a function that starts a pooler in a mode before the server; it returns its URL."""
    with ExitStack() as stack:
        yield lambda mode: _entered(stack, pgbouncer.pooler(postgresql_server, mode))


def _entered(stack: ExitStack, server: AbstractContextManager[T]) -> T:
    try:
        return stack.enter_context(server)
    except postgresql.NoServer as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"tests may not be skipped here: {error}")
        pytest.skip(str(error))


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """Yield the SQLAlchemy URL of an empty PostgreSQL database."""
    with postgresql.database(postgresql_server, f"test_{uuid4().hex}") as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the SQLAlchemy URL of an SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path}/supplier.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database, once for each engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not tested, and the command that mends it."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons: dict[str, int] = {}
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in reasons.items():
        terminalreporter.write_line(f"NOT TESTED: {count} tests. {reason}", yellow=True, bold=True)
