"""The repository of amendments and cancellations."""

from typing import Any

from sqlalchemy import Row, insert, select, update

from supplier_api.contract.codes import ChangeStatus
from supplier_api.db.tables import change_request
from supplier_api.db.unit_of_work import UnitOfWork
from supplier_api.problems.model import ChangeKind, ChangeRequest
from supplier_api.problems.repository import is_gateway_id

_t = change_request.c


class ChangeRequestRepository:
    """Reads and writes change requests within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection

    def add(self, change: ChangeRequest) -> None:
        """Store a new change request and give it its row id."""
        values = {name: getattr(change, name) for name in change.__slots__ if name != "id"}
        result = self._connection.execute(insert(change_request).returning(_t.id), values)
        change.id = result.scalar_one()

    def save(self, change: ChangeRequest) -> None:
        """Store its status, date of decision and ticket."""
        self._connection.execute(
            update(change_request).where(_t.id == change.id),
            {
                "status": change.status,
                "decided": change.decided,
                "back_office_id": change.back_office_id,
                "back_office_url": change.back_office_url,
            },
        )

    def pending(self, problem_id: int) -> ChangeRequest | None:
        """Return the problem's undecided change; there is one at most."""
        return self._one(_t.problem_id == problem_id, _t.status == ChangeStatus.PENDING)

    def find(self, problem_id: int, reference: str) -> ChangeRequest | None:
        """Return the problem's change with this reference, gateway id or ticket."""
        for condition in (_t.reference == reference, _t.back_office_id == reference):
            if found := self._one(_t.problem_id == problem_id, condition):
                return found
        if is_gateway_id(reference):
            return self._one(_t.problem_id == problem_id, _t.gateway_id == int(reference))
        return None

    def of(self, problem_id: int) -> list[ChangeRequest]:
        """Return the problem's changes, oldest first."""
        query = select(change_request).where(_t.problem_id == problem_id).order_by(_t.id)
        return [_change(row) for row in self._connection.execute(query)]

    def _one(self, *conditions: Any) -> ChangeRequest | None:
        query = select(change_request).where(*conditions).order_by(_t.id.desc()).limit(1)
        row = self._connection.execute(query).first()
        return _change(row) if row else None


def _change(row: Row[Any]) -> ChangeRequest:
    values = row._asdict()
    values["kind"] = ChangeKind(values["kind"])
    values["status"] = ChangeStatus(values["status"])
    return ChangeRequest(**values)
