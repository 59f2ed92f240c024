"""Finds what is stored of one problem, line or person: rows that belong to it, and others.

Webhooks and the journal belong to no problem: they name it. To look for words or names is to read
whole tables, a window of rows in a transaction.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unicodedata import normalize

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Select,
    Table,
    Text,
    cast,
    delete,
    func,
    null,
    select,
    union,
)
from sqlalchemy.sql import ColumnElement

from supplier_api.contract.personal import STORED
from supplier_api.db import Store, UnitOfWork
from supplier_api.db.operator_actions import ERASED
from supplier_api.db.tables import (
    change_request,
    decision,
    inbox,
    journal,
    lane,
    message,
    metadata,
    operator_action,
    resolution,
    scenario_choice,
    service_problem,
    ticket,
    ticket_apart,
)
from supplier_api.operations.retention_repository import (
    OF_A_PROBLEM,
    SETTLED,
    WHOLE_DECISION,
    belonging,
)
from supplier_api.outbox.model import DEAD_LETTERS
from supplier_api.problems.repository import IN_LIST_MAX, OF_ANYBODY

WINDOW = 2000  # rows that are read in one transaction
# What belongs to a problem, in the order in which it is shown.
TABLES: Sequence[Table] = (service_problem, message, scenario_choice, *OF_A_PROBLEM)
# What is searched for words, and for names: each column that retention knows to hold texts.
TEXTS: Sequence[Column[Any]] = [
    metadata.tables[table].c[name]
    for table, name in dict.fromkeys((each.table, each.name) for each in STORED)
]
# Where a problem is named by rows that are not its own.
NAMING = (inbox.c.body, journal.c.ids)
Match = Callable[[str], bool]
_ESCAPED = re.compile(r'(?:\\u[0-9A-Fa-f]{4})+|\\["\\/bfnrt]')


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row with what was looked for: its place, and whose it is, as far as it says so."""

    table: Table
    key: tuple[Any, ...]
    problem_id: int | None
    tenant: str | None


def with_words(words: str) -> Match:
    """Return a test for texts that have each of these words, in any order and case.

    The texts may be JSON, in which some characters are escaped.
    """
    wanted = _folded(words).split()

    def match(text: str) -> bool:
        folded = _folded(_ESCAPED.sub(_unescaped, text))
        return all(word in folded for word in wanted)

    return match


def with_names(names: Collection[str]) -> Match:
    """Return a test for texts that have one of these names as a whole."""
    either = "|".join(map(re.escape, sorted(names)))
    found = re.compile(rf"(?<![0-9A-Za-z_])(?:{either})(?![0-9A-Za-z_])")
    return lambda text: bool(names) and bool(found.search(_ESCAPED.sub(_unescaped, text)))


def look(
    store: Store, match: Match, columns: Sequence[Column[Any]] = TEXTS, *, apart: bool = False
) -> list[FoundRow]:
    """Return the rows whose text matches in one of the columns; `apart`: only those of no problem.

    Raises db.StoreUnavailable.
    """
    found = {
        (each.table, each.key): each
        for column in columns
        for each in _matching(store, match, column, apart=apart)
    }
    return list(found.values())


def _matching(
    store: Store, match: Match, column: Column[Any], *, apart: bool
) -> Iterator[FoundRow]:
    query, keys = _texts_of(column, apart=apart), list(column.table.primary_key.columns)
    if len(keys) > 1:  # a table of testers, which is small
        window, last = store.read(lambda uow: uow.connection.execute(query).all()), True
    else:
        window, last = _window(store, query, keys[0], None)
    while window:
        for *key, problem_id, tenant, value in window:
            if value is not None and match(_text(value)):
                yield FoundRow(column.table, tuple(key), problem_id, tenant)
        if last:
            return
        window, last = _window(store, query, keys[0], window[-1][0])


def _window(
    store: Store, query: Select[Any], key: Column[Any], after: Any
) -> tuple[Sequence[Any], bool]:
    """Return the rows behind a key, WINDOW at most, and whether they are the last."""
    if after is not None:
        query = query.where(key > after)
    query = query.order_by(key).limit(WINDOW)
    rows = store.read(lambda uow: uow.connection.execute(query).all())
    return rows, len(rows) < WINDOW


def _texts_of(column: Column[Any], *, apart: bool) -> Select[Any]:
    """Return the query for a column: the row's key, its problem, its tenant, and the text."""
    table = column.table
    text: ColumnElement[Any] = cast(column, Text) if isinstance(column.type, JSON) else column
    problem: ColumnElement[Any] = null()
    if table is service_problem:
        problem = service_problem.c.id
    elif table is message:
        problem = lane.c.problem_id
    elif "problem_id" in table.c:
        problem = table.c.problem_id
    tenant = table.c.tenant if "tenant" in table.c else null()
    query = select(*table.primary_key.columns, problem, tenant, text)
    if table is message:
        query = query.join(lane)
    return query.where(problem.is_(None)) if apart else query


def _text(value: Any) -> str:
    return value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")


def _folded(text: str) -> str:
    """Return a text without what differs where two are the same to people."""
    return normalize("NFKC", text).casefold()


def _unescaped(found: re.Match[str]) -> str:
    """Return what an escape in JSON stands for; of a character in two halves, both."""
    halves: str = json.loads(f'"{found[0]}"')
    return halves


class PrivacyRepository:
    """Reads and removes rows within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection: Connection = uow.connection

    def on_service(self, service_id: str) -> list[int]:
        """Return the row ids of all problems on a service, of all tenants."""
        of = service_problem.c
        query = select(of.id).where(OF_ANYBODY, of.service_id == service_id).order_by(of.id)
        return list(self._connection.execute(query).scalars())

    def names(self, problem_id: int) -> set[str]:
        """Return our references of a problem and of its parts, and the names of its tickets."""
        of, change = service_problem.c, change_request.c
        searches = [
            select(of.reference).where(of.id == problem_id),
            select(of.back_office_id).where(of.id == problem_id),
            select(message.c.back_office_id).where(belonging(message, [problem_id])),
            *(
                select(each).where(each.table.c.problem_id == problem_id)
                for each in (change.reference, change.back_office_id, resolution.c.reference)
            ),
            *(
                select(each.c.ticket).where(each.c.problem_id == problem_id)
                for each in (ticket, ticket_apart)
            ),
        ]
        return {name for name in self._connection.execute(union(*searches)).scalars() if name}

    def rows(self, table: Table, problem_id: int) -> list[dict[str, Any]]:
        """Return all rows of a table that belong to a problem: columns by name."""
        condition = belonging(table, [problem_id])
        if "problem_id" in table.c:
            condition = table.c.problem_id == problem_id
        query = select(table).where(condition).order_by(*table.primary_key.columns)
        return [dict(row) for row in self._connection.execute(query).mappings()]

    def dead_letters(self, problem_id: int) -> set[tuple[int, ...]]:
        """Return the keys of a problem's dead letters."""
        dead = message.c.state.in_(DEAD_LETTERS)
        query = select(message.c.id).where(belonging(message, [problem_id]), dead)
        return {(row.id,) for row in self._connection.execute(query)}

    def removed(self, problem_id: int) -> datetime | None:
        """Return when the personal data of a problem was removed last, None for never."""
        of, act = service_problem.c, operator_action.c
        erased = select(func.max(act.at)).where(act.problem_id == problem_id, act.action == ERASED)
        thinned = select(of.thinned).where(of.id == problem_id)
        found = [self._connection.execute(each).scalar() for each in (erased, thinned)]
        return max((each for each in found if each is not None), default=None)

    def refused(self, key: str, tenant: str | None) -> list[FoundRow]:
        """Return the requests under a gateway's id that no problem came of, if not yet thinned."""
        of = decision.c
        query = select(of.id, of.tenant).where(
            of.problem_id.is_(None), of.key == key, WHOLE_DECISION
        )
        if tenant is not None:
            query = query.where(of.tenant == tenant)
        rows = self._connection.execute(query)
        return [FoundRow(decision, (row.id,), None, row.tenant) for row in rows]

    def get(self, table: Table, keys: Sequence[int]) -> list[dict[str, Any]]:
        """Return the rows of a table with these keys, as far as they are still there."""
        (key,) = table.primary_key.columns
        rows: list[dict[str, Any]] = []
        for at in range(0, len(keys), IN_LIST_MAX):
            query = select(table).where(key.in_(keys[at : at + IN_LIST_MAX])).order_by(key)
            rows += [dict(row) for row in self._connection.execute(query).mappings()]
        return rows

    def unsettled(self, webhooks: Sequence[int]) -> list[tuple[int, str]]:
        """Return which of these webhooks still wait, and their states."""
        rows = self.get(inbox, webhooks)
        return [(row["id"], row["state"]) for row in rows if row["state"] not in SETTLED]

    def delete(self, table: Table, keys: Sequence[int]) -> None:
        """Delete the rows of a table with these keys."""
        (key,) = table.primary_key.columns
        for at in range(0, len(keys), IN_LIST_MAX):
            some = keys[at : at + IN_LIST_MAX]
            self._connection.execute(delete(table).where(key.in_(some)))
