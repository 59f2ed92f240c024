"""Fixtures for folders with many tests: an application that stands for the session."""

import pytest
from flask import Flask

from supplier_api.app.services import ClockPair
from supplier_api.clock import ManualBusinessClock, ManualMachineClock

Clocks = tuple[ManualMachineClock, ManualBusinessClock, ClockPair]


@pytest.fixture
def sqlite_file(emptied_sqlite: str) -> str:
    """Return the URL of the session's SQLite file, emptied."""
    return emptied_sqlite


@pytest.fixture
def clocks(
    clocks_at_noon: Clocks,
) -> Clocks:
    """Return the session's clocks, put back to noon."""
    return clocks_at_noon


@pytest.fixture
def app(standing_app: Flask, clocks: Clocks, clocks_at_noon: Clocks) -> Flask:
    """Return the supplier's web application."""
    assert clocks is clocks_at_noon, "a test with clocks of its own needs own_app"
    return standing_app
