"""The problems that changed, page by page in the order of their changes: for systems that poll.

Whoever goes on from a page's cursor misses nothing: what changed in the last seconds is left out,
for transactions end in another order than they began. A problem that changes again comes again.

Of those that are over there are many, and no index knows their states: a page of one state looks
through no more than WINDOW of them, and says by its cursor how far it came.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, and_, or_, select, text
from sqlalchemy.sql import ColumnElement

from supplier_api.db import UnitOfWork
from supplier_api.db.tables import service_problem
from supplier_api.problems.model import TERMINAL, ServiceProblem
from supplier_api.problems.repository import (
    COLUMNS,
    CURRENT,
    OF_ANYBODY,
    WINDOW,
    problem_of,
    status_column,
)

# No transaction that changes a problem lasts longer than that.
SETTLING = timedelta(seconds=5)
# As the partial indexes on `updated` have it: each of the two is read in its order.
_OVER = text("base IN ('REJECTED', 'CANCELLED', 'COMPLETED')")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CURSOR = re.compile(r"([0-9]{1,17})-([0-9]{1,18})", re.ASCII)
_t = service_problem.c


@dataclass(frozen=True, slots=True)
class FeedCursor:
    """How far somebody has read: the change of a problem, by business time and row id."""

    updated: datetime
    problem_id: int

    def __str__(self) -> str:
        """Return the cursor as callers get it."""
        return f"{(self.updated - _EPOCH) // _MICROSECOND}-{self.problem_id}"

    @classmethod
    def parse(cls, written: str) -> "FeedCursor | None":
        """Read a cursor back; None for what is none."""
        found = _CURSOR.fullmatch(written)
        # Seventeen digits of microseconds end before the year 9999.
        return found and cls(_EPOCH + int(found[1]) * _MICROSECOND, int(found[2]))


@dataclass(frozen=True, slots=True)
class WantedChanges:
    """Which problems are wanted: in a state, changed since (business time), by ticket or service.

    `after` is the cursor of the page before.
    """

    limit: int
    state: str | None = None
    since: datetime | None = None
    ticket: str | None = None
    service: str | None = None
    after: FeedCursor | None = None


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """A page of problems, the cursor behind it, and whether there may be more already.

    The cursor is None on an empty page without one before. A page with `more` behind it may hold
    few problems, or none.
    """

    problems: Sequence[ServiceProblem]
    cursor: FeedCursor | None
    more: bool


def changed(uow: UnitOfWork, wanted: WantedChanges, now: datetime) -> ChangesPage:
    """Return the next page as of `now` (business time), the longest unchanged first."""
    until = now - SETTLING
    bound = _bound(uow, wanted, until)
    query = _query(wanted, bound.updated if bound else until)
    if bound:
        query = query.where(~_behind(bound))
    found = [
        problem_of(row)
        for part in _parts(wanted.state)
        for row in uow.connection.execute(query.where(part))
    ]
    found.sort(key=lambda problem: (problem.updated, problem.id))
    page = found[: wanted.limit]
    more = len(found) > wanted.limit
    if bound and not more:
        return ChangesPage(page, bound, more=True)
    cursor = FeedCursor(page[-1].updated, page[-1].id) if page else wanted.after
    return ChangesPage(page, cursor, more=more)


def _bound(uow: UnitOfWork, wanted: WantedChanges, until: datetime) -> FeedCursor | None:
    """Return the last problem that a page looks at; None if it looks at all there are."""
    if wanted.state not in TERMINAL or wanted.ticket or wanted.service:
        return None
    query = select(_t.updated, _t.id).where(_OVER, *_span(wanted, until))
    last = query.order_by(_t.updated, _t.id).offset(WINDOW - 1).limit(1)
    row = uow.connection.execute(last).one_or_none()
    return row and FeedCursor(*row)


def _parts(state: str | None) -> list[ColumnElement[bool]]:
    """Return the conditions of the indexes to read, which are apart."""
    if state is None:
        return [_OVER, CURRENT]  # type: ignore[list-item] # a text is a condition
    return [_OVER if state in TERMINAL else CURRENT]  # type: ignore[list-item] # likewise


def _query(wanted: WantedChanges, until: datetime) -> Select[tuple[object, ...]]:
    query = select(*COLUMNS).where(*_span(wanted, until))
    if wanted.state:
        query = query.where(status_column() == wanted.state)
    if wanted.ticket:
        query = query.where(_t.back_office_id == wanted.ticket)
    if wanted.service:
        query = query.where(OF_ANYBODY, _t.service_id == wanted.service)
    return query.order_by(_t.updated, _t.id).limit(wanted.limit + 1)


def _span(wanted: WantedChanges, until: datetime) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions for when the wanted problems changed, which the indexes answer."""
    # One bound at each end: of two, SQLite may read by the wider one.
    yield _t.updated <= until
    after = wanted.after
    if begins := [each for each in (wanted.since, after and after.updated) if each]:
        yield _t.updated >= max(begins)
    if after:
        yield _behind(after)


def _behind(cursor: FeedCursor) -> ColumnElement[bool]:
    same = and_(_t.updated == cursor.updated, _t.id > cursor.problem_id)
    return or_(_t.updated > cursor.updated, same)
