"""Open problems to which nothing has happened for long, whoever should have said something."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select, text
from sqlalchemy.sql import ColumnElement

from supplier_api.db.compiled_statements import UnitOfWork
from supplier_api.db.tables import service_problem, ticket
from supplier_api.problems.model import Base, ServiceProblem, Waiting
from supplier_api.problems.repository import COLUMNS, problem_of

_p = service_problem.c
# Spelled exactly as in the partial index: SQLite compares the two as text.
OPEN = text("service_problem.base IN ('ACKNOWLEDGED', 'IN_PROGRESS')")
# The states in which somebody works on a problem, without a change that is undecided.
STATES: tuple[Base | Waiting, ...] = (Base.ACKNOWLEDGED, Base.IN_PROGRESS, *Waiting)


class SilentProblems:
    """The search for them within one transaction."""

    def __init__(self, uow: UnitOfWork, now: datetime, after: Mapping[str, timedelta]) -> None:
        """Look at `now` (business time); `after` is how long each of STATES may be silent."""
        self._connection = uow.connection
        before = {state: now - span for state, span in after.items()}
        of_state = or_(*(_silent_in(state, at) for state, at in before.items()))
        # The first two conditions are what the index answers.
        self._silent = (OPEN, _p.updated < max(before.values()), of_state)

    def count(self) -> int:
        """Return how many there are."""
        query = select(func.count()).select_from(service_problem).where(*self._silent)
        return self._connection.execute(query).scalar_one()

    def listed(self, limit: int) -> list[ServiceProblem]:
        """Return the first few, the longest silent first."""
        query = select(*COLUMNS).where(*self._silent).order_by(_p.updated).limit(limit)
        return [problem_of(row) for row in self._connection.execute(query)]


def _silent_in(state: str, before: datetime) -> ColumnElement[bool]:
    """Return the condition for a problem in a state; a ticket that says the same again is heard."""
    heard = select(ticket.c.id).where(ticket.c.problem_id == _p.id, ticket.c.heard >= before)
    return and_(func.coalesce(_p.waiting, _p.base) == state, _p.updated < before, ~heard.exists())
