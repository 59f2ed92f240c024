"""The repository of resolutions."""

from typing import Any

from sqlalchemy import Row, insert, select, update

from supplier_api.contract.codes import ResolutionStatus
from supplier_api.db.tables import resolution
from supplier_api.db.unit_of_work import UnitOfWork
from supplier_api.problems.model import Resolution

_t = resolution.c


class ResolutionRepository:
    """Reads and writes resolutions within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection

    def add(self, made: Resolution) -> None:
        """Store a new resolution and give it its row id."""
        values = {name: getattr(made, name) for name in made.__slots__ if name != "id"}
        result = self._connection.execute(insert(resolution).returning(_t.id), values)
        made.id = result.scalar_one()

    def save(self, made: Resolution) -> None:
        """Store the tenant's answer, the dates, and when the gateway accepted the KCI."""
        self._connection.execute(
            update(resolution).where(_t.id == made.id),
            {
                "status": made.status,
                "tenant_notes": made.tenant_notes,
                "closed_date": made.closed_date,
                "taken": made.taken,
            },
        )

    def current(self, problem_id: int) -> Resolution | None:
        """Return the problem's newest resolution: the only one that can be answered."""
        query = select(resolution).where(_t.problem_id == problem_id)
        row = self._connection.execute(query.order_by(_t.id.desc()).limit(1)).first()
        return _resolution(row) if row else None

    def find(self, reference: str) -> Resolution | None:
        """Return the resolution with this reference."""
        query = select(resolution).where(_t.reference == reference)
        row = self._connection.execute(query).first()
        return _resolution(row) if row else None

    def of(self, problem_id: int) -> list[Resolution]:
        """Return the problem's resolutions, oldest first."""
        query = select(resolution).where(_t.problem_id == problem_id).order_by(_t.id)
        return [_resolution(row) for row in self._connection.execute(query)]


def _resolution(row: Row[Any]) -> Resolution:
    values = row._asdict()
    values["status"] = ResolutionStatus(values["status"])
    values["sla_violation"] = values["sla_violation"] or []
    return Resolution(**values)
