"""The repository of network incidents."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ScalarSelect,
    Select,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.sql import ColumnElement

from supplier_api.db.compiled_statements import CompiledStatement, UnitOfWork
from supplier_api.db.tables import (
    incident,
    incident_left,
    incident_scope,
    incident_service,
    service_problem,
)
from supplier_api.db.upsert import insert_for
from supplier_api.problems.incident_coverage import (
    SCOPE_COLUMNS,
    IncidentScope,
    ScopeKind,
    incidents_covering,
    keys_of,
)
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.repository import INCIDENTS_LOCK

_p = service_problem.c
_i = incident.c
_covered = incident_service.c
_left = incident_left.c
_scope = incident_scope.c
_COVERING = CompiledStatement(union_all(*incidents_covering()))
# Problems that could join. Written as in the partial indexes, of which each finds its own.
_OPEN = (
    _p.base.in_([literal_column("'ACKNOWLEDGED'"), literal_column("'IN_PROGRESS'")]),
    _p.base == literal_column("'UNDECIDED'"),
)
_parent = service_problem.alias().c
# A problem whose parent is in the same incident stays with it.
_WITH_PARENT = exists().where(_parent.reference == _p.parent, _parent.incident == _p.incident)


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

    def declare(
        self,
        code: str,
        services: Collection[str],
        scopes: Collection[IncidentScope],
        text: str | None,
        at: datetime,
    ) -> None:
        """Store an incident over these services and scopes; there must be none of this code."""
        values = {"code": code, "text": text, "declared": at, "source": IncidentSource.DECLARED}
        row_id = self._connection.execute(insert(incident).returning(_i.id), values).scalar_one()
        if services:
            self._connection.execute(
                insert(incident_service),
                [{"incident_id": row_id, "service_id": service} for service in set(services)],
            )
        if scopes:
            self._connection.execute(
                insert(incident_scope),
                [{"incident_id": row_id, **scope._asdict()} for scope in set(scopes)],
            )

    def note(self, code: str, service_id: str, at: datetime) -> None:
        """Store an incident of the inventory if it is new; several creates may do so at once."""
        dialect = self._connection.dialect.name
        values = {"code": code, "declared": at, "source": IncidentSource.INVENTORY}
        self._connection.execute(insert_for(dialect, incident).on_conflict_do_nothing(), values)
        row_id = self._connection.execute(select(_i.id).where(_i.code == code)).scalar_one()
        covered = {"incident_id": row_id, "service_id": service_id}
        self._connection.execute(
            insert_for(dialect, incident_service).on_conflict_do_nothing(), covered
        )

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

    def note_left(self, code: str, problem_id: int, at: datetime) -> None:
        """Store that a problem has left an incident, for the last time so far.

        A code that a rule or a scenario has given it is of no incident that is kept here.
        """
        row = select(_i.id, literal(problem_id), literal(at, _left.at.type)).where(_i.code == code)
        add = insert_for(self._connection.dialect.name, incident_left).from_select(
            ["incident_id", "problem_id", "at"], row
        )
        self._connection.execute(
            add.on_conflict_do_update(
                index_elements=["incident_id", "problem_id"], set_={"at": add.excluded.at}
            )
        )

    def members(self, code: str, after: int, limit: int) -> dict[int, datetime | None]:
        """Return row ids above `after` of problems that are or were in the incident, in order.

        With each goes when it left, None for one that is in it.
        """
        linked = select(_p.id, null().label("at")).where(_p.incident == code)
        left = select(_left.problem_id, _left.at).join(incident, _left.incident_id == _i.id)
        found: dict[int, datetime | None] = {}
        for query, of in ((left.where(_i.code == code), _left.problem_id), (linked, _p.id)):
            rows = self._connection.execute(query.where(of > after).order_by(of).limit(limit))
            found.update((row[0], row[1]) for row in rows)
        return dict(sorted(found.items())[:limit])

    def lasting(self, code: str) -> bool:
        """Return whether the incident lasts."""
        query = select(_i.id).where(_i.code == code, _i.ended.is_(None))
        return self._connection.execute(query).scalar() is not None

    def ended(self, code: str) -> bool:
        """Return whether the incident was declared here and has ended."""
        query = select(_i.id).where(_i.code == code, _i.ended.is_not(None))
        return self._connection.execute(query).scalar() is not None

    def covering(self, problem: ServiceProblem) -> list[str]:
        """Return the codes of the lasting incidents that a problem is part of, the oldest first."""
        rows = _COVERING.run(self._connection, keys_of(problem))
        return list(dict.fromkeys(code for _, code, _ in sorted(rows)))

    def lasts_on(self, code: str, service_id: str) -> bool:
        """Return whether the incident lasts, and is over that service."""
        query = select(_i.id).join(incident_service, _covered.incident_id == _i.id)
        here = (_i.code == code, _i.ended.is_(None), _covered.service_id == service_id)
        return self._connection.execute(query.where(*here)).scalar() is not None

    def services(self, code: str) -> set[str]:
        """Return the services that an incident covers."""
        query = select(_covered.service_id).join(incident, _covered.incident_id == _i.id)
        return set(self._connection.execute(query.where(_i.code == code)).scalars())

    def scopes(self, code: str) -> set[IncidentScope]:
        """Return the scopes that an incident is over."""
        query = select(_scope.kind, _scope.value).join(incident, _scope.incident_id == _i.id)
        rows = self._connection.execute(query.where(_i.code == code))
        return {IncidentScope(ScopeKind(kind), value) for kind, value in rows}

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
            .where(_i.source == IncidentSource.INVENTORY, _i.ended.is_(None), ~_WITH_PARENT)
        )
        if after:
            query = query.where(tuple_(*columns) > (after.code, after.tenant, after.service_id))
        rows = self._connection.execute(query.distinct().order_by(*columns).limit(limit))
        return [Link(*row) for row in rows]

    def joinable(self, code: str, after: int, limit: int) -> list[int]:
        """Return row ids above `after` of problems that the incident covers, and that could join.

        They are on its services, in its scopes, or children of problems that are part of it.
        """
        services = (
            select(_covered.service_id)
            .join(incident, _covered.incident_id == _i.id)
            .where(_i.code == code)
        )
        parents = select(_parent.reference).where(_parent.incident == code)
        covered = [_p.service_id.in_(services), _p.parent.in_(parents)]
        for kind, values in self._values_by_kind(code).items():
            covered.append(SCOPE_COLUMNS[kind].in_(values))
        joins = (or_(*covered), _p.incident.is_distinct_from(code))
        # Found first and sorted afterwards: in their order, those that are over would be read too.
        found = union_all(*(select(_p.id).where(is_open, *joins) for is_open in _OPEN)).cte("found")
        found = found.prefix_with("MATERIALIZED")
        query = select(found.c.id).where(found.c.id > after).order_by(found.c.id).limit(limit)
        return list(self._connection.execute(query).scalars())

    def linked(self, code: str, limit: int, service_id: str | None = None) -> list[int]:
        """Return row ids of the problems in the incident.

        With `service_id` those on that service, but for those that stay with their parent.
        """
        query = select(_p.id).where(_p.incident == code)
        if service_id is not None:
            query = query.where(_p.service_id == service_id, ~_WITH_PARENT)
        return list(self._connection.execute(query.order_by(_p.id).limit(limit)).scalars())

    def _values_by_kind(self, code: str) -> dict[ScopeKind, list[str]]:
        found: dict[ScopeKind, list[str]] = {}
        for kind, value in sorted(self.scopes(code)):
            found.setdefault(kind, []).append(value)
        return found


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
