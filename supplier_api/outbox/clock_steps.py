"""Moves stored machine times back when the host's clock was set back (engines without a clock)."""

from datetime import datetime, timedelta

from sqlalchemy import Table, insert, or_, select, update

from supplier_api.db.tables import fault, lane, message, operator_action, pause, process
from supplier_api.db.unit_of_work import UnitOfWork
from supplier_api.outbox.model import MessageState

FELL = "clock-fell"
# The times that are compared with the present: waits, leases, ages. Dates of events stay.
_STORED: tuple[tuple[Table, str, tuple[str, ...]], ...] = (
    (lane, "id", ("due_at", "not_before", "lease_until")),
    (message, "id", ("not_before", "first_attempt")),
    (pause, "id", ("since", "until", "probe_at", "probe_until")),
    (process, "name", ("started", "seen")),
    (fault, "id", ("ends",)),
)


class ClockSteps:
    """The steps by which stored times were moved back, within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def last(self) -> int:
        """Return the id of the latest operator action of any kind; 0 if there is none."""
        newest = select(operator_action.c.id).order_by(operator_action.c.id.desc()).limit(1)
        return self._connection.execute(newest).scalar() or 0

    def since(self, last: int) -> timedelta:
        """Return by how much all workers have moved times back after the action `last`."""
        of = operator_action.c
        query = select(of.detail).where(of.id > last, of.action == FELL)
        steps = self._connection.execute(query).scalars()
        return timedelta(seconds=sum(step["seconds"] for step in steps))

    def bring_back(self, by: timedelta, who: str, at: datetime) -> None:
        """Move the times that are compared with the present back by a step, and record that."""
        for table, key, columns in _STORED:
            self._shift(table, key, columns, by)
        self._connection.execute(
            insert(operator_action).values(
                at=at,
                who=who,
                action=FELL,
                reason="the host's clock was put back",
                detail={"seconds": by.total_seconds()},
            )
        )

    def _shift(self, table: Table, key: str, columns: tuple[str, ...], by: timedelta) -> None:
        dated = or_(*(table.c[name].is_not(None) for name in columns))
        query = select(table.c[key], *(table.c[name] for name in columns)).where(dated)
        if table is message:
            query = query.where(message.c.state == MessageState.QUEUED)
        for row in self._connection.execute(query).mappings().all():
            moved = {name: row[name] - by for name in columns if row[name] is not None}
            self._connection.execute(update(table).where(table.c[key] == row[key]).values(**moved))
