"""The application stands for the session, at the host's time, which is what the commands go by."""

from datetime import UTC, datetime, timedelta

import pytest

from supplier_api.app.services import ClockPair
from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from tests.integration.standing import app, sqlite_file

__all__ = ["app", "sqlite_file"]


@pytest.fixture
def behind() -> timedelta:
    """Return how long before the host's time a test begins, so that it can let time pass."""
    return timedelta()


@pytest.fixture
def clocks(
    clocks_at_noon: tuple[ManualMachineClock, ManualBusinessClock, ClockPair],
    behind: timedelta,
) -> tuple[ManualMachineClock, ManualBusinessClock, ClockPair]:
    """Return the session's clocks, put to the host's time or before it."""
    clocks_at_noon[0].instant = datetime.now(UTC) - behind
    return clocks_at_noon
