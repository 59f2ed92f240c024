"""A journal on a database of its own."""

from collections.abc import Iterator

import pytest

from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.db import Store


@pytest.fixture
def machine() -> ManualMachineClock:
    return ManualMachineClock()


@pytest.fixture
def business(machine: ManualMachineClock) -> ManualBusinessClock:
    return ManualBusinessClock(machine)


@pytest.fixture
def store(upgraded_url: str, machine: ManualMachineClock) -> Iterator[Store]:
    """Yield a store on an empty database, once for each engine."""
    store = Store(upgraded_url, machine)
    yield store
    store.close()
