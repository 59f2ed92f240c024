"""The repository of back-office events: the same event id gets the same answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from supplier_api.db.tables import back_office_event
from supplier_api.db.unit_of_work import UnitOfWork

_t = back_office_event.c


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
    """Reads and writes events within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection

    def recorded(self, problem_id: int, event_id: str) -> RecordedEvent | None:
        """Return the event if it was answered before; the problem must be locked."""
        query = select(*_columns()).where(_t.problem_id == problem_id, _t.event_id == event_id)
        row = self._connection.execute(query).first()
        return RecordedEvent(*row) if row else None

    def add(self, event: RecordedEvent) -> None:
        """Record an event with its answer."""
        values = {name: getattr(event, name) for name in RecordedEvent.__slots__}
        self._connection.execute(insert(back_office_event), values)

    def of(self, problem_id: int) -> list[RecordedEvent]:
        """Return the problem's events, oldest first."""
        query = select(*_columns()).where(_t.problem_id == problem_id).order_by(_t.id)
        return [RecordedEvent(*row) for row in self._connection.execute(query)]


def _columns() -> list[Any]:
    return [_t[name] for name in RecordedEvent.__slots__]
