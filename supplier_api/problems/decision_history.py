"""The rule book's decisions of a span of time, read batch by batch, each in a transaction."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Row, Select, func, select, tuple_

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
        self, store: Store, since: datetime | None, until: datetime, *, facts: bool = False
    ) -> None:
        """Read from `store`; without `since` from the first. With `facts` read these as well."""
        self._store = store
        self._since = since
        self._until = until
        self._columns = (*_COLUMNS, _t.facts) if facts else _COLUMNS

    def count(self) -> int:
        """Return how many there are."""
        query = of_span(select(func.count()), self._since, self._until)
        found: int = self._store.read(lambda uow: uow.connection.execute(query).scalar_one())
        return found

    def batches(self) -> Iterator[list[PastDecision]]:
        """Yield all, in the order of their commits; those that are thinned have no trace."""
        query = next_batch(of_span(select(*self._columns), self._since, self._until))
        while rows := self._store.read(partial(_rows, query=query)):
            yield [_past(row) for row in rows]
            query = next_batch(
                of_span(select(*self._columns), rows[-1].committed, self._until),
                (rows[-1].committed, rows[-1].id),
            )


def of_span(query: Select[Any], since: datetime | None, until: datetime) -> Select[Any]:
    """Return a query for decisions, narrowed to those committed from `since` to `until`."""
    query = query.where(_t.committed <= until, _t.outcome.is_not(None))
    return query if since is None else query.where(_t.committed >= since)


def next_batch(query: Select[Any], behind: tuple[datetime, int] | None = None) -> Select[Any]:
    """Return the query for a batch, in order; `behind` is the last row before: committed, id."""
    if behind is not None:
        query = query.where(tuple_(_t.committed, _t.id) > behind)
    return query.order_by(_t.committed, _t.id).limit(BATCH)


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
