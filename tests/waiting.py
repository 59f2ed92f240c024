"""Waits for what another process does, up to a deadline."""

import time
from collections.abc import Callable

PATIENCE = 120.0  # seconds: a busy machine is no finding
POLL = 0.02


def eventually(is_so: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Return as soon as `is_so`; fail after `patience` seconds, naming `what` was waited for."""
    until = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < until, f"waited {patience:.0f} s in vain for: {what}"
        time.sleep(POLL)
