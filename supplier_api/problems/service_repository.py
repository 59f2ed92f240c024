"""The repositories of services: what is known of one, and the network incidents on them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ScalarSelect,
    Select,
    String,
    bindparam,
    delete,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ColumnElement

from supplier_api.db.compiled_statements import CompiledStatement
from supplier_api.db.tables import incident, incident_service, service_problem
from supplier_api.db.unit_of_work import UnitOfWork
from supplier_api.problems.model import TERMINAL, Base

_p = service_problem.c
_i = incident.c
_covered = incident_service.c
# A problem in any other base state is "already open" on its service.
NOT_OPEN = (*sorted(TERMINAL), Base.RESOLVED)
# The lock under which creates read the incidents and a declaration writes them.
INCIDENTS_LOCK = 0x1C1DE47

# The locks of a create, from left to right: the incidents, which creates only share, then the
# service. Both last until the transaction ends.
LOCKS = (
    func.pg_advisory_xact_lock_shared(INCIDENTS_LOCK),
    func.pg_advisory_xact_lock(func.hashtextextended(bindparam("locked", type_=String), 0)),
)
_LOCK = CompiledStatement(select(*LOCKS))
_SERVICE_ID = bindparam("service_id", type_=String)
LOOK = CompiledStatement(
    union_all(
        select(_p.id, _p.gateway_id, _p.reference, _p.doubtful).where(
            _p.tenant == bindparam("tenant", type_=String),
            _p.service_id == _SERVICE_ID,
            or_(_p.doubtful, _p.base.not_in(literal_column(f"'{base}'") for base in NOT_OPEN)),
        ),
        select(
            _i.id,
            literal(None, BigInteger),
            _i.code,
            _i.source == literal_column("'inventory'"),
        )
        .join(incident_service, _covered.incident_id == _i.id)
        .where(_covered.service_id == _SERVICE_ID, _i.ended.is_(None)),
    )
)


def lock_name(tenant: str, service_id: str) -> str:
    """Return the name of the lock on a tenant's service: the parameter `locked` of LOCKS."""
    return f"{tenant}/{service_id}"


@dataclass(frozen=True, slots=True)
class KnownOfService:
    """The open problems and incidents on a service.

    `open_problems` are the gateway's ids of the tenant's problems that are open: not our
    references, for of an undecided one the tenant has none yet. Doubtful problems (their answer may
    never have reached the gateway) do not count; `doubtful_reference` is that of the newest.
    `incidents` are the codes of those that last, the oldest first; `from_inventory` are those of
    them that last as long as the inventory names them.
    """

    open_problems: list[str]
    doubtful_reference: str | None
    incidents: list[str]
    from_inventory: list[str]


class ServiceRepository:
    """Reads and locks services within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection
        self._locking = uow.dialect == "postgresql"

    def lock(self, tenant: str, service_id: str) -> None:
        """Exclude declarations of incidents, and other creates on the same service.

        Both locks last until the transaction ends. On SQLite the transaction itself is that lock.
        """
        if self._locking:
            _LOCK.send(self._connection, {"locked": lock_name(tenant, service_id)})

    def look(self, tenant: str, service_id: str, before: int | None = None) -> KnownOfService:
        """Return what is known of a service; it must have been locked by an earlier statement.

        With `before`, a problem's row id, only problems that were stored before it count.
        """
        found = LOOK.run(self._connection, {"tenant": tenant, "service_id": service_id})
        rows = sorted(found, key=itemgetter(0))
        problems = [row for row in rows if row[1] is not None and row[0] < (before or row[0] + 1)]
        incidents = [(code, of_inventory) for _, none, code, of_inventory in rows if none is None]
        doubtful = [reference for _, _, reference, in_doubt in problems if in_doubt]
        return KnownOfService(
            open_problems=[str(row[1]) for row in problems if not row[3]],
            doubtful_reference=doubtful[-1] if doubtful else None,
            incidents=[code for code, _ in incidents],
            from_inventory=[code for code, of_inventory in incidents if of_inventory],
        )


class IncidentSource(StrEnum):
    """Where an incident comes from, which also decides when it is over."""

    DECLARED = "declared"
    INVENTORY = "inventory"


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident, the number of its services, and the number of linked problems.

    `declared` and `ended` are machine time.
    """

    code: str
    text: str | None
    source: str
    declared: datetime
    ended: datetime | None
    services: int
    linked: int


@dataclass(frozen=True, slots=True)
class Link:
    """A service with problems that are linked to an incident of the inventory."""

    code: str
    tenant: str
    service_id: str


class IncidentRepository:
    """Reads and writes incidents within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection
        self._locking = uow.dialect == "postgresql"

    def lock(self, *, shared: bool) -> None:
        """Lock the incidents: shared to read them in a create, else exclusively to change them."""
        if self._locking:
            take = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
            self._connection.execute(select(take(INCIDENTS_LOCK)))

    def declare(self, code: str, services: Collection[str], text: str | None, at: datetime) -> None:
        """Store an incident over these services; there must be none of this code."""
        values = {"code": code, "text": text, "declared": at, "source": IncidentSource.DECLARED}
        row_id = self._connection.execute(insert(incident).returning(_i.id), values).scalar_one()
        if services:
            self._connection.execute(
                insert(incident_service),
                [{"incident_id": row_id, "service_id": service} for service in set(services)],
            )

    def note(self, code: str, service_id: str, at: datetime) -> None:
        """Store an incident of the inventory if it is new; several creates may do so at once."""
        dialect = postgresql if self._locking else sqlite
        values = {"code": code, "declared": at, "source": IncidentSource.INVENTORY}
        self._connection.execute(dialect.insert(incident).on_conflict_do_nothing(), values)
        row_id = self._connection.execute(select(_i.id).where(_i.code == code)).scalar_one()
        covered = {"incident_id": row_id, "service_id": service_id}
        self._connection.execute(dialect.insert(incident_service).on_conflict_do_nothing(), covered)

    def uncover(self, code: str, service_id: str) -> None:
        """Remove a service from an incident of the inventory, which no longer names it there."""
        of_code = select(_i.id).where(_i.code == code, _i.source == IncidentSource.INVENTORY)
        self._connection.execute(
            delete(incident_service).where(
                _covered.incident_id.in_(of_code), _covered.service_id == service_id
            )
        )

    def end(self, code: str, at: datetime) -> bool:
        """End an incident; returns False if there is none of that code that lasts."""
        ended = self._connection.execute(
            update(incident).where(_i.code == code, _i.ended.is_(None)), {"ended": at}
        )
        return ended.rowcount > 0

    def lasting(self, code: str) -> bool:
        """Return whether the incident lasts."""
        query = select(_i.id).where(_i.code == code, _i.ended.is_(None))
        return self._connection.execute(query).scalar() is not None

    def ended(self, code: str) -> bool:
        """Return whether the incident was declared here and has ended."""
        query = select(_i.id).where(_i.code == code, _i.ended.is_not(None))
        return self._connection.execute(query).scalar() is not None

    def on_service(self, service_id: str) -> list[str]:
        """Return the codes of the incidents that last on a service, the oldest first."""
        query = (
            select(_i.code)
            .join(incident_service, _covered.incident_id == _i.id)
            .where(_covered.service_id == service_id, _i.ended.is_(None))
            .order_by(_i.id)
        )
        return list(self._connection.execute(query).scalars())

    def services(self, code: str) -> set[str]:
        """Return the services that an incident covers."""
        query = select(_covered.service_id).join(incident, _covered.incident_id == _i.id)
        return set(self._connection.execute(query.where(_i.code == code)).scalars())

    def find(self, code: str) -> Incident | None:
        """Return the incident of that code, whether it lasts or not."""
        row = self._connection.execute(_shown().where(_i.code == code)).first()
        return Incident(*row) if row else None

    def at_work(self) -> list[Incident]:
        """Return declared incidents that last, and all incidents with linked problems."""
        declared = (_i.ended.is_(None)) & (_i.source == IncidentSource.DECLARED)
        linked = select(_p.incident).where(_p.incident.is_not(None)).distinct()
        query = _shown().where(or_(declared, _i.code.in_(linked))).order_by(_i.id)
        return [Incident(*row) for row in self._connection.execute(query)]

    def links(self, after: Link | None, limit: int) -> Sequence[Link]:
        """Return the services whose problems are linked to incidents of the inventory.

        In the order of their values, those that come after `after`.
        """
        columns = (_p.incident, _p.tenant, _p.service_id)
        query = (
            select(*columns)
            .join(incident, _i.code == _p.incident)
            .where(_i.source == IncidentSource.INVENTORY, _i.ended.is_(None))
        )
        if after:
            query = query.where(tuple_(*columns) > (after.code, after.tenant, after.service_id))
        rows = self._connection.execute(query.distinct().order_by(*columns).limit(limit))
        return [Link(*row) for row in rows]


def _shown() -> Select[Any]:
    columns = (
        _i.code,
        _i.text,
        _i.source,
        _i.declared,
        _i.ended,
    )
    return select(
        *columns,
        _count(_covered.incident_id == _i.id),
        _count(_p.incident == _i.code),
    )


def _count(which: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).where(which).correlate(incident).scalar_subquery()
