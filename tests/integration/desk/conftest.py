"""A desk for each test, on a database that was made and upgraded once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from supplier_api.decisions.inventory import CsvInventory, TimedInventory
from supplier_api.store import migrate, tables
from tests import postgresql
from tests.integration.desk.rig import Rig

CONFIG = Path(__file__).parents[3] / "config"
BOOK = Path(__file__).with_name("book.yaml")

MakeRig = Callable[..., Rig]


@pytest.fixture(scope="session")
def upgraded_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an upgraded, empty SQLite file to copy."""
    file = tmp_path_factory.mktemp("desk") / "upgraded.db"
    migrate.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def upgraded_postgresql(postgresql_server: str) -> Iterator[str]:
    """Yield the URL of an upgraded PostgreSQL database, to be emptied by each test that uses it."""
    with postgresql.database(postgresql_server, "test_desk") as url:
        migrate.upgrade(url)
        yield url


@pytest.fixture
def sqlite_file(upgraded_sqlite: Path, tmp_path: Path) -> str:
    """Return the URL of an empty, upgraded SQLite file."""
    shutil.copy(upgraded_sqlite, tmp_path / "supplier.db")
    return f"sqlite:///{tmp_path}/supplier.db"


@pytest.fixture
def emptied_postgresql(upgraded_postgresql: str) -> str:
    """Return the URL of an empty, upgraded PostgreSQL database."""
    engine = create_engine(upgraded_postgresql)
    names = ", ".join(table.name for table in tables.metadata.sorted_tables)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
    engine.dispose()
    return upgraded_postgresql


@pytest.fixture(params=["sqlite_file", "emptied_postgresql"], ids=["sqlite", "postgresql"])
def upgraded_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty, upgraded database, once for each engine."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def make_rig() -> Iterator[MakeRig]:
    """Yield a maker of desks; they are closed after the test."""
    rigs: list[Rig] = []

    def make(
        url: str, *, book: Path = BOOK, inventory: TimedInventory | None = None, **more: Any
    ) -> Rig:
        rig = Rig(url, book, inventory or supplied_inventory(), **more)
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        rig.store.close()


@pytest.fixture
def rig(upgraded_url: str, make_rig: MakeRig) -> Rig:
    """Return a desk whose requests say how they end."""
    return make_rig(upgraded_url)


@pytest.fixture
def supplied(upgraded_url: str, make_rig: MakeRig) -> Rig:
    """Return a desk with the rule book and the services that are supplied."""
    return make_rig(upgraded_url, book=CONFIG / "rules.yaml")


@pytest.fixture
def on_sqlite(sqlite_file: str, make_rig: MakeRig) -> Rig:
    """Return a desk on SQLite."""
    return make_rig(sqlite_file)


@pytest.fixture
def on_postgresql(emptied_postgresql: str, make_rig: MakeRig) -> Rig:
    """Return a desk on PostgreSQL."""
    return make_rig(emptied_postgresql)


def supplied_inventory() -> TimedInventory:
    """Return the sandbox's world of services."""
    inventory = CsvInventory(CONFIG / "services.csv", any_live=True)
    return TimedInventory(inventory, immediate=True)
