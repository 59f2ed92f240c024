"""The processes that work on this database: their rows, and what they report of themselves.

Each process updates its row every few seconds (heartbeat.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select, update

from supplier_api.clock import from_wire
from supplier_api.db.compiled_statements import UnitOfWork
from supplier_api.db.tables import decision, lane, message, process, service_problem
from supplier_api.db.upsert import insert_for

_t = process.c
MISSED = 3  # heartbeats that a process may miss before it counts as dead
# The names of what a process may report, in `detail`.
DIED = "died"  # of one that ended without a notice: when that was found
INVENTORY_DOWN = "inventory-down"
RULES_OFF = "rules-off"
NOT_LOADED = "not-loaded"
REQUEST = "request"  # the gateway called; sent messages are noted under their destination
REQUEST_TIMES = "requestTimes"  # the summary of http.server
DOORS = "doors"  # of a web server: those that it serves, each with `true`
# The key of what the last comparison with the back office's tickets came to.
RECONCILED = "reconciled"


class ProcessKind(StrEnum):
    """What a process does."""

    WEB = "web"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Process:
    """One process. All instants are machine time; `detail` holds plain JSON values.

    `ended` is None while it runs, and for a killed process until that is found out.
    """

    name: str
    kind: str
    version: str
    book_version: str | None
    started: datetime
    seen: datetime
    ended: datetime | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def died(self) -> bool:
        """Whether it ended without a notice."""
        return DIED in self.detail


class ProcessRepository:
    """The processes within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def save(self, seen: Process) -> None:
        """Store a process as it is now, in place of an earlier one of that name."""
        values = {name: getattr(seen, name) for name in Process.__slots__}
        query = insert_for(self._connection.dialect.name, process)
        changes = {name: query.excluded[name] for name in values if name != "name"}
        self._connection.execute(
            query.on_conflict_do_update(index_elements=[_t.name], set_=changes), values
        )

    def try_out(self, name: str, now: datetime) -> None:
        """Write a row and delete it again, which nobody else sees."""
        self.save(Process(name, ProcessKind.WORKER, "", None, now, now, now))
        self._connection.execute(delete(process).where(_t.name == name))

    def all(self) -> list[Process]:
        """Return all processes, those seen last first."""
        rows = self._connection.execute(select(*_COLUMNS).order_by(_t.seen.desc(), _t.name))
        return [Process(*row) for row in rows]

    def silent(self, since: datetime) -> list[Process]:
        """Return the processes that did not end and were last seen before `since`."""
        query = select(*_COLUMNS).where(_t.ended.is_(None), _t.seen < since).order_by(_t.name)
        return [Process(*row) for row in self._connection.execute(query)]

    def lock_running(self, name: str) -> Process | None:
        """Lock a running process's row and return it; None if it ended or the row is locked."""
        query = select(*_COLUMNS).where(_t.name == name, _t.ended.is_(None))
        row = self._connection.execute(query.with_for_update(skip_locked=True)).first()
        return Process(*row) if row else None

    def any_ended(self, before: datetime) -> bool:
        """Return whether a process ended before an instant."""
        query = select(_t.name).where(_t.ended < before).limit(1)
        return self._connection.execute(query).first() is not None

    def remove_ended(self, before: datetime) -> None:
        """Delete the processes that ended before an instant."""
        self._connection.execute(delete(process).where(_t.ended < before))

    def answered(self, name: str, since: datetime, after: int, limit: int) -> list[int]:
        """Return row ids above `after` of problems whose create that process answered.

        Only answers committed later than `since`, lowest ids first.
        """
        query = (
            select(decision.c.problem_id)
            .where(
                decision.c.committed > since,
                decision.c.process == name,
                decision.c.operation == "problem",
                decision.c.problem_id > after,
            )
            .order_by(decision.c.problem_id)
            .limit(limit)
        )
        return list(self._connection.execute(query).scalars())

    def doubt_unknown(self, problem_ids: list[int], destination: str) -> int:
        """Mark doubtful those problems that the gateway does not show to know; return how many.

        It shows that by accepting a message, or by a further request about the problem. The rows
        are locked first, so that what delivery has completed meanwhile is seen.
        """
        problems = service_problem.c
        locked = select(problems.id).where(problems.id.in_(problem_ids)).order_by(problems.id)
        self._connection.execute(locked.with_for_update()).all()
        taken = select(message.c.id).where(
            message.c.lane_id == lane.c.id,
            lane.c.problem_id == problems.id,
            lane.c.destination == destination,
            message.c.state == "delivered",
        )
        further = select(decision.c.id).where(
            decision.c.problem_id == problems.id, decision.c.operation != "problem"
        )
        done = self._connection.execute(
            update(service_problem)
            .where(
                problems.id.in_(problem_ids),
                problems.doubtful.is_(False),
                ~taken.correlate(service_problem).exists(),
                ~further.correlate(service_problem).exists(),
            )
            .values(doubtful=True)
        )
        return done.rowcount


_COLUMNS = [_t[name] for name in Process.__slots__]


def alive(processes: Iterable[Process], now: datetime, heartbeat: float) -> list[Process]:
    """Return the processes with a recent heartbeat: one is due every `heartbeat` seconds."""
    since = now - timedelta(seconds=MISSED * heartbeat)
    return [each for each in processes if each.ended is None and each.seen >= since]


def inventory_down(processes: Iterable[Process]) -> dict[str, datetime]:
    """Return the names of those to whom the inventory gives no answers, and since when."""
    return {
        each.name: from_wire(each.detail[INVENTORY_DOWN])
        for each in processes
        if INVENTORY_DOWN in each.detail
    }


def rules_off(processes: Iterable[Process]) -> dict[str, dict[str, datetime]]:
    """Return the Python rules that are switched off, since when, by the process that did so."""
    return {
        each.name: {rule: from_wire(at) for rule, at in each.detail[RULES_OFF].items()}
        for each in processes
        if RULES_OFF in each.detail
    }


def not_loaded(processes: Iterable[Process], what: str) -> dict[str, Mapping[str, Any]]:
    """Return the new files of `rules` or `inventory` that processes do not use, and why."""
    return {
        each.name: each.detail[NOT_LOADED][what]
        for each in processes
        if what in each.detail.get(NOT_LOADED, {})
    }
