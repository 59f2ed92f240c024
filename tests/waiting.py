"""Waits for what another process does, up to a deadline."""

import time
from collections.abc import Callable

PATIENCE = 120.0  # seconds: a busy machine is no finding
POLL, SLOWEST_POLL = 0.02, 0.5  # seconds between two looks: fewer and fewer, for those that cost


def eventually(is_so: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Return as soon as `is_so`; fail after `patience` seconds, naming `what` was waited for."""
    until, pause = time.monotonic() + patience, POLL
    while not is_so():
        assert time.monotonic() < until, f"waited {patience:.0f} s in vain for: {what}"
        time.sleep(pause)
        pause = min(1.2 * pause, SLOWEST_POLL)
