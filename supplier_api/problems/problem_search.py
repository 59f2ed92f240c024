"""The list of problems, page by page, the newest first, as fast with a million rows as with ten.

Each search reads by an index that finds little, or looks through no more than WINDOW rows at a
time: then a page says how to look further.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.sql import ColumnElement

from supplier_api.db.compiled_statements import UnitOfWork
from supplier_api.db.tables import service_problem
from supplier_api.problems.model import TERMINAL, Base, ServiceProblem
from supplier_api.problems.repository import (
    COLUMNS,
    CURRENT,
    OF_ANYBODY,
    WINDOW,
    problem_of,
    status_column,
)

NOT_OVER = "NOT_OVER"  # any state that is not the last
_t = service_problem.c
# Two queries in one: each reads one end of the table.
_ENDS = select(select(func.min(_t.id)).scalar_subquery(), select(func.max(_t.id)).scalar_subquery())
# Spelled exactly as in the partial index: SQLite compares the two as text.
_UNDECIDED = text("service_problem.base = 'UNDECIDED'")


@dataclass(frozen=True, slots=True)
class WantedProblems:
    """Which problems are wanted; each field that is given narrows the search.

    `state` is a status, UNDECIDED or NOT_OVER. `before` is an instant (business time) before which
    they were raised: of those that are not over. `older` and `newer` are cursors of another page.
    """

    state: str | None = None
    tenant: str | None = None
    service: str | None = None
    ticket: str | None = None
    before: datetime | None = None
    older: int | None = None
    newer: int | None = None


@dataclass(frozen=True, slots=True)
class ProblemsPage:
    """A page, and the cursors of those beside it, None where there are none.

    `partly`: the search has looked through WINDOW problems, and goes on behind a cursor.
    """

    problems: Sequence[ServiceProblem]
    older: int | None = None
    newer: int | None = None
    partly: bool = False


@dataclass(frozen=True, slots=True)
class _Way:
    """How a search is made: its conditions, and the column that its pages are ordered by.

    `indexed`: an index finds so few rows that they are sorted; `windowed`: none does, and the rows
    are read in the order of `key`, WINDOW of them at most.
    """

    conditions: Sequence[ColumnElement[bool]]
    key: ColumnElement[int]
    indexed: bool = False
    windowed: bool = False

    @property
    def position(self) -> ColumnElement[int]:
        """What stands for the key where it orders and bounds a page.

        Of an indexed search an expression, so that no other index, in the order of the key, seems
        to be worth reading.
        """
        return self.key + 0 if self.indexed else self.key


def page_of(uow: UnitOfWork, wanted: WantedProblems, limit: int) -> ProblemsPage:
    """Return a page of up to `limit` problems."""
    way, upwards = _way(wanted), wanted.newer is not None
    bound = _bound(uow, wanted) if way.windowed else None
    at = way.position
    query = select(_t.id, way.key.label("key")).where(*way.conditions)
    if wanted.older is not None:
        query = query.where(at < wanted.older)
    if wanted.newer is not None:
        query = query.where(at > wanted.newer)
    if bound is not None:
        query = query.where(at <= bound if upwards else at >= bound)
    query = query.order_by(at.asc() if upwards else at.desc())
    rows = uow.connection.execute(query.limit(limit + 1)).all()
    more, rows = len(rows) > limit, rows[:limit]
    problems = _fetched(uow, [row.id for row in rows])
    further = rows[-1].key if more else bound
    partly = not more and bound is not None
    if upwards:
        back = rows[0].key if rows else wanted.newer + 1  # type: ignore[operator] # it is given
        return ProblemsPage(problems[::-1], older=back, newer=further, partly=partly)
    back = rows[0].key if rows else wanted.older
    return ProblemsPage(problems, further, None if wanted.older is None else back, partly)


def _way(wanted: WantedProblems) -> _Way:
    """Return the way that reads the least for what is wanted."""
    narrows = list(_conditions(wanted))
    if wanted.ticket or wanted.service:
        return _Way(narrows, _t.id, indexed=True)
    if wanted.state == Base.UNDECIDED:
        return _Way([_UNDECIDED, *narrows], _t.id, indexed=True)  # type: ignore[list-item] # a text is a condition
    if wanted.before or (wanted.state and wanted.state not in TERMINAL):
        return _Way([CURRENT, *narrows], _t.id, indexed=True)  # type: ignore[list-item] # likewise
    if wanted.tenant and not wanted.state:
        # The gateway's ids rise as ours do, and stand in the index of a tenant's problems.
        return _Way(narrows, _t.gateway_id)
    return _Way(narrows, _t.id, windowed=True)


def _tenant(wanted: WantedProblems) -> ColumnElement[str]:
    """Return the tenant, spelled unlike its indexes where others find less."""
    by_tenant = wanted.service or not (wanted.ticket or wanted.before or wanted.state)
    return _t.tenant if by_tenant else func.coalesce(_t.tenant, "")


def _conditions(wanted: WantedProblems) -> Iterator[ColumnElement[bool]]:
    if wanted.tenant:
        yield _tenant(wanted) == wanted.tenant
    if wanted.service:
        yield _t.service_id == wanted.service
        if not wanted.tenant:
            yield OF_ANYBODY
    if wanted.ticket:
        yield _t.back_office_id == wanted.ticket
    if wanted.before:
        yield _t.created < wanted.before
    if wanted.state and wanted.state != NOT_OVER:
        yield status_column() == wanted.state


def _bound(uow: UnitOfWork, wanted: WantedProblems) -> int | None:
    """Return the last row id of the window; None if it holds all the rows that there are."""
    lowest, highest = uow.connection.execute(_ENDS).one()
    if highest is None:
        return None
    if wanted.newer is not None:
        bound = wanted.newer + WINDOW
        return bound if bound < highest else None
    bound = (highest if wanted.older is None else wanted.older - 1) - WINDOW + 1
    return bound if bound > lowest else None


def _fetched(uow: UnitOfWork, ids: Sequence[int]) -> list[ServiceProblem]:
    """Return problems in the order of their row ids here."""
    rows = uow.connection.execute(select(*COLUMNS).where(_t.id.in_(ids)))
    found = {problem.id: problem for problem in map(problem_of, rows)}
    return [found[each] for each in ids if each in found]
