"""The rule book's decisions of a span of time, read batch by batch, each in a transaction."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Row, Select, func, select, tuple_

from supplier_api.clock import MachineClock
from supplier_api.db import Store, UnitOfWork
from supplier_api.db.tables import decision
from supplier_api.rules.model import Operation, Outcome
from supplier_api.rules.past_decision import PastDecision

BATCH = 500
_t = decision.c
_COLUMNS = (
    _t.id,
    _t.committed,
    _t.tenant,
    _t.operation,
    _t.key,
    _t.reference,
    _t.created,
    _t.outcome,
    _t.rule,
    _t.reasons,
    _t.trace,
    _t.book_version,
)


class DecisionHistory:
    """The decisions whose answers were committed from `since` to `until` (machine time)."""

    def __init__(
        self,
        store: Store,
        since: datetime | None,
        until: datetime,
        *,
        facts: bool = False,
        newest_first: bool = False,
    ) -> None:
        """Read from `store`; without `since` from the first. With `facts` read these as well."""
        self._store = store
        self._since = since
        self._until = until
        self._columns = (*_COLUMNS, _t.facts) if facts else _COLUMNS
        self._newest_first = newest_first

    def count(self) -> int:
        """Return how many there are."""
        query = of_span(select(func.count()), self._since, self._until)
        found: int = self._store.read(lambda uow: uow.connection.execute(query).scalar_one())
        return found

    def batches(self) -> Iterator[list[PastDecision]]:
        """Yield all, in the order of their commits; those that are thinned have no trace."""
        behind = None
        while rows := self._store.read(partial(_rows, query=self._query(behind))):
            yield [_past(row) for row in rows]
            behind = rows[-1].committed, rows[-1].id

    def _query(self, behind: tuple[datetime, int] | None) -> Select[Any]:
        since, until, newest_first = self._since, self._until, self._newest_first
        if behind:
            since, until = (since, behind[0]) if newest_first else (behind[0], until)
        query = of_span(select(*self._columns), since, until)
        return next_batch(query, behind, newest_first=newest_first)


@dataclass(frozen=True, slots=True)
class ReadDecisions:
    """How many decisions were read; `all`: there are no more in the span."""

    number: int
    all: bool


def read_newest(
    history: DecisionHistory,
    add: Callable[[PastDecision], None],
    most: int,
    clock: MachineClock,
    seconds: float,
) -> ReadDecisions:
    """Hand over up to `most` decisions of a history, as far as that gets within `seconds`."""
    ends, number = clock.monotonic() + seconds, 0
    for batch in history.batches():
        for past in batch:
            if number == most or clock.monotonic() > ends:
                return ReadDecisions(number, all=False)
            add(past)
            number += 1
    return ReadDecisions(number, all=True)


def of_span(query: Select[Any], since: datetime | None, until: datetime) -> Select[Any]:
    """Return a query for decisions, narrowed to those committed from `since` to `until`."""
    query = query.where(_t.committed <= until, _t.outcome.is_not(None))
    return query if since is None else query.where(_t.committed >= since)


def next_batch(
    query: Select[Any], behind: tuple[datetime, int] | None = None, *, newest_first: bool = False
) -> Select[Any]:
    """Return the query for a batch, in order; `behind` is the last row before: committed, id."""
    place = tuple_(_t.committed, _t.id)
    if behind is not None:
        query = query.where(place < behind if newest_first else place > behind)
    order = (_t.committed.desc(), _t.id.desc()) if newest_first else (_t.committed, _t.id)
    return query.order_by(*order).limit(BATCH)


def _rows(uow: UnitOfWork, query: Select[Any]) -> Sequence[Row[Any]]:
    return uow.connection.execute(query).all()


def _past(row: Row[Any]) -> PastDecision:
    return PastDecision(
        tenant=row.tenant,
        operation=Operation(row.operation),
        key=row.key,
        reference=row.reference,
        created=row.created,
        outcome=Outcome(row.outcome),
        rule=row.rule,
        reasons=row.reasons or [],
        trace=row.trace or [],
        book_version=row.book_version,
        facts=getattr(row, "facts", None),
    )
