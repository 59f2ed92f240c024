"""Ways to interrupt a use case in the middle of its transaction."""

import threading
import time
from collections.abc import Callable

import psycopg
from sqlalchemy import make_url

from supplier_api.ids import SeededIdSource
from tests.waiting import PATIENCE


class Interrupted(SeededIdSource):
    """A source of ids that runs other code first when it is asked for a reference.

    References are made within transactions, after what they depend on was read.
    """

    def __init__(self, seed: int = 1) -> None:
        super().__init__(seed)
        self._next: list[Callable[[], object]] = []
        self.calls = 0

    def interrupt(self, *doings: Callable[[], object]) -> None:
        """Run these, one before each of the next references."""
        self._next.extend(doings)

    def reference(self, tenant: str, prefix: str, *what: object) -> str:
        self.calls += 1
        if self._next:
            self._next.pop(0)()
        return super().reference(tenant, prefix, *what)


def wait_until_one_waits(url: str) -> None:
    """Return once a connection to that PostgreSQL database waits for what another has locked."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    waiting = (
        "SELECT 1 FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    until = time.monotonic() + PATIENCE
    with psycopg.connect(address, autocommit=True) as connection:
        while connection.execute(waiting).fetchone() is None:
            assert time.monotonic() < until, "nobody waits for a lock"


class Gate:
    """A place where one thread waits until another opens it."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._opened = threading.Event()

    def pass_through(self) -> None:
        """Report that the gate was reached, and wait until it opens."""
        self._reached.set()
        assert self._opened.wait(PATIENCE)

    def wait_reached(self) -> None:
        """Wait until a thread has reached the gate."""
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        """Open the gate."""
        self._opened.set()
