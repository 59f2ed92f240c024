"""Looks through all texts that are stored, for words or names: whole tables, a window at a time.

A row is found by what stands in it, whether it belongs to a problem or to none.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from sqlalchemy import JSON, Column, Select, Table, Text, cast, null, select
from sqlalchemy.sql import ColumnElement

from supplier_api.contract.personal import STORED
from supplier_api.db import Store
from supplier_api.db.tables import inbox, journal, lane, message, metadata, service_problem

WINDOW = 2000  # rows that are read in one transaction
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
        folded = _folded(_plain(text))
        return all(word in folded for word in wanted)

    return match


def with_names(names: Collection[str]) -> Match:
    """Return a test for texts that have one of these names as a whole."""
    either = "|".join(map(re.escape, sorted(names)))
    found = re.compile(rf"(?<![0-9A-Za-z_])(?:{either})(?![0-9A-Za-z_])")
    return lambda text: bool(names) and bool(found.search(_plain(text)))


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
    return text.lower() if text.isascii() else normalize("NFKC", text).casefold()


def _plain(text: str) -> str:
    """Return a text, which may be JSON, with its characters as they are."""
    return _ESCAPED.sub(_unescaped, text) if "\\" in text else text


def _unescaped(found: re.Match[str]) -> str:
    """Return what an escape in JSON stands for; of a character in two halves, both."""
    halves: str = json.loads(f'"{found[0]}"')
    return halves
