"""Ways to trip up the desk in the middle of its transaction."""

import threading
from collections.abc import Callable

from supplier_api.ids import SeededChance

PATIENCE = 30.0  # seconds after which a test that waits has failed


class Interrupted(SeededChance):
    """A source that does something else first when it is asked for a reference.

    References are made within transactions, after what they depend on was read.
    """

    def __init__(self, seed: int = 1) -> None:
        super().__init__(seed)
        self._next: list[Callable[[], object]] = []
        self.calls = 0

    def interrupt(self, *doings: Callable[[], object]) -> None:
        """Do these, one before each of the next references."""
        self._next.extend(doings)

    def reference(self, tenant: str, prefix: str, *what: object) -> str:
        self.calls += 1
        if self._next:
            self._next.pop(0)()
        return super().reference(tenant, prefix, *what)


class Gate:
    """A place where one thread stops until another lets it pass."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._opened = threading.Event()

    def pass_through(self) -> None:
        """Say that the gate was reached and wait until it opens."""
        self._reached.set()
        assert self._opened.wait(PATIENCE)

    def wait_reached(self) -> None:
        """Wait until a thread stands at the gate."""
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        """Let it pass."""
        self._opened.set()
