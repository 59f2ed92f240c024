"""The repositories of what belongs to one problem: changes, resolutions, back-office events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from supplier_api.contract.codes import ChangeStatus, ResolutionStatus
from supplier_api.db.compiled_statements import UnitOfWork
from supplier_api.db.tables import back_office_event, change_request, resolution
from supplier_api.problems.model import ChangeRequest, Resolution
from supplier_api.problems.repository import is_gateway_id
from supplier_api.rules.model import Operation

_c = change_request.c
_r = resolution.c
_e = back_office_event.c


class ChangeRequestRepository:
    """Reads and writes amendments and cancellations within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection

    def add(self, change: ChangeRequest) -> None:
        """Store a new change request and give it its row id."""
        values = {name: getattr(change, name) for name in change.__slots__ if name != "id"}
        result = self._connection.execute(insert(change_request).returning(_c.id), values)
        change.id = result.scalar_one()

    def save(self, change: ChangeRequest) -> None:
        """Store its status, date of decision and ticket."""
        self._connection.execute(
            update(change_request).where(_c.id == change.id),
            {
                "status": change.status,
                "decided": change.decided,
                "back_office_id": change.back_office_id,
                "back_office_url": change.back_office_url,
            },
        )

    def save_body(self, change: ChangeRequest) -> None:
        """Store what an operator mended in the request."""
        mended = update(change_request).where(_c.id == change.id)
        self._connection.execute(mended, {"body": change.body})

    def pending(self, problem_id: int) -> ChangeRequest | None:
        """Return the problem's undecided change; there is one at most."""
        return self._one(_c.problem_id == problem_id, _c.status == ChangeStatus.PENDING)

    def find(self, problem_id: int, reference: str) -> ChangeRequest | None:
        """Return the problem's change with this reference, gateway id or ticket."""
        for condition in (_c.reference == reference, _c.back_office_id == reference):
            if found := self._one(_c.problem_id == problem_id, condition):
                return found
        if is_gateway_id(reference):
            return self._one(_c.problem_id == problem_id, _c.gateway_id == int(reference))
        return None

    def of(self, problem_id: int) -> list[ChangeRequest]:
        """Return the problem's changes, oldest first."""
        query = select(change_request).where(_c.problem_id == problem_id).order_by(_c.id)
        return [_change(row) for row in self._connection.execute(query)]

    def escalations(self, problem_id: int) -> list[str]:
        """Return our references of the amendments that ask for escalation, oldest first."""
        asks = _c.body["escalationRequest"].as_boolean()
        query = select(_c.reference).where(_c.problem_id == problem_id, asks).order_by(_c.id)
        return list(self._connection.execute(query).scalars())

    def _one(self, *conditions: Any) -> ChangeRequest | None:
        query = select(change_request).where(*conditions).order_by(_c.id.desc()).limit(1)
        row = self._connection.execute(query).first()
        return _change(row) if row else None


class ResolutionRepository:
    """Reads and writes resolutions within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection

    def add(self, made: Resolution) -> None:
        """Store a new resolution and give it its row id."""
        values = {name: getattr(made, name) for name in made.__slots__ if name != "id"}
        result = self._connection.execute(insert(resolution).returning(_r.id), values)
        made.id = result.scalar_one()

    def save(self, made: Resolution) -> None:
        """Store the tenant's answer, the dates, and when the gateway accepted the KCI."""
        self._connection.execute(
            update(resolution).where(_r.id == made.id),
            {
                "status": made.status,
                "tenant_notes": made.tenant_notes,
                "closed_date": made.closed_date,
                "taken": made.taken,
            },
        )

    def save_content(self, made: Resolution) -> None:
        """Store what an operator mended in it."""
        self._connection.execute(
            update(resolution).where(_r.id == made.id),
            {
                "details": made.details,
                "sla_violation": made.sla_violation,
                "tenant_notes": made.tenant_notes,
            },
        )

    def current(self, problem_id: int) -> Resolution | None:
        """Return the problem's newest resolution: the only one that can be answered."""
        query = select(resolution).where(_r.problem_id == problem_id)
        row = self._connection.execute(query.order_by(_r.id.desc()).limit(1)).first()
        return _resolution(row) if row else None

    def find(self, reference: str) -> Resolution | None:
        """Return the resolution with this reference."""
        query = select(resolution).where(_r.reference == reference)
        row = self._connection.execute(query).first()
        return _resolution(row) if row else None

    def of(self, problem_id: int) -> list[Resolution]:
        """Return the problem's resolutions, oldest first."""
        query = select(resolution).where(_r.problem_id == problem_id).order_by(_r.id)
        return [_resolution(row) for row in self._connection.execute(query)]


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event that was answered; `body` is the answer, never the text of the event."""

    problem_id: int
    event_id: str
    event: str
    fingerprint: str
    status_code: int
    body: Mapping[str, Any]
    created: datetime


class BackOfficeEventRepository:
    """Reads and writes back-office events: the same event id gets the same answer."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection

    def recorded(self, problem_id: int, event_id: str) -> RecordedEvent | None:
        """Return the event if it was answered before; the problem must be locked."""
        query = select(*_RECORDED).where(_e.problem_id == problem_id, _e.event_id == event_id)
        row = self._connection.execute(query).first()
        return RecordedEvent(*row) if row else None

    def add(self, event: RecordedEvent) -> None:
        """Record an event with its answer."""
        values = {name: getattr(event, name) for name in RecordedEvent.__slots__}
        self._connection.execute(insert(back_office_event), values)

    def of(self, problem_id: int) -> list[RecordedEvent]:
        """Return the problem's events, oldest first."""
        query = select(*_RECORDED).where(_e.problem_id == problem_id).order_by(_e.id)
        return [RecordedEvent(*row) for row in self._connection.execute(query)]


_RECORDED = [_e[name] for name in RecordedEvent.__slots__]


def _change(row: Row[Any]) -> ChangeRequest:
    values = row._asdict()
    values["kind"] = Operation(values["kind"])
    values["status"] = ChangeStatus(values["status"])
    return ChangeRequest(**values)


def _resolution(row: Row[Any]) -> Resolution:
    values = row._asdict()
    values["status"] = ResolutionStatus(values["status"])
    values["sla_violation"] = values["sla_violation"] or []
    return Resolution(**values)
