"""The repositories of timers, work that is due at a business time, and of moved clocks."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Table,
    TextClause,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.sql import ColumnElement

from supplier_api.clock import Scale
from supplier_api.db.compiled_statements import CompiledStatement, UnitOfWork, among, named
from supplier_api.db.tables import (
    business_clock,
    console_session,
    fault,
    inbox,
    lane,
    message,
    operator_action,
    pause,
    process,
    sign_in_failure,
    sign_in_link,
    timer,
)
from supplier_api.outbox.model import MessageState

_t = timer.c
_clocks = business_clock.c
# A postponed decision. While no decision can be made these are all overdue, and skipped.
DECIDE = "decide"
# By when people must have decided, and when they are reminded of it; a problem has one of each.
DECISION_DEADLINE = "decision-deadline"
DECISION_REMINDER = "decision-reminder"
DEADLINES = (DECISION_DEADLINE, DECISION_REMINDER)
# Spelled exactly as in the partial index: SQLite compares the two as text.
NO_DECISION = text("timer.kind <> 'decide'")
# The tenant of the clock of all tenants without their own.
ALL = ""
_CLOCK_LOCK = 0xC10C4
MICROSECOND = timedelta(microseconds=1)

FELL = "clock-fell"
# The times that are compared with the present: waits, leases, ages. Dates of events stay.
_STORED: tuple[tuple[Table, str, tuple[str, ...]], ...] = (
    (lane, "id", ("due_at", "not_before", "lease_until")),
    (message, "id", ("not_before", "first_attempt")),
    (pause, "id", ("since", "until", "probe_at", "probe_until")),
    (process, "name", ("started", "seen")),
    (inbox, "id", ("due_at",)),
    (fault, "id", ("ends",)),
    (console_session, "token_hash", ("seen", "ends")),
    (sign_in_link, "token_hash", ("ends",)),
    (sign_in_failure, "key", ("until", "ends")),
)


@dataclass(frozen=True, slots=True)
class Timer:
    """Work that is due at `due_at` (business time of the tenant) for the object `subject`."""

    problem_id: int | None
    tenant: str
    kind: str
    due_at: datetime
    subject: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0


_NEW = tuple(each.name for each in fields(Timer) if each.name != "id")
_ADD = CompiledStatement(insert(timer).values(named(*_NEW)).inline())
_DELETE = delete(timer).where(_t.problem_id == bindparam("problem_id"))
_OF_PROBLEM = CompiledStatement(
    select(timer).where(_t.problem_id == bindparam("problem_id")).order_by(_t.due_at, _t.id)
)
_DELETE_ALL = CompiledStatement(_DELETE)
_DELETE_KINDS = CompiledStatement(_DELETE.where(among(_t.kind, "kinds")))


class TimerRepository:
    """Reads and writes timers within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection
        self._wake = uow.wake
        self._by_index = uow.by_index

    def add(self, new: Timer) -> None:
        """Set a timer."""
        values = {name: getattr(new, name) for name in _NEW}
        _ADD.run(self._connection, {**values, "data": new.data or None})
        self._wake()

    def lock(self, timer_id: int) -> Timer | None:
        """Lock a timer's row and read it; None if it is gone."""
        query = select(timer).where(_t.id == timer_id)
        if self._connection.dialect.name == "postgresql":
            query = query.with_for_update()
        row = self._connection.execute(query).first()
        return _timer(row._asdict()) if row else None

    def has_earlier(self, than: Timer) -> bool:
        """Return whether another timer of the same problem comes before this one.

        A postponed decision does not block other timers.
        """
        sooner = or_(_t.due_at < than.due_at, and_(_t.due_at == than.due_at, _t.id < than.id))
        query = select(_t.id).where(_t.problem_id == than.problem_id, sooner).limit(1)
        if than.kind != DECIDE:
            query = query.where(_t.kind != DECIDE)
        return self._connection.execute(query).scalar() is not None

    def remember(self, timer_id: int, data: Mapping[str, Any]) -> None:
        """Store the progress of a timer's work."""
        self._connection.execute(update(timer).where(_t.id == timer_id), {"data": data})

    def move(self, timer_id: int, due_at: datetime) -> None:
        """Change when a timer is due."""
        self._connection.execute(update(timer).where(_t.id == timer_id), {"due_at": due_at})
        self._wake()

    def delete(self, timer_id: int) -> None:
        """Delete a timer in the transaction that did its work."""
        self._connection.execute(delete(timer).where(_t.id == timer_id))

    def delete_for(self, problem_id: int, *kinds: str) -> None:
        """Delete the problem's timers of these kinds, or all."""
        of = {"problem_id": problem_id, "kinds": kinds}
        (_DELETE_KINDS if kinds else _DELETE_ALL).run(self._connection, of)

    def of(self, problem_id: int) -> list[Timer]:
        """Return the problem's timers, the earliest first."""
        rows = _OF_PROBLEM.run(self._connection, {"problem_id": problem_id})
        return [_timer(dict(zip(_t.keys(), row, strict=True))) for row in rows]

    def due(
        self, now: datetime, scales: Mapping[str, Scale], limit: int, kinds: Collection[str]
    ) -> list[Timer]:
        """Return up to `limit` timers of these kinds that are due, the earliest first.

        `now` is machine time; `scales` converts it to the business time of each tenant.
        """
        if limit <= 0:
            return []
        self._by_index()
        is_due = [
            and_(whose, _t.due_at <= scale.at(now)) for whose, scale in by_scale(_t.tenant, scales)
        ]
        query = select(timer).where(or_(*is_due), *_of_kinds(kinds))
        query = query.order_by(_t.due_at, _t.id).limit(limit)
        return [_timer(row._asdict()) for row in self._connection.execute(query)]

    def next_due(self, scales: Mapping[str, Scale], kinds: Collection[str]) -> datetime | None:
        """Return the machine time at which the earliest timer of these kinds becomes due.

        It holds as long as no clock is moved.
        """
        self._by_index()
        earliest = []
        for whose, scale in by_scale(_t.tenant, scales):
            query = select(_t.due_at).where(whose, *_of_kinds(kinds))
            due = self._connection.execute(query.order_by(_t.due_at).limit(1)).scalar()
            if due is not None and (reached := scale.reaches(due)):
                earliest.append(reached)
        return min(earliest, default=None)

    def subjects(self, kinds: Collection[str]) -> set[str]:
        """Return the subjects of the timers of these kinds."""
        query = select(_t.subject).where(_t.kind.in_(sorted(kinds)), _t.subject.is_not(None))
        return {subject for (subject,) in self._connection.execute(query) if subject}

    def count(self, kind: str) -> int:
        """Return how many timers of a kind there are."""
        query = select(func.count()).select_from(timer).where(_t.kind == kind)
        return self._connection.execute(query).scalar_one()


@dataclass(frozen=True, slots=True)
class TenantClock:
    """A tenant's clock, or with the tenant "" the clock of all tenants without their own.

    It runs `ahead` of machine time, or stands at `stands_at`. It stands while it is moved to
    `target`; `runs_on` is whether it runs again from there.
    """

    tenant: str
    ahead: timedelta = timedelta()
    stands_at: datetime | None = None
    target: datetime | None = None
    runs_on: bool = True

    @property
    def scale(self) -> Scale:
        """How the clock follows machine time at present."""
        return Scale(self.ahead, self.stands_at)


class BusinessClockRepository:
    """Reads and writes clocks within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection
        self._wake = uow.wake

    def scale(self, tenant: str) -> Scale:
        """Return the scale of a tenant: its own, or else the default."""
        query = (
            select(*_CLOCK_COLUMNS)
            .where(_clocks.tenant.in_({tenant, ALL}))
            .order_by(_clocks.tenant.desc())
        )
        query = query.order_by(_clocks.tenant.desc()).limit(1)
        row = self._connection.execute(query).first()
        return _clock(row).scale if row else Scale()

    def by_tenant(self) -> dict[str, TenantClock]:
        """Return every clock by tenant; the default clock is always included and comes first."""
        rows = self._connection.execute(select(*_CLOCK_COLUMNS).order_by(_clocks.tenant))
        return {ALL: TenantClock(ALL), **{row.tenant: _clock(row) for row in rows}}

    def lock(self) -> dict[str, TenantClock]:
        """Lock all clocks until this transaction ends, and return them by tenant."""
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(select(func.pg_advisory_xact_lock(_CLOCK_LOCK)))
        return self.by_tenant()

    def put(self, clock: TenantClock) -> None:
        """Store a locked or new clock."""
        values = {
            "ahead": clock.ahead // MICROSECOND,
            "stands_at": clock.stands_at,
            "target": clock.target,
            "runs_on": clock.runs_on,
        }
        stored = update(business_clock).where(_clocks.tenant == clock.tenant)
        if self._connection.execute(stored, values).rowcount == 0:
            self._connection.execute(insert(business_clock), {"tenant": clock.tenant, **values})
        self._wake()


_CLOCK_COLUMNS = [_clocks[name] for name in TenantClock.__slots__]


def _clock(row: Any) -> TenantClock:
    return TenantClock(row.tenant, row.ahead * MICROSECOND, row.stands_at, row.target, row.runs_on)


def _of_kinds(kinds: Collection[str]) -> list[ColumnElement[bool] | TextClause]:
    """Return the conditions for these kinds; timers of a later version are left to that version."""
    of_kinds = _t.kind.in_(sorted(kinds))
    return [of_kinds] if DECIDE in kinds else [of_kinds, NO_DECISION]


def _timer(row: Mapping[str, Any]) -> Timer:
    return Timer(**{**row, "data": row["data"] or {}})


def by_scale(
    tenant: ColumnElement[str], scales: Mapping[str, Scale]
) -> list[tuple[ColumnElement[bool], Scale]]:
    """Return a condition on the column `tenant` for each scale, the default scale first."""
    own = [name for name in scales if name]
    others = tenant.not_in(own) if own else true()
    return [(others, scales.get("", Scale()))] + [(tenant == name, scales[name]) for name in own]


class ClockSteps:
    """The steps by which stored machine times were moved back, within one transaction.

    That is done when the host's clock was set back (engines without a clock).
    """

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
