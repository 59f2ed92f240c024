"""An application for the back office's door that stands for the session."""

import pytest
from flask import Flask

from supplier_api.app.services import ClockPair
from supplier_api.clock import ManualBusinessClock, ManualMachineClock


@pytest.fixture
def sqlite_file(emptied_sqlite: str) -> str:
    """Return the URL of the session's SQLite file, emptied."""
    return emptied_sqlite


@pytest.fixture
def clocks(
    clocks_at_noon: tuple[ManualMachineClock, ManualBusinessClock, ClockPair],
) -> tuple[ManualMachineClock, ManualBusinessClock, ClockPair]:
    """Return the session's clocks, put back to noon."""
    return clocks_at_noon


@pytest.fixture
def app(standing_app: Flask) -> Flask:
    """Return the supplier's web application."""
    return standing_app
