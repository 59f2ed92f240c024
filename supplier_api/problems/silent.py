"""Open problems to which nothing has happened for long, whoever should have said something."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Integer, and_, bindparam, func, or_, select, text
from sqlalchemy.sql import ColumnElement

from supplier_api.db.compiled_statements import CompiledStatement, UnitOfWork
from supplier_api.db.tables import service_problem, ticket
from supplier_api.problems.model import Base, ServiceProblem, Waiting
from supplier_api.problems.repository import COLUMNS, problem_of

_p = service_problem.c
# Spelled exactly as in the partial index: SQLite compares the two as text.
OPEN = text("service_problem.base IN ('ACKNOWLEDGED', 'IN_PROGRESS')")
# The states in which somebody works on a problem, without a change that is undecided.
STATES: tuple[Base | Waiting, ...] = (Base.ACKNOWLEDGED, Base.IN_PROGRESS, *Waiting)


def _silent_in(state: str) -> ColumnElement[bool]:
    """Return the condition for a problem in a state; a ticket that says the same again is heard."""
    before = bindparam(state, type_=_p.updated.type)
    heard = select(ticket.c.id).where(ticket.c.problem_id == _p.id, ticket.c.heard >= before)
    return and_(func.coalesce(_p.waiting, _p.base) == state, _p.updated < before, ~heard.exists())


_SILENT = (
    # The first two conditions are what the index answers.
    OPEN,
    _p.updated < bindparam("before", type_=_p.updated.type),
    or_(*(_silent_in(state.value) for state in STATES)),
)
_COUNT = CompiledStatement(select(func.count()).select_from(service_problem).where(*_SILENT))
_LISTED = CompiledStatement(
    select(*COLUMNS).where(*_SILENT).order_by(_p.updated).limit(bindparam("limit", type_=Integer))
)


class SilentProblems:
    """The search for them within one transaction."""

    def __init__(self, uow: UnitOfWork, now: datetime, after: Mapping[str, timedelta]) -> None:
        """Look at `now` (business time); `after` is how long each of STATES may be silent."""
        self._connection = uow.connection
        before = {state: now - span for state, span in after.items()}
        self._values = {**before, "before": max(before.values())}

    def count(self) -> int:
        """Return how many there are."""
        ((found,),) = _COUNT.run(self._connection, self._values)
        return int(found)

    def listed(self, limit: int) -> list[ServiceProblem]:
        """Return the first few, the longest silent first."""
        rows = _LISTED.run(self._connection, {**self._values, "limit": limit})
        return [problem_of(row) for row in rows]
