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
from supplier_api.contract.personal import STORED, After, Goes, without_personal
from supplier_api.db.tables import (
    back_office_event,
    change_request,
    decision,
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
    timer,
)
from supplier_api.outbox.model import DEAD_LETTERS, MessageState
from supplier_api.problems.timer_repository import by_scale

# Written as in the partial indexes: SQLite compares the two as text.
OVER = text("service_problem.base IN ('REJECTED', 'CANCELLED', 'COMPLETED')")
WHOLE_PROBLEM = text("service_problem.thinned IS NULL")
REFUSED = text("coalesce(decision.problem_id, 0) = 0 AND decision.status IS NOT NULL")
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
_OF_A_PROBLEM = (
    lane,
    timer,
    change_request,
    resolution,
    back_office_event,
    decision,
    operator_action,
    pause,
)


class RetentionRepository:
    """Finds and removes old data, within one transaction."""

    def __init__(self, connection: Connection, now: datetime, scales: Mapping[str, Scale]) -> None:
        """Work on `connection`; `now` is machine time, `scales` converts it to a tenant's time."""
        self._connection = connection
        self._now = now
        self._scales = scales

    # -- problems that are over

    def thin(self, age: timedelta, limit: int) -> int:
        """Remove personal data from all that belongs to up to `limit` problems.

        Returns how many problems. contract.personal lists what is removed.
        """
        ids = self._take(self._problems(age, WHOLE_PROBLEM), limit)
        if not ids:
            return 0
        for column in _STRIPPED:
            self._strip(column, _belonging(column.table, ids))
        for table, values in _EMPTIED.items():
            if table is not decision:
                of = _belonging(table, ids)
                self._connection.execute(update(table).where(of).values(values))
        self._thin_decisions(decision.c.problem_id.in_(ids))
        for table in _DROPPED:
            self._connection.execute(delete(table).where(_belonging(table, ids)))
        self._connection.execute(
            update(service_problem).where(service_problem.c.id.in_(ids)).values(thinned=self._now)
        )
        return len(ids)

    def prune(self, age: timedelta, limit: int) -> int:
        """Delete up to `limit` problems with all that belongs to them; return how many."""
        ids = self._take(self._problems(age), limit)
        if not ids:
            return 0
        lanes = select(lane.c.id).where(lane.c.problem_id.in_(ids))
        self._connection.execute(delete(message).where(message.c.lane_id.in_(lanes)))
        for table in _OF_A_PROBLEM:
            self._connection.execute(delete(table).where(table.c.problem_id.in_(ids)))
        self._connection.execute(delete(service_problem).where(service_problem.c.id.in_(ids)))
        return len(ids)

    def count_to_thin(self, age: timedelta) -> int:
        """Return how many problems are to be thinned."""
        return self._count(self._problems(age, WHOLE_PROBLEM))

    def count_to_prune(self, age: timedelta) -> int:
        """Return how many problems are to be deleted."""
        return self._count(self._problems(age))

    # -- requests that led to no problem

    def thin_refused(self, age: timedelta, limit: int) -> int:
        """Remove body and trace of up to `limit` refused requests; return of how many."""
        ids = self._ids(self._refused(age, WHOLE_DECISION), limit)
        if ids:
            self._thin_decisions(decision.c.id.in_(ids))
        return len(ids)

    def prune_refused(self, age: timedelta, limit: int) -> int:
        """Delete the records of up to `limit` refused requests; return of how many."""
        return self._delete(decision, self._refused(age), limit)

    def count_refused_to_thin(self, age: timedelta) -> int:
        """Return how many records of refused requests are to be thinned."""
        return self._count(self._refused(age, WHOLE_DECISION))

    def count_refused_to_prune(self, age: timedelta) -> int:
        """Return how many records of refused requests are to be deleted."""
        return self._count(self._refused(age))

    # -- incidents

    def thin_incidents(self, age: timedelta, limit: int) -> int:
        """Remove the text of up to `limit` incidents that have ended; return of how many."""
        ids = self._ids(self._ended(age), limit)
        if ids:
            self._connection.execute(
                update(incident).where(incident.c.id.in_(ids)).values(text=null())
            )
        return len(ids)

    def count_incidents_to_thin(self, age: timedelta) -> int:
        """Return how many incidents are to lose their text."""
        return self._count(self._ended(age))

    def _ended(self, age: timedelta) -> Select[Any]:
        of = incident.c
        old = (of.ended < self._now - age) & of.text.is_not(None)
        return select(of.id).where(old).order_by(of.ended)

    # -- rows removed by their age alone

    def prune_old(self, what: str, age: timedelta, limit: int) -> int:
        """Delete up to `limit` rows of actions, pauses, processes or journal; return how many."""
        table, query = self._old(what, age)
        return self._delete(table, query, limit)

    def count_old(self, what: str, age: timedelta) -> int:
        """Return how many such rows are to be deleted."""
        return self._count(self._old(what, age)[1])

    def _old(self, what: str, age: timedelta) -> tuple[Table, Select[Any]]:
        before = self._now - age
        at: ColumnElement[Any]
        if what == "actions":
            table, at, order = operator_action, operator_action.c.at, operator_action.c.at
        elif what == "pauses":
            table, at, order = pause, pause.c.until, pause.c.until
        elif what == "processes":
            table, at, order = process, process.c.seen, process.c.seen
        else:
            # By id, which is the order in which they were written.
            at = func.coalesce(journal.c.written, journal.c.at)
            table, order = journal, journal.c.id
        key = process.c.name if table is process else table.c.id
        return table, select(key).where(at < before).order_by(order)

    # -- internal steps

    def _problems(self, age: timedelta, *more: Any) -> Select[Any]:
        of = service_problem.c
        old = [
            whose & (of.updated < scale.at(self._now) - age)
            for whose, scale in by_scale(of.tenant, self._scales)
        ]
        query = select(of.id).where(OVER, *more, or_(*old), ~_UNDELIVERED)
        return query.order_by(of.updated)

    def _refused(self, age: timedelta, *more: Any) -> Select[Any]:
        of = decision.c
        old = [
            whose & (of.created < scale.at(self._now) - age)
            for whose, scale in by_scale(of.tenant, self._scales)
        ]
        return select(of.id).where(REFUSED, *more, or_(*old)).order_by(of.created)

    def _take(self, found: Select[Any], limit: int) -> Sequence[int]:
        """Lock problems and their lanes; pass over those that other transactions have locked."""
        locked = found.limit(limit).with_for_update(skip_locked=True, of=service_problem)
        ids = list(self._connection.execute(locked).scalars())
        lanes = select(lane.c.id).where(lane.c.problem_id.in_(ids)).order_by(lane.c.id)
        self._connection.execute(lanes.with_for_update()).all()
        # What was queued before we had the locks is seen only by a new statement.
        still = select(service_problem.c.id).where(service_problem.c.id.in_(ids), ~_UNDELIVERED)
        return list(self._connection.execute(still).scalars())

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

    def _delete(self, table: Table, found: Select[Any], limit: int) -> int:
        ids = self._ids(found, limit)
        key = process.c.name if table is process else table.c.id
        self._connection.execute(delete(table).where(key.in_(ids)))
        return len(ids)

    def _ids(self, found: Select[Any], limit: int) -> Sequence[Any]:
        query = found.limit(limit).with_for_update(skip_locked=True)
        return list(self._connection.execute(query).scalars())

    def _count(self, found: Select[Any]) -> int:
        counted = select(func.count()).select_from(found.order_by(None).subquery())
        return self._connection.execute(counted).scalar_one()


def _belonging(table: Table, problems: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition for rows of a table that belong to these problems."""
    if table is service_problem:
        return table.c.id.in_(problems)
    if table is message:
        lanes = select(lane.c.id).where(lane.c.problem_id.in_(problems))
        return message.c.lane_id.in_(lanes)
    if table is scenario_choice:
        return _chosen_with(problems)
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
