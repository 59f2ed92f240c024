"""What testers set: the gateway's business time, and the seeds that its ids follow from.

Both are kept in the file, so that they outlive a restart. Only this process reads and writes them:
what is in memory holds.
"""

import json
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select

from supplier_api.clock import MachineClock, Scale, from_wire
from supplier_api.db import Store
from supplier_api.ids import IdSource, SeededIdSource
from supplier_api.sandbox.gateway.database import delete_values, keep_value, value, values
from supplier_api.sandbox.gateway.model import Change, Numbered, Problem, StoredResolution

# The name of everybody who has no clock, or seed, of his own.
ALL = ""
# What is kept, by the tenant's name behind this.
CLOCK = "clock/"
SEED = "seed/"
# The last number that was given in a series, behind this: the table, and where the series begins.
LAST = "last/"
NUMBERED = (Problem, Change, StoredResolution)
# The numbers of a seeded tenant begin at a place of its own, beyond all that are counted from 1,
# and below 2^53: some tools read JSON numbers as floating-point ones.
FIRST_SERIES = 10**12
SERIES = 2**31
SERIES_LENGTH = 10**6


class MovableClock:
    """Business time for each tenant: it follows that of the supplier under test."""

    def __init__(self, database: Store, machine: MachineClock) -> None:
        """Take up the clocks where they were left."""
        self._database = database
        self._machine = machine
        self._moving = threading.Lock()
        kept = database.read(lambda uow: values(uow.connection, CLOCK))
        self._scales: Mapping[str, Scale] = {name: _read(text) for name, text in kept.items()}

    def now(self, tenant: str) -> datetime:
        """Return the tenant's time."""
        scale = self._scales.get(tenant) or self._scales.get(ALL) or Scale()
        return scale.at(self._machine.now())

    def scales(self) -> Mapping[str, Scale]:
        """Return the scale of each clock that was moved."""
        return self._scales

    def put(self, tenant: str, to: datetime, *, stands: bool) -> None:
        """Put a tenant's clock, or with "" everybody else's, to a time: to stand there or run."""
        scale = Scale(stands_at=to) if stands else Scale(to - self._machine.now())
        with self._moving:
            self._database.write(
                lambda uow: keep_value(uow.connection, f"{CLOCK}{tenant}", _written(scale))
            )
            self._scales = {**self._scales, tenant: scale}

    def forget(self, tenant: str) -> None:
        """Let a tenant's clock run as everybody else's does; with "" let all follow real time."""
        with self._moving:
            gone = list(self._scales) if tenant == ALL else [tenant]
            names = [f"{CLOCK}{name}" for name in gone]
            self._database.write(lambda uow: delete_values(uow.connection, names))
            self._scales = {name: it for name, it in self._scales.items() if name not in gone}


class Identifiers:
    """Gives UUIDs, and the numbers of problems, changes and resolutions.

    They are any, or for a tenant with a seed the same every time.
    """

    def __init__(self, database: Store, otherwise: IdSource) -> None:
        """Take up the seeds that are kept in the file; ask `otherwise` where there is none."""
        self._database = database
        self._otherwise = otherwise
        self.reload()

    def reload(self) -> None:
        """Go by the seeds that are kept in the file."""
        kept = self._database.read(lambda uow: values(uow.connection, SEED))
        self._seeds = {tenant: int(seed) for tenant, seed in kept.items()}

    def uuid(self, tenant: str, *what: object) -> UUID:
        """Return a UUID; the same for the same seed and the same thing."""
        seed = self._seed(tenant)
        source = self._otherwise if seed is None else SeededIdSource(seed)
        return source.uuid(tenant, *what)

    def number(self, connection: Connection, kind: Numbered, tenant: str) -> int:
        """Return the next number for a row of one of NUMBERED; those that are taken are skipped."""
        first = _before_first(self._seed(tenant), tenant)
        name = f"{LAST}{kind.__tablename__}/{first}"
        number = int(value(connection, name) or first) + 1
        while connection.scalar(select(kind.id).where(kind.id == number)) is not None:
            number += 1
        keep_value(connection, name, str(number))
        return number

    def keep_seed(self, connection: Connection, tenant: str, seed: int | None) -> None:
        """Give a tenant, or with "" everybody, another seed, or none; its numbers begin anew.

        It holds for this process once `reload` is called: after the commit.
        """
        if tenant == ALL:
            gone = [f"{SEED}{name}" for name in values(connection, SEED)]
            numbered = values(connection, LAST)
            gone += [f"{LAST}{name}" for name in numbered if not name.endswith("/0")]
        else:
            known = {self._seeds.get(tenant), self._seeds.get(ALL), seed}
            firsts = [_before_first(each, tenant) for each in known if each]
            gone = [f"{LAST}{kind.__tablename__}/{first}" for kind in NUMBERED for first in firsts]
            gone.append(f"{SEED}{tenant}")
        delete_values(connection, gone)
        if seed is not None:
            keep_value(connection, f"{SEED}{tenant}", str(seed))

    def _seed(self, tenant: str) -> int | None:
        return self._seeds.get(tenant, self._seeds.get(ALL))


def _read(text: str) -> Scale:
    kept = json.loads(text)
    stands_at = kept["stands_at"]
    return Scale(timedelta(seconds=kept["ahead"]), from_wire(stands_at) if stands_at else None)


def _written(scale: Scale) -> str:
    stands_at = scale.stands_at.isoformat() if scale.stands_at else None
    return json.dumps({"ahead": scale.ahead.total_seconds(), "stands_at": stands_at})


def _before_first(seed: int | None, tenant: str) -> int:
    """Return the number before the first of a tenant's."""
    if seed is None:
        return 0
    place = SeededIdSource(seed).uuid(tenant, "numbers").int % SERIES
    return FIRST_SERIES + place * SERIES_LENGTH
