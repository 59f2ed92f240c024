"""Queries over lanes that have something to send: which to probe, and when each may go on."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import TextClause, bindparam, func, or_, select, update
from sqlalchemy.sql import ColumnElement

from supplier_api.db.pipeline import PIPE
from supplier_api.db.tables import lane
from supplier_api.db.unit_of_work import UnitOfWork
from supplier_api.outbox.lane_rows import NOT_PARKED, OF_KNOWN_VERSION
from supplier_api.outbox.pauses import HeldUp, Scope

_t = lane.c
Condition = ColumnElement[bool] | TextClause
NONE_REFUSED: Mapping[int, str] = MappingProxyType({})


class BacklogQueries:
    """Queries over what waits to be sent, within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def lane_to_probe(
        self,
        destination: str,
        after: int | None,
        now: datetime,
        held: HeldUp,
        refused: Mapping[int, str] = NONE_REFUSED,
    ) -> int | None:
        """Return a lane to `destination` that can be the breaker's probe, each time another.

        That is the next lane id after `after`, starting again at the lowest. Lanes in `refused`
        (lane id to tenant) were refused: one of these, or else another lane of their tenants, is
        chosen only if there is no other. The lane may wait after a failure, but it is neither
        claimed by a worker nor held back by a request of the gateway.
        """
        query = (
            select(_t.id)
            .where(_t.destination == destination, _t.due_at.is_not(None), NOT_PARKED)
            .where(OF_KNOWN_VERSION)
            .where(or_(_t.lease_owner.is_(None), _t.lease_until <= now))
            .where(or_(_t.not_before.is_(None), _t.not_before <= now), *held.apart())
            .order_by(_t.id.in_([*refused]), _t.tenant.in_({*refused.values()}))
            .order_by((_t.id > (after or 0)).desc(), _t.id)
            .limit(1)
        )
        self._connection.info[PIPE].by_index()
        return self._connection.execute(query).scalar()

    def due(self, scope: Scope, now: datetime, most: int) -> int:
        """Count the lanes of `scope` that could be sent now, up to `most`."""
        self._connection.info[PIPE].by_index()
        some = select(_t.id).where(*_at_rest(scope), _t.due_at <= now).limit(most)
        return self._connection.execute(
            select(func.count()).select_from(some.subquery())
        ).scalar_one()

    def spread_due(
        self, scope: Scope, now: datetime, moment: Callable[[], datetime], limit: int
    ) -> int:
        """Move up to `limit` lanes that are due at `now`, each to a later moment.

        The longest due come first. Returns how many there were.
        """
        return self._move(moment, limit, *_at_rest(scope), _t.due_at <= now)

    def bring_forward(
        self, scope: Scope, beyond: datetime, moment: Callable[[], datetime], limit: int
    ) -> int:
        """Move up to `limit` lanes that wait after a failure beyond `beyond` to an earlier moment.

        `beyond` is later than any moment. Returns how many there were.
        """
        return self._move(moment, limit, *_at_rest(scope), _t.due_at > beyond, _t.attempts > 0)

    def _move(self, moment: Callable[[], datetime], limit: int, *which: Condition) -> int:
        """Give each lane another due time; lanes that are locked are passed over."""
        self._connection.info[PIPE].by_index()
        chosen = (
            select(_t.id, _t.not_before)
            .where(*which)
            .order_by(_t.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        moved = [
            {"lane": row.id, "at": _not_before(row.not_before, moment())}
            for row in self._connection.execute(chosen)
        ]
        if moved:
            self._connection.execute(
                update(lane).where(_t.id == bindparam("lane")).values(due_at=bindparam("at")),
                moved,
            )
        return len(moved)


def _at_rest(scope: Scope) -> list[Condition]:
    """Return the conditions for lanes of `scope` with something to send that nobody has claimed."""
    named = (
        (_t.destination, scope.destination),
        (_t.tenant, scope.tenant),
        (_t.problem_id, scope.problem_id),
    )
    of_scope = [column == value for column, value in named if value is not None]
    return [*of_scope, _t.due_at.is_not(None), NOT_PARKED, _t.lease_owner.is_(None)]


def _not_before(earliest: datetime | None, moment: datetime) -> datetime:
    return moment if earliest is None else max(earliest, moment)
