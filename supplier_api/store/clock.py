"""Machine time that every machine around one PostgreSQL agrees on: the database's own."""

import threading
from datetime import datetime, timedelta

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

from supplier_api.clock import MachineClock

MEASURE_EVERY = 60.0  # seconds


class DatabaseClock:
    """The database's clock, read once a minute and carried on by this host's monotonic clock.

    Leases and waits of several machines are compared with each other, so they are all on this one
    scale; a jump of a host's own clock has no effect on it.
    """

    def __init__(self, engine: Engine, host: MachineClock) -> None:
        """Read `engine`'s clock now; raises SQLAlchemy's DBAPIError when it cannot be reached."""
        self._engine = engine
        self._host = host
        self._measuring = threading.Lock()
        # One value, replaced whole: a thread that reads it while another measures anew gets the old
        # reading or the new one, never the time of one with the second of the other.
        self._measured = self._measure()

    def now(self) -> datetime:
        """Return the database's time, aware, in UTC."""
        _, at = self._measured
        if self.monotonic() - at > MEASURE_EVERY and self._measuring.acquire(blocking=False):
            try:
                self._measured = self._measure()
            except DBAPIError:
                # Carried on from the last reading until the database is back.
                pass
            finally:
                self._measuring.release()
        base, at = self._measured
        return base + timedelta(seconds=self.monotonic() - at)

    def monotonic(self) -> float:
        """Return this host's monotonic seconds."""
        return self._host.monotonic()

    def _measure(self) -> tuple[datetime, float]:
        """Return the database's time, and the monotonic second at which it was that."""
        with self._engine.connect() as connection:
            before = self.monotonic()
            now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            after = self.monotonic()
        return now, (before + after) / 2
