"""Amendments and cancellations that tenants asked for."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, update

from supplier_api.sandbox.gateway import tables
from supplier_api.sandbox.gateway.codes import CallKind, ChangeState
from supplier_api.sandbox.gateway.documents import Document


@dataclass(frozen=True, slots=True)
class Change:
    """An amendment or a cancellation, under the gateway's own id."""

    id: int
    problem_id: int
    kind: CallKind
    status: str
    document: Document


def add(
    connection: Connection, change_id: int, problem_id: int, kind: CallKind, document: Document
) -> Change:
    """Store a change that has just been asked for, under an id that no other has."""
    statement = insert(tables.change).values(
        id=change_id,
        problem_id=problem_id,
        kind=kind,
        status=ChangeState.RECEIVED_BY_GATEWAY,
        document=document,
    )
    return _change(connection.execute(statement.returning(tables.change)).one())


def move(connection: Connection, change_id: int, status: str) -> Change:
    """Give the change this status and return it."""
    statement = update(tables.change).where(tables.change.c.id == change_id).values(status=status)
    return _change(connection.execute(statement.returning(tables.change)).one())


def close(
    connection: Connection, problem_id: int, kind: CallKind, change_id: int, status: str
) -> None:
    """Give a change the status that its supplier tells, if the problem has such a change."""
    connection.execute(
        update(tables.change)
        .where(
            tables.change.c.id == change_id,
            tables.change.c.problem_id == problem_id,
            tables.change.c.kind == kind,
        )
        .values(status=status)
    )


def _change(row: Any) -> Change:
    return Change(row.id, row.problem_id, CallKind(row.kind), row.status, row.document)
