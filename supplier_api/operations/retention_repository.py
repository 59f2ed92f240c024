"""Removes data that is old enough: first what is personal, much later whole rows.

A problem is processed only when it is over and none of its messages waits to be delivered. Each
method does a bounded piece of work, finds it by an index, and locks problems before lanes, as
everywhere.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Select,
    Table,
    TextClause,
    bindparam,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql import ColumnElement

from supplier_api.clock import Scale
from supplier_api.contract.personal import STORED, After, Goes, Stored, without_personal
from supplier_api.db.operator_actions import ERASED, EXPORTED
from supplier_api.db.tables import (
    back_office_event,
    change_request,
    console_session,
    decision,
    inbox,
    incident,
    journal,
    lane,
    message,
    metadata,
    operator_action,
    pause,
    process,
    resolution,
    scenario_choice,
    service_problem,
    sign_in_failure,
    sign_in_link,
    ticket,
    ticket_apart,
    timer,
    work_item,
)
from supplier_api.outbox.model import DEAD_LETTERS, MessageState
from supplier_api.problems.inbox_repository import InboxState
from supplier_api.problems.timer_repository import by_scale

# Written as in the partial indexes: SQLite compares the two as text.
OVER = text("service_problem.base IN ('REJECTED', 'CANCELLED', 'COMPLETED')")
WHOLE_PROBLEM = text("service_problem.thinned IS NULL")
REFUSED = text("coalesce(decision.problem_id, 0) = 0 AND decision.status IS NOT NULL")
SETTLED = (InboxState.APPLIED, InboxState.SKIPPED)
WHOLE_DECISION = text("decision.thinned IS NULL")
# A problem with messages that still wait to be delivered.
_UNDELIVERED = exists().where(
    lane.c.problem_id == service_problem.c.id,
    message.c.lane_id == lane.c.id,
    or_(
        message.c.state == MessageState.QUEUED,
        message.c.state.in_(DEAD_LETTERS) & lane.c.parked,
    ),
)
_OF_PROBLEMS = [each for each in STORED if each.after is After.OVER]
# The columns of a problem's rows that are emptied, by table, and those that lose some fields.
_EMPTIED: Mapping[Table, Mapping[str, Any]] = {
    metadata.tables[table]: {
        each.name: null() if each.leaves is None else each.leaves
        for each in _OF_PROBLEMS
        if each.table == table and each.goes is Goes.ALL
    }
    for table in dict.fromkeys(each.table for each in _OF_PROBLEMS if each.goes is Goes.ALL)
}
_STRIPPED = [
    metadata.tables[each.table].c[each.name] for each in _OF_PROBLEMS if each.goes is Goes.FIELDS
]
_DROPPED = [metadata.tables[each.table] for each in _OF_PROBLEMS if each.goes is Goes.ROW]
# From the leaves to the root, so that no row refers to a deleted one.
OF_A_PROBLEM = (
    lane,
    timer,
    ticket,
    ticket_apart,
    change_request,
    resolution,
    back_office_event,
    decision,
    operator_action,
    pause,
    work_item,
)


class RetentionRepository:
    """Finds and removes old data, within one transaction."""

    def __init__(self, connection: Connection, now: datetime, scales: Mapping[str, Scale]) -> None:
        """Work on `connection`; `now` is machine time, `scales` converts it to a tenant's time."""
        self._connection = connection
        self._now = now
        self._scales = scales

    # -- problems that are over

    def problems(self, age: timedelta, *more: ColumnElement[bool] | TextClause) -> Select[Any]:
        """Return the query for problems that have been over for `age`, the oldest first."""
        of = service_problem.c
        query = select(of.id).where(OVER, *more, self._old(of.tenant, of.updated, age))
        return query.where(~_UNDELIVERED).order_by(of.updated)

    def thin(self, found: Select[Any], limit: int) -> int:
        """Remove personal data from all that belongs to up to `limit` problems.

        Returns how many problems.
        """
        ids = self._lock(found, limit)
        if not ids:
            return 0
        self.forget(ids)
        self._connection.execute(
            update(service_problem).where(service_problem.c.id.in_(ids)).values(thinned=self._now)
        )
        return len(ids)

    def forget(self, problems: Sequence[int]) -> None:
        """Remove personal data from all that belongs to these problems, which are locked.

        contract.personal lists what is removed.
        """
        for column in _STRIPPED:
            self._strip(column, belonging(column.table, problems))
        for table, values in _EMPTIED.items():
            if table is not decision:
                of = belonging(table, problems)
                self._connection.execute(update(table).where(of).values(values))
        self._thin_decisions(decision.c.problem_id.in_(problems))
        for table in _DROPPED:
            self._connection.execute(delete(table).where(belonging(table, problems)))

    def held(self, problems: Sequence[int]) -> dict[str, set[tuple[Any, ...]]]:
        """Return the keys of the rows that hold what `forget` removes, by TABLE.COLUMN."""
        found: dict[str, set[tuple[Any, ...]]] = {}
        for each in _OF_PROBLEMS:
            table = metadata.tables[each.table]
            columns = (*table.primary_key.columns, table.c[each.name])
            rows = self._connection.execute(
                select(*columns).where(belonging(table, problems))
            ).all()
            found[each.column] = {tuple(row[:-1]) for row in rows if _holds(each, row[-1])}
        return {column: keys for column, keys in found.items() if keys}

    def prune(self, found: Select[Any], limit: int) -> int:
        """Delete up to `limit` problems with all that belongs to them; return how many."""
        ids = self._lock(found, limit)
        if not ids:
            return 0
        lanes = select(lane.c.id).where(lane.c.problem_id.in_(ids))
        self._connection.execute(delete(message).where(message.c.lane_id.in_(lanes)))
        for table in OF_A_PROBLEM:
            self._connection.execute(delete(table).where(table.c.problem_id.in_(ids)))
        self._connection.execute(delete(service_problem).where(service_problem.c.id.in_(ids)))
        return len(ids)

    def late(self, table: Table, age: timedelta) -> Select[Any]:
        """Return the query for rows about problems that were thinned before, by their own age.

        For operators' actions, pauses and tickets apart: of what comes so late they alone hold
        texts of people. A pause that lasts is not old.
        """
        of = service_problem.c
        thinned = exists().where(of.id == table.c.problem_id, of.thinned.is_not(None))
        old = select(_key(table)).where(thinned, _at(table) < self._now - age)
        whole = [table.c[name] != left for name, left in _EMPTIED.get(table, {}).items()]
        if table is operator_action:
            whole.append(table.c.action.not_in((ERASED, EXPORTED)))
        return old.where(*whole).order_by(_at(table))

    def thin_late(self, table: Table, found: Select[Any], limit: int) -> int:
        """Remove what up to `limit` such rows hold, or the rows; return of how many."""
        if table in _DROPPED:
            return self.delete(table, found, limit)
        ids = self._ids(found, limit)
        which = _key(table).in_(ids)
        self._connection.execute(update(table).where(which).values(_EMPTIED[table]))
        return len(ids)

    # -- requests that led to no problem

    def refused(self, age: timedelta, *more: ColumnElement[bool] | TextClause) -> Select[Any]:
        """Return the query for the records of refused requests that are older than `age`."""
        of = decision.c
        query = select(of.id).where(REFUSED, *more, self._old(of.tenant, of.created, age))
        return query.order_by(of.created)

    def thin_refused(self, found: Select[Any], limit: int) -> int:
        """Remove body and trace of up to `limit` refused requests; return of how many."""
        ids = self._ids(found, limit)
        if ids:
            self._thin_decisions(decision.c.id.in_(ids))
        return len(ids)

    # -- incidents

    def incidents(self, age: timedelta) -> Select[Any]:
        """Return the query for incidents that ended `age` ago and still have their text."""
        of = incident.c
        old = (of.ended < self._now - age) & of.text.is_not(None)
        return select(of.id).where(old).order_by(of.ended)

    def thin_incidents(self, found: Select[Any], limit: int) -> int:
        """Remove the text of up to `limit` incidents; return of how many."""
        ids = self._ids(found, limit)
        if ids:
            self._connection.execute(
                update(incident).where(incident.c.id.in_(ids)).values(text=null())
            )
        return len(ids)

    # -- rows removed by their age alone

    def rows(self, table: Table, age: timedelta) -> Select[Any]:
        """Return the query for old rows: actions, journal, webhooks, ended sessions and so on.

        Of the tickets apart only those that are of no problem: the others go with theirs.
        """
        at = _at(table)
        # The journal by id, which is the order in which it was written.
        order = journal.c.id if table is journal else at
        old = select(_key(table)).where(at < self._now - age).order_by(order)
        if table is ticket_apart:
            return old.where(ticket_apart.c.problem_id.is_(None))
        # What waits, and what an operator must look at, stays.
        return old.where(inbox.c.state.in_(SETTLED)) if table is inbox else old

    def delete(self, table: Table, found: Select[Any], limit: int) -> int:
        """Delete up to `limit` rows of a table; return how many."""
        ids = self._ids(found, limit)
        self._connection.execute(delete(table).where(_key(table).in_(ids)))
        return len(ids)

    # -- what all have in common

    def count(self, found: Select[Any]) -> int:
        """Return how many rows a query finds."""
        counted = select(func.count()).select_from(found.order_by(None).subquery())
        return self._connection.execute(counted).scalar_one()

    def _old(self, tenant: Column[Any], at: Column[Any], age: timedelta) -> ColumnElement[bool]:
        """Return the condition for what is older than `age` in its tenant's time."""
        whose = by_scale(tenant, self._scales)
        return or_(*(of & (at < scale.at(self._now) - age) for of, scale in whose))

    def _lock(self, found: Select[Any], limit: int) -> Sequence[int]:
        """Lock problems and their lanes; pass over those that other transactions have locked."""
        locked = found.limit(limit).with_for_update(skip_locked=True, of=service_problem)
        ids = list(self._connection.execute(locked).scalars())
        self.lock_lanes(ids)
        # What was queued before we had the locks is seen only by a new statement.
        still = select(service_problem.c.id).where(service_problem.c.id.in_(ids), ~_UNDELIVERED)
        return list(self._connection.execute(still).scalars())

    def lock_lanes(self, problems: Sequence[int]) -> None:
        """Lock the lanes of problems, which are locked already, until the transaction ends."""
        lanes = select(lane.c.id).where(lane.c.problem_id.in_(problems)).order_by(lane.c.id)
        self._connection.execute(lanes.with_for_update()).all()

    def _thin_decisions(self, which: ColumnElement[bool]) -> None:
        self._connection.execute(
            update(decision)
            .where(which, WHOLE_DECISION)
            .values({**_EMPTIED[decision], "thinned": self._now})
        )

    def _strip(self, column: Column[Any], which: ColumnElement[bool]) -> None:
        """Remove what is personal from a JSON column of the rows."""
        key = column.table.c.id
        rows = self._connection.execute(select(key, column).where(which)).all()
        stripped = [(row_id, was, without_personal(was)) for row_id, was in rows]
        values = [{"row": row_id, "left": left} for row_id, was, left in stripped if left != was]
        if values:
            left = {column.name: bindparam("left", type_=column.type)}
            statement = update(column.table).where(key == bindparam("row")).values(left)
            self._connection.execute(statement, values)

    def _ids(self, found: Select[Any], limit: int) -> Sequence[Any]:
        query = found.limit(limit).with_for_update(skip_locked=True)
        return list(self._connection.execute(query).scalars())


def _key(table: Table) -> Column[Any]:
    """Return the column that is the table's primary key."""
    (key,) = table.primary_key.columns
    return key


def _at(table: Table) -> ColumnElement[Any]:
    """Return the instant by which a row of the table is old, in machine time."""
    return {
        operator_action: operator_action.c.at,
        pause: pause.c.until,
        process: process.c.seen,
        journal: func.coalesce(journal.c.written, journal.c.at),
        inbox: inbox.c.received,
        ticket_apart: ticket_apart.c.updated,
        console_session: console_session.c.ends,
        sign_in_link: sign_in_link.c.ends,
        sign_in_failure: sign_in_failure.c.ends,
    }[table]


def _holds(stored: Stored, value: Any) -> bool:
    """Return whether a column's value holds what is removed from it."""
    if stored.goes is Goes.FIELDS:
        return bool(without_personal(value) != value)
    return stored.goes is Goes.ROW or value not in (None, stored.leaves)


def belonging(table: Table, problems: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition for rows of a table that belong to these problems.

    That personal data was erased or exported, and why, is a record of its own, kept as such.
    """
    if table is service_problem:
        return table.c.id.in_(problems)
    if table is message:
        lanes = select(lane.c.id).where(lane.c.problem_id.in_(problems))
        return message.c.lane_id.in_(lanes)
    if table is scenario_choice:
        return _chosen_with(problems)
    if table is operator_action:
        return table.c.problem_id.in_(problems) & table.c.action.not_in((ERASED, EXPORTED))
    return table.c.problem_id.in_(problems)


def _chosen_with(problems: Sequence[int]) -> ColumnElement[bool]:
    """Pick what testers chose with the requests that these problems, or their changes, come of."""
    key = scenario_choice.c
    raised = exists().where(
        service_problem.c.id.in_(problems),
        service_problem.c.tenant == key.tenant,
        service_problem.c.gateway_id == key.gateway_id,
        key.operation == "problem",
    )
    changed = exists().where(
        change_request.c.problem_id.in_(problems),
        change_request.c.tenant == key.tenant,
        change_request.c.kind == key.operation,
        change_request.c.gateway_id == key.gateway_id,
    )
    return raised | changed
