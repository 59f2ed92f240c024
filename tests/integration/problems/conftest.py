"""A rig for each test, on a database that was created and upgraded once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supplier_api.rules.inventory import CsvInventory, TimedInventory
from tests.integration.problems.rig import Rig

CONFIG = Path(__file__).parents[3] / "config"
BOOK = Path(__file__).with_name("book.yaml")

MakeRig = Callable[..., Rig]


@pytest.fixture
def make_rig() -> Iterator[MakeRig]:
    """Yield a function that makes rigs; they are closed after the test."""
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
    """Return a rig with a rule book that reads the outcome from the request."""
    return make_rig(upgraded_url)


@pytest.fixture
def supplied(upgraded_url: str, make_rig: MakeRig) -> Rig:
    """Return a rig with the supplied rule book and services."""
    return make_rig(upgraded_url, book=CONFIG / "rules.yaml")


@pytest.fixture
def on_sqlite(sqlite_file: str, make_rig: MakeRig) -> Rig:
    """Return a rig on SQLite."""
    return make_rig(sqlite_file)


@pytest.fixture
def on_postgresql(emptied_postgresql: str, make_rig: MakeRig) -> Rig:
    """Return a rig on PostgreSQL."""
    return make_rig(emptied_postgresql)


def supplied_inventory() -> TimedInventory:
    """Return the inventory of the sandbox."""
    inventory = CsvInventory(CONFIG / "services.csv", any_live=True)
    return TimedInventory(inventory, immediate=True)
