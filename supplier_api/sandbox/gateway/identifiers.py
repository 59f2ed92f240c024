"""The ids that the gateway gives: any, or for a tenant with a seed the same every time."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from supplier_api.ids import Chance, SeededChance
from supplier_api.sandbox.gateway.database import GatewayDatabase
from supplier_api.sandbox.gateway.tables import change, meta, problem, resolution

# In `meta`: a tenant's seed (without a name that of all who have none), and behind the last number
# that was given in a series: the table, and where the series begins.
SEED = "seed/"
LAST = "last/"
ALL = ""
NUMBERED = (problem, change, resolution)
# The numbers of a seeded tenant begin at a place of its own, beyond all that are counted from 1,
# and below 2^53: some tools read JSON numbers as floating-point ones.
FIRST_SERIES = 10**12
SERIES = 2**31
SERIES_LENGTH = 10**6


class Identifiers:
    """A source of ids as chance.Chance is, and of the numbers of problems, changes, resolutions.

    Only this process reads and writes the seeds: what is in memory holds.
    """

    def __init__(self, database: GatewayDatabase, otherwise: Chance) -> None:
        """Take up the seeds that are kept in the file; ask `otherwise` where there is none."""
        self._otherwise = otherwise
        self._seeds: Mapping[str, int] = database.write(_taken_up)

    def uuid(self, tenant: str, *what: object) -> UUID:
        """Return a UUID; the same for the same seed and the same thing."""
        return self._source(tenant, what).uuid(tenant, *what)

    def message_id(self, tenant: str, *what: object) -> UUID:
        """Return the UUID of a message, with the same promise."""
        return self._source(tenant, what).message_id(tenant, *what)

    def reference(self, tenant: str, prefix: str, *what: object) -> str:
        """Return a reference, with the same promise."""
        return self._source(tenant, what).reference(tenant, prefix, *what)

    def jitter(self, share: float) -> float:
        """Return a share that nothing depends on but how long something takes."""
        return self._otherwise.jitter(share)

    def number(self, connection: Connection, table: Table, tenant: str) -> int:
        """Return the next number for a row of one of NUMBERED; those that are taken are skipped."""
        first = _first(self._seed(tenant), tenant)
        kept = f"{LAST}{table.name}/{first}"
        last = connection.scalar(select(meta.c.value).where(meta.c.name == kept))
        number = (first if last is None else int(last)) + 1
        while connection.scalar(select(table.c.id).where(table.c.id == number)) is not None:
            number += 1
        if last is None:
            connection.execute(insert(meta).values(name=kept, value=str(number)))
        else:
            connection.execute(update(meta).where(meta.c.name == kept).values(value=str(number)))
        return number

    def keep_seed(self, connection: Connection, tenant: str, seed: int | None) -> None:
        """Give a tenant, or with "" everybody, another seed, or none; its numbers begin anew.

        It holds for this process once `follow` is called: after the commit.
        """
        seeds = dict(self._seeds)
        if tenant == ALL:
            connection.execute(delete(meta).where(meta.c.name.startswith(SEED)))
            _forget_series(connection, [last for last in _series(connection) if last > 0])
        else:
            connection.execute(delete(meta).where(meta.c.name == f"{SEED}{tenant}"))
            known = {seeds.get(tenant), seeds.get(ALL), seed}
            _forget_series(connection, [_first(each, tenant) for each in known if each])
        if seed is not None:
            connection.execute(insert(meta).values(name=f"{SEED}{tenant}", value=str(seed)))

    def follow(self, database: GatewayDatabase) -> None:
        """Go by the seeds that are kept in the file."""
        self._seeds = database.read(_seeds)

    def _seed(self, tenant: str) -> int | None:
        return self._seeds.get(tenant, self._seeds.get(ALL))

    def _source(self, tenant: str, what: tuple[object, ...]) -> Chance:
        # What has no name, or no tenant, cannot be repeated: a token, say.
        seed = self._seed(tenant) if tenant and what else None
        return self._otherwise if seed is None else SeededChance(seed)


def _first(seed: int | None, tenant: str) -> int:
    """Return the number before the first of a tenant's."""
    if seed is None:
        return 0
    place = SeededChance(seed).uuid(tenant, "numbers").int % SERIES
    return FIRST_SERIES + place * SERIES_LENGTH


def _taken_up(connection: Connection) -> dict[str, int]:
    """Return the seeds. A file that counted by itself before goes on behind its last number."""
    for table in NUMBERED:
        kept = f"{LAST}{table.name}/0"
        if connection.scalar(select(meta.c.value).where(meta.c.name == kept)) is None:
            last = connection.scalar(select(func.max(table.c.id))) or 0
            connection.execute(insert(meta).values(name=kept, value=str(last)))
    return _seeds(connection)


def _seeds(connection: Connection) -> dict[str, int]:
    rows = connection.execute(select(meta).where(meta.c.name.startswith(SEED)))
    return {row.name.removeprefix(SEED): int(row.value) for row in rows}


def _series(connection: Connection) -> set[int]:
    names = connection.scalars(select(meta.c.name).where(meta.c.name.startswith(LAST)))
    return {int(name.rpartition("/")[2]) for name in names}


def _forget_series(connection: Connection, firsts: list[int]) -> None:
    names = [f"{LAST}{table.name}/{first}" for table in NUMBERED for first in firsts]
    connection.execute(delete(meta).where(meta.c.name.in_(names)))
