"""The repository of business clocks that were moved (sandbox)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, update

from supplier_api.clock import Scale
from supplier_api.db.tables import business_clock
from supplier_api.db.unit_of_work import UnitOfWork

_t = business_clock.c
ALL = ""
_LOCK = 0xC10C4
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class TenantClock:
    """A tenant's clock, or with the tenant "" the clock of all tenants without their own.

    It runs `ahead` of machine time, or stands at `stands_at`. It stands while it is moved to
    `target`; `runs_on` is whether it runs again from there.
    """

    tenant: str
    ahead: timedelta = timedelta()
    stands_at: datetime | None = None
    target: datetime | None = None
    runs_on: bool = True

    @property
    def scale(self) -> Scale:
        """How the clock follows machine time at present."""
        return Scale(self.ahead, self.stands_at)


class BusinessClockRepository:
    """Reads and writes clocks within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection
        self._wake = uow.wake

    def scale(self, tenant: str) -> Scale:
        """Return the scale of a tenant: its own, or else the default."""
        query = select(*_COLUMNS).where(_t.tenant.in_({tenant, ALL})).order_by(_t.tenant.desc())
        row = self._connection.execute(query.limit(1)).first()
        return _clock(row).scale if row else Scale()

    def by_tenant(self) -> dict[str, TenantClock]:
        """Return every clock by tenant; the default clock is always included and comes first."""
        rows = self._connection.execute(select(*_COLUMNS).order_by(_t.tenant))
        return {ALL: TenantClock(ALL), **{row.tenant: _clock(row) for row in rows}}

    def lock(self) -> dict[str, TenantClock]:
        """Lock all clocks until this transaction ends, and return them by tenant."""
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        return self.by_tenant()

    def put(self, clock: TenantClock) -> None:
        """Store a locked or new clock."""
        values = {
            "ahead": clock.ahead // MICROSECOND,
            "stands_at": clock.stands_at,
            "target": clock.target,
            "runs_on": clock.runs_on,
        }
        stored = update(business_clock).where(_t.tenant == clock.tenant)
        if self._connection.execute(stored, values).rowcount == 0:
            self._connection.execute(insert(business_clock), {"tenant": clock.tenant, **values})
        self._wake()


_COLUMNS = [_t[name] for name in TenantClock.__slots__]


def _clock(row: Any) -> TenantClock:
    return TenantClock(row.tenant, row.ahead * MICROSECOND, row.stands_at, row.target, row.runs_on)
