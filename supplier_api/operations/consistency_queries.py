"""The doctor's queries for what may be inconsistent or forgotten.

All but one use indexes that hold only what is not over. The search for gaps reads every problem,
and is made piece by piece, so that its caller can end it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, case, func, or_, select, text

from supplier_api.db.compiled_statements import UnitOfWork
from supplier_api.db.tables import change_request, decision, lane, message, service_problem
from supplier_api.operations.status_messages import DEAD, ENDS, PARKED, QUEUED
from supplier_api.problems.model import TERMINAL
from supplier_api.problems.undecided import PENDING, UNDECIDED

_p = service_problem.c
DOUBTFUL = text("service_problem.doubtful")
UNTOLD = text("service_problem.back_office_untold")


@dataclass(frozen=True, slots=True)
class Found:
    """The number of rows found, and the first of them: columns by name."""

    count: int
    first: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Piece:
    """The result of a part of the search for gaps; `reached` is the lowest row id read."""

    looked: int
    reached: int
    found: Sequence[dict[str, Any]]


class ConsistencyQueries:
    """The queries within one transaction. Each returns the oldest first, `limit` at most."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def doubtful(self, limit: int) -> Found:
        """Return open problems that the gateway may not know."""
        query = (
            select(_p.reference, _p.tenant, _p.gateway_id, _p.created)
            .where(DOUBTFUL, _p.base.not_in(TERMINAL))
            .order_by(_p.created)
        )
        return self._found(query, limit)

    def late_changes(self, destination: str, limit: int) -> Found:
        """Return late answers to changes that the gateway has not shown to have received.

        It shows that by accepting a later message, or by a later request about the problem.
        """
        later = decision.alias()
        further = select(later.c.id).where(
            later.c.problem_id == decision.c.problem_id, later.c.id > decision.c.id
        )
        taken = select(message.c.id).where(
            message.c.lane_id == lane.c.id,
            lane.c.problem_id == decision.c.problem_id,
            lane.c.destination == destination,
            message.c.state == "delivered",
            message.c.settled > decision.c.answered_late,
        )
        query = (
            select(
                _p.reference,
                _p.tenant,
                decision.c.operation,
                decision.c.key,
                decision.c.answered_late,
            )
            .join(service_problem, _p.id == decision.c.problem_id)
            .where(
                decision.c.answered_late.is_not(None),
                decision.c.operation != "problem",
                _p.base.not_in(TERMINAL),
                ~further.correlate(decision).exists(),
                ~taken.correlate(decision).exists(),
            )
            .order_by(decision.c.answered_late)
        )
        return self._found(query, limit)

    def undecided(self, before: datetime, limit: int) -> Found:
        """Return problems undecided since before an instant (business time)."""
        query = (
            select(_p.reference, _p.tenant, _p.gateway_id, _p.created)
            .where(UNDECIDED, _p.created < before)
            .order_by(_p.created)
        )
        return self._found(query, limit)

    def undecided_changes(self, before: datetime, limit: int) -> Found:
        """Return amendments and cancellations undecided since before an instant (business time)."""
        change = change_request.c
        query = (
            select(
                _p.reference,
                _p.tenant,
                change.kind,
                change.reference.label("change"),
                change.created,
            )
            .select_from(change_request.join(service_problem))
            .where(PENDING, change.created < before)
            .order_by(change.created)
        )
        return self._found(query, limit)

    def parked(self, before: datetime, limit: int) -> Found:
        """Return lanes parked behind a dead letter since before an instant (machine time).

        A dead letter that says how a problem ended counts at once.
        """
        # Looked up apart: SQLite would begin with all problems, once it knows that there are many.
        lanes = select(lane.c.id).where(PARKED)
        query = (
            select(
                _p.reference,
                _p.tenant,
                lane.c.destination,
                func.min(message.c.number).label("number"),
                func.min(message.c.uuid).label("uuid"),
                func.min(message.c.settled).label("settled"),
            )
            .select_from(lane.join(message).join(service_problem, _p.id == lane.c.problem_id))
            .where(lane.c.id.in_(lanes), DEAD)
            .where(or_(message.c.settled < before, message.c.kind.in_(ENDS)))
            .group_by(_p.reference, _p.tenant, lane.c.destination)
            .order_by(func.min(message.c.settled))
        )
        return self._found(query, limit)

    def forgotten(self, limit: int) -> Found:
        """Return lanes with queued messages that nothing will ever make due."""
        queued = select(message.c.lane_id).where(QUEUED)
        query = (
            select(_p.reference, _p.tenant, lane.c.destination)
            .join(service_problem, _p.id == lane.c.problem_id)
            .where(lane.c.due_at.is_(None), text("NOT lane.parked"), lane.c.id.in_(queued))
            .order_by(lane.c.id)
        )
        return self._found(query, limit)

    def untold(self, limit: int) -> Found:
        """Return open problems for which a work order to the back office was skipped."""
        query = (
            select(_p.reference, _p.tenant, _p.updated)
            .where(UNTOLD, _p.base.not_in(TERMINAL))
            .order_by(_p.updated)
        )
        return self._found(query, limit)

    def last_problem(self) -> int:
        """Return the highest row id of a problem, 0 if there is none."""
        return self._connection.execute(select(func.max(_p.id))).scalar() or 0

    def gaps(self, destination: str, below: int, size: int) -> Piece | None:
        """Check the next `size` problems below a row id for numbers that are missing or skipped.

        None when there is none below. A problem that is over and has no messages any more was
        thinned by retention.
        """
        ids = select(_p.id).where(_p.id < below).order_by(_p.id.desc()).limit(size).subquery()
        looked, reached = self._connection.execute(select(func.count(), func.min(ids.c.id))).one()
        if not looked:
            return None
        there = func.count(message.c.id)
        skipped = func.sum(case((message.c.state == "skipped", 1), else_=0))
        to_gateway = and_(lane.c.problem_id == _p.id, lane.c.destination == destination)
        columns = (_p.id, _p.reference, _p.tenant, _p.next_kci, _p.base)
        aged = and_(_p.base.in_(TERMINAL), there == 0)
        query = (
            select(*columns, there.label("there"), skipped.label("skipped"))
            .outerjoin(lane, to_gateway)
            .outerjoin(message, message.c.lane_id == lane.c.id)
            .where(_p.id >= reached, _p.id < below)
            .group_by(*columns)
            .having(and_(or_(there != _p.next_kci - 1, skipped > 0), ~aged))
            .order_by(_p.id.desc())
        )
        rows = self._connection.execute(query)
        return Piece(looked, reached, [row._asdict() for row in rows])

    def _found(self, query: Select[Any], limit: int) -> Found:
        first = [row._asdict() for row in self._connection.execute(query.limit(limit))]
        if len(first) < limit:
            return Found(len(first), first)
        count = select(func.count()).select_from(query.order_by(None).subquery())
        return Found(self._connection.execute(count).scalar_one(), first)
