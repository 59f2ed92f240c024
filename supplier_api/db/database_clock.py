"""Machine time that all machines on one PostgreSQL share: the database's own."""

import threading
from datetime import datetime, timedelta

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from supplier_api.clock import MachineClock
from supplier_api.db.error_mapping import store_error
from supplier_api.db.postgresql import LEFT

MEASURE_EVERY = 60.0  # seconds
MEASURE_AGAIN = 5.0  # seconds after the clock could not be read
ANSWER_SECONDS = 0.5  # for the query: a request may be waiting for it


class DatabaseClock:
    """The database's clock, read once a minute and continued by this host's monotonic clock.

    Leases and waits of several machines are compared with each other, so all use this one clock; a
    jump of a host's own clock has no effect on it.
    """

    def __init__(self, engine: Engine, host: MachineClock) -> None:
        """Read `engine`'s clock now; raises StoreUnavailable when it cannot be reached."""
        self._engine = engine
        self._host = host
        self._measuring = threading.Lock()
        # One value, replaced as a whole: a thread that reads it while another measures gets the old
        # reading or the new one, never the time of one with the second of the other.
        try:
            self._measured = self._measure()
        except (DBAPIError, PoolTimeout) as error:
            raise store_error(error) from error
        self._measure_at = self._measured[1] + MEASURE_EVERY

    def now(self) -> datetime:
        """Return the database's time, aware, in UTC."""
        if self.monotonic() > self._measure_at and self._measuring.acquire(blocking=False):
            try:
                self._measured = self._measure()
                self._measure_at = self._measured[1] + MEASURE_EVERY
            except (DBAPIError, PoolTimeout):
                # Carried on from the last reading until the database is back.
                self._measure_at = self.monotonic() + MEASURE_AGAIN
            finally:
                self._measuring.release()
        base, at = self._measured
        return base + timedelta(seconds=self.monotonic() - at)

    def monotonic(self) -> float:
        """Return this host's monotonic seconds."""
        return self._host.monotonic()

    def _measure(self) -> tuple[datetime, float]:
        """Return the database's time, and the monotonic second at which it was read."""
        with self._engine.connect() as connection:
            connection.info[LEFT] = lambda: ANSWER_SECONDS
            before = self.monotonic()
            now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            after = self.monotonic()
        return now, (before + after) / 2
