"""What is still to be done: timers that are due, messages under way, and what comes later."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ScalarSelect, Table, exists, func, or_, select, update
from sqlalchemy.sql import ColumnElement

from supplier_api.db.compiled_statements import UnitOfWork
from supplier_api.db.operator_actions import MAINTENANCE
from supplier_api.db.tables import lane, switch, timer
from supplier_api.problems.timer_repository import DECIDE

_HELD = lane.c.due_at.is_not(None) & ~lane.c.parked
_IN_FLIGHT = _HELD & lane.c.lease_owner.is_not(None)
_FREE = _HELD & lane.c.lease_owner.is_(None)
# What was put off until maintenance ends is not for now, however long it is due.
_NOT_PUT_OFF = or_(timer.c.kind != DECIDE, ~exists().where(switch.c.name == MAINTENANCE))


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What is to be done, in numbers.

    Timers and lanes that are due, and lanes that a worker holds; then what is not for now: lanes
    whose last attempt failed and that wait for the next, and lanes parked behind a dead letter.
    `next_timer` is business time, `next_retry` machine time. `withheld` are those of the lanes that
    are due whose message follows an answer, and leaves at `released_at` (machine time) at the
    earliest; `put_off` the decisions that wait for the end of maintenance.
    """

    timers_due: int
    lanes_due: int
    in_flight: int
    in_back_off: int
    parked: int
    next_timer: datetime | None
    next_retry: datetime | None
    withheld: int
    released_at: datetime | None
    put_off: int

    @property
    def settled(self) -> bool:
        """Whether nothing is due or in flight."""
        return not (self.timers_due or self.lanes_due or self.in_flight)


@dataclass(frozen=True, slots=True)
class Group:
    """The tenants who go by one clock: one of them, or with "" all but those with their own."""

    tenant: str
    others: frozenset[str] = frozenset()

    def has(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        """Return the condition that a row, by its column of tenants, belongs to the group."""
        return column == self.tenant if self.tenant else column.not_in(self.others)


class PendingWorkQueries:
    """What is to be done, within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def outstanding(self, group: Group, business: datetime, machine: datetime) -> Outstanding:
        """Return what is to be done for a group, when these are its time and machine time."""
        timers, lanes = group.has(timer.c.tenant), group.has(lane.c.tenant)
        back_off = lanes & _in_back_off(machine)
        withheld = lanes & _FREE & ~_in_back_off(machine) & (lane.c.not_before > machine)
        due = timers & (timer.c.due_at <= business)
        # One statement, and so one view: nothing slips from a number not yet read to one read.
        row = self._connection.execute(
            select(
                _count(timer, due & _NOT_PUT_OFF),
                _count(lane, lanes & _FREE & ~_in_back_off(machine)),
                _count(lane, lanes & _IN_FLIGHT),
                _count(lane, back_off),
                _count(lane, lanes & lane.c.parked),
                _first(timer.c.due_at, timers & (timer.c.due_at > business)),
                _first(lane.c.due_at, back_off),
                _count(lane, withheld),
                _first(lane.c.not_before, withheld),
                _count(timer, due & ~_NOT_PUT_OFF),
            )
        ).one()
        return Outstanding(*row)

    def bring_forward(self, group: Group, by: timedelta, machine: datetime) -> None:
        """Let the group's lanes in back-off be tried again so much earlier."""
        waiting = select(lane.c.id, lane.c.due_at).where(
            group.has(lane.c.tenant), _in_back_off(machine)
        )
        for row in self._connection.execute(waiting.with_for_update()).all():
            self._connection.execute(
                update(lane).where(lane.c.id == row.id), {"due_at": row.due_at - by}
            )


def _in_back_off(machine: datetime) -> ColumnElement[bool]:
    return _FREE & (lane.c.attempts > 0) & (lane.c.due_at > machine)


def _count(table: Table, condition: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(table).where(condition).scalar_subquery()


def _first(column: ColumnElement[Any], condition: ColumnElement[bool]) -> ScalarSelect[Any]:
    return select(func.min(column)).where(condition).scalar_subquery()
