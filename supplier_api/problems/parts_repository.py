"""The repositories of what belongs to one problem: changes, resolutions, back-office events."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from supplier_api.contract.codes import ChangeStatus, ResolutionStatus
from supplier_api.db.compiled_statements import CompiledStatement, UnitOfWork, named
from supplier_api.db.tables import back_office_event, change_request, resolution
from supplier_api.problems.model import ChangeRequest, Resolution
from supplier_api.problems.repository import is_gateway_id
from supplier_api.rules.model import Operation
from supplier_api.value_object import value_object

_c = change_request.c
_r = resolution.c
_e = back_office_event.c
_CHANGE = tuple(each.name for each in fields(ChangeRequest))
_CHANGES = select(*(_c[name] for name in _CHANGE))
_ADD_CHANGE = CompiledStatement(insert(change_request).values(named(*_CHANGE)).inline())
_SAVE_CHANGE = CompiledStatement(
    update(change_request)
    .where(_c.reference == bindparam("of"))
    .values(named("status", "decided", "back_office_id", "back_office_url"))
)
_OF_PROBLEM = _c.problem_id == bindparam("problem_id")
_CHANGES_OF_PROBLEM = CompiledStatement(_CHANGES.where(_OF_PROBLEM).order_by(_c.id))
_PENDING_CHANGE = CompiledStatement(
    _CHANGES.where(_OF_PROBLEM, _c.status == ChangeStatus.PENDING).order_by(_c.id.desc()).limit(1)
)
_ESCALATIONS = CompiledStatement(
    select(_c.reference)
    .where(_OF_PROBLEM, _c.body["escalationRequest"].as_boolean())
    .order_by(_c.id)
)
_RESOLUTION = tuple(each.name for each in fields(Resolution))
_RESOLUTIONS = select(*(_r[name] for name in _RESOLUTION))
_ADD_RESOLUTION = CompiledStatement(insert(resolution).values(named(*_RESOLUTION)).inline())
_SAVE_RESOLUTION = CompiledStatement(
    update(resolution)
    .where(_r.reference == bindparam("of"))
    .values(named("status", "tenant_notes", "closed_date", "taken"))
)
_CURRENT_RESOLUTION = CompiledStatement(
    _RESOLUTIONS.where(_r.problem_id == bindparam("problem_id")).order_by(_r.id.desc()).limit(1)
)
_RESOLUTIONS_OF_PROBLEM = CompiledStatement(
    _RESOLUTIONS.where(_r.problem_id == bindparam("problem_id")).order_by(_r.id)
)


class ChangeRequestRepository:
    """Reads and writes amendments and cancellations within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection

    def add(self, change: ChangeRequest) -> None:
        """Store a new change request."""
        _ADD_CHANGE.run(self._connection, _values(_CHANGE, change))

    def save(self, change: ChangeRequest) -> None:
        """Store its status, date of decision and ticket."""
        _SAVE_CHANGE.run(self._connection, {"of": change.reference, **_values(_CHANGE, change)})

    def save_body(self, change: ChangeRequest) -> None:
        """Store what an operator mended in the request."""
        mended = update(change_request).where(_c.reference == change.reference)
        self._connection.execute(mended, {"body": change.body})

    def pending(self, problem_id: int) -> ChangeRequest | None:
        """Return the problem's undecided change; there is one at most."""
        row = _PENDING_CHANGE.first(self._connection, {"problem_id": problem_id})
        return _change(row) if row else None

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
        rows = _CHANGES_OF_PROBLEM.run(self._connection, {"problem_id": problem_id})
        return [_change(row) for row in rows]

    def escalations(self, problem_id: int) -> list[str]:
        """Return our references of the amendments that ask for escalation, oldest first."""
        rows = _ESCALATIONS.run(self._connection, {"problem_id": problem_id})
        return [reference for (reference,) in rows]

    def _one(self, *conditions: Any) -> ChangeRequest | None:
        query = _CHANGES.where(*conditions).order_by(_c.id.desc()).limit(1)
        row = self._connection.execute(query).first()
        return _change(row) if row else None


class ResolutionRepository:
    """Reads and writes resolutions within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection

    def add(self, made: Resolution) -> None:
        """Store a new resolution."""
        _ADD_RESOLUTION.run(self._connection, _values(_RESOLUTION, made))

    def save(self, made: Resolution) -> None:
        """Store the tenant's answer, the dates, and when the gateway accepted the KCI."""
        _SAVE_RESOLUTION.run(self._connection, {"of": made.reference, **_values(_RESOLUTION, made)})

    def save_content(self, made: Resolution) -> None:
        """Store what an operator mended in it."""
        self._connection.execute(
            update(resolution).where(_r.reference == made.reference),
            {
                "details": made.details,
                "sla_violation": made.sla_violation,
                "tenant_notes": made.tenant_notes,
            },
        )

    def current(self, problem_id: int) -> Resolution | None:
        """Return the problem's newest resolution: the only one that can be answered."""
        row = _CURRENT_RESOLUTION.first(self._connection, {"problem_id": problem_id})
        return _resolution(row) if row else None

    def find(self, reference: str) -> Resolution | None:
        """Return the resolution with this reference."""
        row = self._connection.execute(_RESOLUTIONS.where(_r.reference == reference)).first()
        return _resolution(row) if row else None

    def of(self, problem_id: int) -> list[Resolution]:
        """Return the problem's resolutions, oldest first."""
        rows = _RESOLUTIONS_OF_PROBLEM.run(self._connection, {"problem_id": problem_id})
        return [_resolution(row) for row in rows]


@value_object
class RecordedEvent:
    """An event that was answered; `body` is the answer, never the text of the event."""

    problem_id: int
    event_id: str
    event: str
    fingerprint: str
    status_code: int
    body: Mapping[str, Any]
    created: datetime


_EVENT = tuple(each.name for each in fields(RecordedEvent))
_EVENTS = select(*(_e[name] for name in _EVENT))
_ADD_EVENT = CompiledStatement(insert(back_office_event).values(named(*_EVENT)).inline())
_EVENTS_OF_PROBLEM = CompiledStatement(
    _EVENTS.where(_e.problem_id == bindparam("problem_id")).order_by(_e.id)
)
_RECORDED_EVENT = CompiledStatement(
    _EVENTS.where(
        _e.problem_id == bindparam("problem_id"),
        _e.event_id == bindparam("event_id"),
    )
)


class BackOfficeEventRepository:
    """Reads and writes back-office events: the same event id gets the same answer."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection

    def recorded(self, problem_id: int, event_id: str) -> RecordedEvent | None:
        """Return the event if it was answered before; the problem must be locked."""
        of = {"problem_id": problem_id, "event_id": event_id}
        row = _RECORDED_EVENT.first(self._connection, of)
        return RecordedEvent(*row) if row else None

    def add(self, event: RecordedEvent) -> None:
        """Record an event with its answer."""
        _ADD_EVENT.run(self._connection, _values(_EVENT, event))

    def of(self, problem_id: int) -> list[RecordedEvent]:
        """Return the problem's events, oldest first."""
        rows = _EVENTS_OF_PROBLEM.run(self._connection, {"problem_id": problem_id})
        return [RecordedEvent(*row) for row in rows]


def _values(names: Sequence[str], of: object) -> dict[str, Any]:
    return {name: getattr(of, name) for name in names}


def _change(row: Sequence[Any]) -> ChangeRequest:
    values = dict(zip(_CHANGE, row, strict=True))
    values["kind"] = Operation(values["kind"])
    values["status"] = ChangeStatus(values["status"])
    return ChangeRequest(**values)


def _resolution(row: Sequence[Any]) -> Resolution:
    values = dict(zip(_RESOLUTION, row, strict=True))
    values["status"] = ResolutionStatus(values["status"])
    values["sla_violation"] = values["sla_violation"] or []
    return Resolution(**values)
