"""What is stored of one problem: its rows, its names, and rows by their keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select, union

from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import ERASED
from supplier_api.db.tables import (
    change_request,
    decision,
    inbox,
    message,
    operator_action,
    resolution,
    scenario_choice,
    service_problem,
    ticket,
    ticket_apart,
)
from supplier_api.operations.privacy_search import FoundRow
from supplier_api.operations.retention_repository import (
    OF_A_PROBLEM,
    SETTLED,
    WHOLE_DECISION,
    belonging,
)
from supplier_api.outbox.model import DEAD_LETTERS
from supplier_api.problems.repository import IN_LIST_MAX, OF_ANYBODY

# What belongs to a problem, in the order in which it is shown.
TABLES: Sequence[Table] = (service_problem, message, scenario_choice, *OF_A_PROBLEM)


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
