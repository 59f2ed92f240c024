"""Which incidents a problem is part of: by its service, its scopes, or its parent problem.

A create, a change and a problem that leaves an incident all ask the same: `incidents_covering`.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Select, String, and_, bindparam, false, literal_column, or_, select
from sqlalchemy.sql import ColumnElement

from supplier_api.db.tables import incident, incident_scope, incident_service, service_problem
from supplier_api.problems.model import ServiceProblem

_i = incident.c
_scope = incident_scope.c
_p = service_problem.c


class ScopeKind(StrEnum):
    """What the problems of a scope have in common."""

    AREA = "area"
    EXCHANGE = "exchange"
    SPECIFICATION = "specification"


class IncidentScope(NamedTuple):
    """A part of the network that an incident is over, as in `exchange=LEEDS`."""

    kind: ScopeKind
    value: str

    def __str__(self) -> str:
        """Write it as the command line does."""
        return f"{self.kind}={self.value}"


# Where a problem has what a scope names.
SCOPE_COLUMNS: Mapping[ScopeKind, ColumnElement[Any]] = {
    ScopeKind.AREA: _p.area,
    ScopeKind.EXCHANGE: _p.exchange,
    ScopeKind.SPECIFICATION: _p.document[("serviceSpecification", "id")].as_string(),
}


def coverage_keys(
    document: Mapping[str, Any], area: str | None, exchange: str | None, parent: str | None
) -> dict[str, str | None]:
    """Return the parameters of `incidents_covering` for a problem, of its fields."""
    return {
        "service_id": document["serviceId"],
        "area": area,
        "exchange": exchange,
        "specification": document["serviceSpecification"]["id"],
        "parent": parent,
    }


def keys_of(problem: ServiceProblem) -> dict[str, str | None]:
    """Return the coverage_keys of a stored problem."""
    return coverage_keys(problem.document, problem.area, problem.exchange, problem.parent)


def incidents_covering(*between: ColumnElement[Any]) -> Sequence[Select[Any]]:
    """Return the parts of a query for the lasting incidents that cover a problem.

    The rows are: row id, what is `between`, code, and whether the incident lasts there only as long
    as the inventory names it on the service. Each part is a lookup in an index; an incident may
    come of several. The parameters are those of `coverage_keys`.
    """
    named_there = _i.source == literal_column("'inventory'")
    by_kind = (
        and_(_scope.kind == literal_column(f"'{kind}'"), _scope.value == _given(kind))
        for kind in ScopeKind
    )
    of_parent = select(_p.incident).where(_p.reference == _given("parent")).scalar_subquery()
    parts = (
        select(_i.id, *between, _i.code, named_there)
        .join(incident_service, incident_service.c.incident_id == _i.id)
        .where(incident_service.c.service_id == _given("service_id")),
        select(_i.id, *between, _i.code, false())
        .join(incident_scope, _scope.incident_id == _i.id)
        .where(or_(*by_kind)),
        select(_i.id, *between, _i.code, false()).where(_i.code == of_parent),
    )
    return [part.where(_i.ended.is_(None)) for part in parts]


def _given(name: str) -> ColumnElement[str]:
    return bindparam(name, type_=String)
