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
        self._conditions = [_t.committed <= until, _t.outcome.is_not(None)]
        if since is not None:
            self._conditions.append(_t.committed >= since)
        self._columns = (*_COLUMNS, _t.facts) if facts else _COLUMNS

    def count(self) -> int:
        """Return how many there are."""
        query = select(func.count()).select_from(decision).where(*self._conditions)
        return self._store.read(lambda uow: uow.connection.execute(query).scalar_one())

    def batches(self) -> Iterator[list[PastDecision]]:
        """Yield all, in the order of their commits; those that are thinned have no trace."""
        last: Row[Any] | None = None
        while rows := self._store.read(partial(_rows, query=self._behind(last))):
            yield [_past(row) for row in rows]
            last = rows[-1]

    def _behind(self, last: Row[Any] | None) -> Select[Any]:
        query = select(*self._columns).where(*self._conditions)
        if last is not None:
            query = query.where(tuple_(_t.committed, _t.id) > (last.committed, last.id))
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
