"""The list of problems, page by page, the newest first, as fast with a million rows as with ten.

Each search reads by an index that finds little, or looks through no more than WINDOW rows at a
time, TEXT_WINDOW for words in texts: then a page says how to look further.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import orjson
from sqlalchemy import String, cast, func, or_, select, text
from sqlalchemy.sql import ColumnElement

from supplier_api.contract.field_table import PROBLEM_FIELDS
from supplier_api.contract.fields import Text
from supplier_api.db import Store
from supplier_api.db.compiled_statements import CompiledStatement, UnitOfWork, among
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
# Problems whose texts are looked through at a time: each document is read and parsed.
TEXT_WINDOW = 3_000
WORDS_MAX = 5
_t = service_problem.c
# What the tenant wrote in sentences; contacts and characteristics are not searched.
FREE_TEXT = tuple(
    each.name for each in PROBLEM_FIELDS if each.personal and isinstance(each.field, Text)
)
_DOCUMENT = cast(_t.document, String)
_TEXTS = tuple(_t.document[name].as_string() for name in FREE_TEXT)
# Two queries in one: each reads one end of the table.
_ENDS = CompiledStatement(
    select(select(func.min(_t.id)).scalar_subquery(), select(func.max(_t.id)).scalar_subquery())
)
_OF_IDS = CompiledStatement(select(*COLUMNS).where(among(_t.id, "ids")))
# Spelled exactly as in the partial index: SQLite compares the two as text.
_UNDECIDED = text("service_problem.base = 'UNDECIDED'")


@dataclass(frozen=True, slots=True)
class WantedProblems:
    """Which problems are wanted; each field that is given narrows the search.

    `state` is a status, UNDECIDED or NOT_OVER. `before` is an instant (business time) before which
    they were raised. `words` must all stand in what the tenant wrote, which is personal: who looks
    for them is recorded (disclosure). `older` and `newer` are cursors of another page.
    """

    state: str | None = None
    tenant: str | None = None
    service: str | None = None
    ticket: str | None = None
    before: datetime | None = None
    words: Sequence[str] = ()
    older: int | None = None
    newer: int | None = None


@dataclass(frozen=True, slots=True)
class ProblemsPage:
    """A page, and the cursors of those beside it, None where there are none.

    `window`: the search has looked through so many problems, and goes on behind a cursor.
    """

    problems: Sequence[ServiceProblem]
    older: int | None = None
    newer: int | None = None
    window: int | None = None


@dataclass(frozen=True, slots=True)
class _Way:
    """How a search is made: its conditions, and the column that its pages are ordered by.

    `indexed`: an index finds so few rows that they are sorted; `window`: none does, and the rows
    are read in the order of `key`, so many of them at most.
    """

    conditions: Sequence[ColumnElement[bool]]
    key: ColumnElement[int]
    indexed: bool = False
    window: int | None = None

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
    bound = _bound(uow, wanted, way.window) if way.window else None
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
    window = way.window if bound is not None and not more else None
    if upwards:
        back = rows[0].key if rows else wanted.newer + 1  # type: ignore[operator] # it is given
        return ProblemsPage(problems[::-1], older=back, newer=further, window=window)
    back = rows[0].key if rows else wanted.older
    return ProblemsPage(problems, further, None if wanted.older is None else back, window)


def newest(store: Store, wanted: WantedProblems, limit: int) -> list[ServiceProblem]:
    """Return up to `limit` problems, however far back; each page is a transaction of its own."""
    found: list[ServiceProblem] = []
    while True:
        page = store.read(partial(page_of, wanted=wanted, limit=limit - len(found)))
        found += page.problems
        if len(found) == limit or page.older is None:
            return found
        wanted = replace(wanted, older=page.older)


def _way(wanted: WantedProblems) -> _Way:
    """Return the way that reads the least for what is wanted."""
    narrows = list(_conditions(wanted))
    if wanted.words:
        return _Way(narrows, _t.id, window=TEXT_WINDOW)
    if wanted.ticket or wanted.service:
        return _Way(narrows, _t.id, indexed=True)
    if wanted.state == Base.UNDECIDED:
        return _Way([_UNDECIDED, *narrows], _t.id, indexed=True)  # type: ignore[list-item] # a text is a condition
    if wanted.state and wanted.state not in TERMINAL:
        return _Way([CURRENT, *narrows], _t.id, indexed=True)  # type: ignore[list-item] # likewise
    if wanted.tenant and not (wanted.state or wanted.before):
        # The gateway's ids rise as ours do, and stand in the index of a tenant's problems.
        return _Way(narrows, _t.gateway_id)
    return _Way(narrows, _t.id, window=WINDOW)


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
    for word in wanted.words:
        # Documents that have the word nowhere are not parsed, which takes PostgreSQL longest.
        yield _DOCUMENT.icontains(orjson.dumps(word)[1:-1].decode(), autoescape=True)
        yield or_(*(each.icontains(word, autoescape=True) for each in _TEXTS))


def _bound(uow: UnitOfWork, wanted: WantedProblems, window: int) -> int | None:
    """Return the last row id of the window; None if it holds all the rows that there are."""
    ((lowest, highest),) = _ENDS.run(uow.connection, {})
    if highest is None:
        return None
    if wanted.newer is not None:
        bound = wanted.newer + window
        return bound if bound < highest else None
    bound = int(highest if wanted.older is None else wanted.older - 1) - window + 1
    return bound if bound > lowest else None


def _fetched(uow: UnitOfWork, ids: Sequence[int]) -> list[ServiceProblem]:
    """Return problems in the order of their row ids here."""
    rows = _OF_IDS.run(uow.connection, {"ids": list(ids)})
    found = {problem.id: problem for problem in map(problem_of, rows)}
    return [found[each] for each in ids if each in found]
