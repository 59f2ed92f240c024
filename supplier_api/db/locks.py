"""How an upgrade of a PostgreSQL in use takes locks: with a short timeout, several times."""

import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import OperationalError

from supplier_api.db.errors import StoreBusy

T = TypeVar("T")

# A transaction that waits for a lock blocks all later ones that need the table.
LOCK_TIMEOUT_MS = 2000
# A concurrent index build waits for the transactions under way; that blocks nobody.
BUILD_TIMEOUT_MS = 30_000
TRIES = 5
PAUSE = 1.0  # seconds between two tries
_LOCK_TIMEOUT = "55P03"


def patiently(step: Callable[[], T]) -> T:
    """Run a step that can be repeated until it gets its locks in time; raises StoreBusy."""
    for left in reversed(range(TRIES)):
        try:
            return step()
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_TIMEOUT:
                raise
            if left == 0:
                raise StoreBusy("the tables are in use: try again at a quieter time") from error
            time.sleep(PAUSE)
    raise AssertionError("unreachable")
