"""The gateway's business time: it follows that of the supplier under test, wherever that is put."""

import json
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from supplier_api.clock import MachineClock, Scale, from_wire
from supplier_api.sandbox.gateway.database import GatewayDatabase
from supplier_api.sandbox.gateway.tables import meta

# Tenants' clocks are kept under this and their names; everybody else's under this alone.
KEPT_AS = "clock/"
ALL = ""


class MovableClock:
    """Business time for each tenant. Kept in the file, so that it outlives a restart.

    Only this process reads and writes it: what is in memory holds.
    """

    def __init__(self, database: GatewayDatabase, machine: MachineClock) -> None:
        """Take up the clocks where they were left."""
        self._database = database
        self._machine = machine
        self._moving = threading.Lock()
        self._scales: Mapping[str, Scale] = database.read(_kept)

    def now(self, tenant: str) -> datetime:
        """Return the tenant's time."""
        return self._scale(tenant).at(self._machine.now())

    def scales(self) -> Mapping[str, Scale]:
        """Return the scale of each clock that was moved."""
        return self._scales

    def put(self, tenant: str, to: datetime, *, stands: bool) -> None:
        """Put a tenant's clock, or with "" everybody else's, to a time: to stand there or run."""
        ahead = to - self._machine.now()
        self._change(tenant, Scale(stands_at=to) if stands else Scale(ahead))

    def forget(self, tenant: str) -> None:
        """Let a tenant's clock run as everybody else's does; with "" let all follow real time."""
        self._change(tenant, None)

    def _scale(self, tenant: str) -> Scale:
        return self._scales.get(tenant) or self._scales.get(ALL) or Scale()

    def _change(self, tenant: str, scale: Scale | None) -> None:
        with self._moving:
            scales = dict(self._scales)
            if scale is not None:
                scales[tenant] = scale
            elif tenant == ALL:
                scales.clear()
            else:
                scales.pop(tenant, None)
            self._database.write(lambda connection: _keep(connection, scales))
            self._scales = scales


def _kept(connection: Connection) -> dict[str, Scale]:
    rows = connection.execute(select(meta).where(meta.c.name.startswith(KEPT_AS)))
    return {row.name.removeprefix(KEPT_AS): _scale(json.loads(row.value)) for row in rows}


def _keep(connection: Connection, scales: Mapping[str, Scale]) -> None:
    connection.execute(delete(meta).where(meta.c.name.startswith(KEPT_AS)))
    for tenant, scale in scales.items():
        stands_at = scale.stands_at.isoformat() if scale.stands_at else None
        value = json.dumps({"ahead": scale.ahead.total_seconds(), "stands_at": stands_at})
        connection.execute(insert(meta).values(name=f"{KEPT_AS}{tenant}", value=value))


def _scale(kept: Mapping[str, float | str | None]) -> Scale:
    stands_at = kept["stands_at"]
    return Scale(
        timedelta(seconds=float(kept["ahead"] or 0)),
        from_wire(str(stands_at)) if stands_at else None,
    )
