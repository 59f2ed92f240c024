"""The wired supplier on a database that was upgraded once, for each test anew."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from supplier_api.app.services import ClockPair
from supplier_api.app.web import create_app
from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.db import Store
from supplier_api.settings import Settings, load_settings
from tests import postgresql
from tests.integration.delivery.sink import Sink, serving
from tests.logs import Lines, logging_to
from tests.outbox import Outbox
from tests.supplier import COMMITTED, DEFERRED, Supplier, manual_clocks
from tests.upgraded import empty, upgrade
from tests.waiting import PATIENCE

CONFIG = Path(__file__).parents[2] / "config"
# Behind the supplied rules: tenants that choose an answer by their name.
RULES = f"""
  - id: commits
    description: For a test, work begins at once.
    applies_to: [problem]
    when: tenant == "{COMMITTED}"
    then: commit

  - id: defers
    description: For a test, everything is left open.
    applies_to: [problem, amendment, cancellation]
    when: tenant == "{DEFERRED}"
    then: defer
"""


@pytest.fixture(scope="package", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Hash passwords in no time; tests/unit/auth/test_passwords.py does as in earnest."""
    cheap = partial(PasswordHasher, time_cost=1, memory_cost=64, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("supplier_api.auth.passwords.PasswordHasher", cheap)
        yield


@pytest.fixture(scope="session")
def upgraded_postgresql(postgresql_server: str) -> Iterator[str]:
    """Yield the URL of an upgraded PostgreSQL database, to be emptied by each test that uses it."""
    with postgresql.database(postgresql_server, "test_integration") as url:
        upgrade(url)
        yield url


@pytest.fixture
def own_sqlite_file(upgraded_sqlite: Path, tmp_path: Path) -> str:
    """Return the URL of an empty, upgraded SQLite file that the test may damage."""
    shutil.copy(upgraded_sqlite, tmp_path / "supplier.db")
    return f"sqlite:///{tmp_path}/supplier.db"


@pytest.fixture
def sqlite_file(own_sqlite_file: str) -> str:
    """Return the URL of an empty, upgraded SQLite file."""
    return own_sqlite_file


@pytest.fixture
def emptied_postgresql(upgraded_postgresql: str) -> str:
    """Return the URL of an empty, upgraded PostgreSQL database."""
    empty(upgraded_postgresql)
    return upgraded_postgresql


@pytest.fixture(params=["sqlite_file", "emptied_postgresql"], ids=["sqlite", "postgresql"])
def upgraded_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty, upgraded database, once for each engine."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def clock() -> ManualMachineClock:
    """Return machine time that stands."""
    return ManualMachineClock()


@pytest.fixture
def store(upgraded_url: str, clock: ManualMachineClock) -> Iterator[Store]:
    """Yield a store by that time, once for each engine."""
    store = Store(upgraded_url, clock)
    yield store
    store.close()


@pytest.fixture
def outbox(store: Store, clock: ManualMachineClock) -> Outbox:
    """Return what writes messages to that store."""
    return Outbox(store, clock)


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Yield a gateway that keeps what comes, and takes it unless it is told otherwise."""
    with serving() as sink:
        yield sink


@pytest.fixture
def more_settings() -> dict[str, str]:
    """Return further settings; a test that needs some parametrizes this."""
    return {}


@pytest.fixture
def environ(upgraded_url: str, tmp_path: Path, more_settings: dict[str, str]) -> dict[str, str]:
    """Return the environment of a supplier in the sandbox profile whose back office waits."""
    folder = tmp_path / "config"
    folder.mkdir()
    supplied = (CONFIG / "rules.yaml").read_text(encoding="utf-8")
    (folder / "rules.yaml").write_text(supplied + RULES, encoding="utf-8")
    return {
        "SUPPLIER_API_PROFILE": "sandbox",
        "SUPPLIER_API_CONFIG_DIR": str(folder),
        "SUPPLIER_API_DATA_DIR": str(tmp_path),
        "SUPPLIER_API__DATABASE__URL": upgraded_url,
        "SUPPLIER_API__BACKOFFICE__PACE": "manual",
        **more_settings,
    }


@pytest.fixture
def settings(environ: dict[str, str]) -> Settings:
    """Return the settings that the environment makes."""
    return load_settings(environ)


@pytest.fixture
def clocks() -> tuple[ManualMachineClock, ManualBusinessClock, ClockPair]:
    """Return clocks that stand still."""
    return manual_clocks()


@pytest.fixture
def own_app(
    settings: Settings,
    clocks: tuple[ManualMachineClock, ManualBusinessClock, ClockPair],
    logged: Lines,  # noqa: ARG001 - it logs as it does in earnest
) -> Iterator[Flask]:
    """Yield a web application of the supplier that only this test uses."""
    app = create_app(settings, clocks[2])
    yield app
    app.extensions["services"].store.close()


@pytest.fixture
def app(own_app: Flask) -> Flask:
    """Return the supplier's web application."""
    return own_app


@pytest.fixture
def supplier(
    app: Flask,
    client: FlaskClient,
    clocks: tuple[ManualMachineClock, ManualBusinessClock, ClockPair],
) -> Supplier:
    """Return the supplier with clocks that stand still, on each engine."""
    machine, business, _ = clocks
    return Supplier(app, client, machine, business)


# -- for the rooms with many tests: applications that stand for the session, emptied for each test


@pytest.fixture(scope="session")
def standing_sqlite(upgraded_sqlite: Path) -> Path:
    """Return an SQLite file for the session."""
    file = upgraded_sqlite.with_name("standing.db")
    shutil.copy(upgraded_sqlite, file)
    return file


@pytest.fixture
def emptied_sqlite(standing_sqlite: Path) -> str:
    """Return the URL of the session's SQLite file, emptied."""
    url = f"sqlite:///{standing_sqlite}"
    empty(url)
    return url


@pytest.fixture(scope="session")
def standing_clocks() -> tuple[ManualMachineClock, ManualBusinessClock, ClockPair]:
    """Return the clocks of the applications that stand."""
    return manual_clocks()


@pytest.fixture
def clocks_at_noon(
    standing_clocks: tuple[ManualMachineClock, ManualBusinessClock, ClockPair],
) -> tuple[ManualMachineClock, ManualBusinessClock, ClockPair]:
    """Return those clocks, put back to where they began."""
    machine, business, _ = standing_clocks
    machine.instant = ManualMachineClock().instant
    business.moved.clear()
    return standing_clocks


@pytest.fixture(scope="session")
def standing_apps() -> Iterator[dict[str, Flask]]:
    """Yield the applications that stand, by their settings: to make one takes a while."""
    made: dict[str, Flask] = {}
    yield made
    for app in made.values():
        app.extensions["services"].store.close()


@pytest.fixture
def standing_app(
    settings: Settings,
    more_settings: dict[str, str],
    clocks_at_noon: tuple[ManualMachineClock, ManualBusinessClock, ClockPair],
    standing_apps: dict[str, Flask],
    logged: Lines,  # noqa: ARG001 - it logs as it does in earnest
) -> Iterator[Flask]:
    """Yield the application with these settings, which stands on an emptied database."""
    key = f"{settings.database.url} {more_settings}"
    if key not in standing_apps:
        standing_apps[key] = create_app(settings, clocks_at_noon[2])
    yield standing_apps[key]
    # Its journal is written by a thread of its own, which would meet the next emptying.
    assert standing_apps[key].extensions["recorder"].flush(PATIENCE)


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """Log as the supplier does; yield a function that returns the lines since its last call."""
    with logging_to(capsys) as lines:
        yield lines
