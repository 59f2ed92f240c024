"""Service problems, as the gateway knows them."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from supplier_api.sandbox.gateway import tables
from supplier_api.sandbox.gateway.codes import GatewayStatus
from supplier_api.sandbox.gateway.documents import Document


@dataclass(slots=True)
class Problem:
    """A service problem; written back by `save`."""

    id: int
    tenant: str
    supplier: str
    conversation_id: str
    status: str
    reference: str | None
    document: Document
    next_number: int
    final_number: int | None
    created: str
    updated: str


def add(
    connection: Connection,
    problem_id: int,
    tenant: str,
    supplier: str,
    conversation_id: str,
    document: Document,
    created: str,
    *,
    status: str = GatewayStatus.RECEIVED_BY_GATEWAY,
    reference: str | None = None,
    next_number: int = 1,
) -> Problem:
    """Store a problem under an id that no other has, and return it."""
    statement = insert(tables.problem).values(
        id=problem_id,
        tenant=tenant,
        supplier=supplier,
        conversation_id=conversation_id,
        status=status,
        reference=reference,
        document=document,
        next_number=next_number,
        created=created,
        updated=created,
    )
    return Problem(**connection.execute(statement.returning(tables.problem)).mappings().one())


def find(connection: Connection, problem_id: int) -> Problem | None:
    """Return the problem of that id, or None."""
    query = select(tables.problem).where(tables.problem.c.id == problem_id)
    row = connection.execute(query).mappings().one_or_none()
    return Problem(**row) if row else None


def get(connection: Connection, problem_id: int) -> Problem:
    """Return the problem that another row names. Raises NoResultFound if it is not there."""
    query = select(tables.problem).where(tables.problem.c.id == problem_id)
    return Problem(**connection.execute(query).mappings().one())


def knows_reference(connection: Connection, supplier: str, reference: str) -> bool:
    """Tell whether a problem is known by this reference of its supplier."""
    query = select(tables.problem.c.id).where(
        tables.problem.c.supplier == supplier, tables.problem.c.reference == reference
    )
    return connection.execute(query.limit(1)).first() is not None


def delete_all(connection: Connection, tenant: str | None, suppliers: Collection[str]) -> None:
    """Delete a tenant's problems at these suppliers, with None everybody's, and all about them."""
    which: list[ColumnElement[bool]] = [tables.problem.c.supplier.in_(suppliers)]
    if tenant is not None:
        which.append(tables.problem.c.tenant == tenant)
    theirs = select(tables.problem.c.id).where(*which)
    for table in tables.ABOUT_A_PROBLEM:
        connection.execute(delete(table).where(table.c.problem_id.in_(theirs)))
    connection.execute(delete(tables.problem).where(*which))


def save(connection: Connection, problem: Problem) -> None:
    """Write back what may change of a problem."""
    connection.execute(
        update(tables.problem)
        .where(tables.problem.c.id == problem.id)
        .values(
            status=problem.status,
            reference=problem.reference,
            document=problem.document,
            next_number=problem.next_number,
            final_number=problem.final_number,
            updated=problem.updated,
        )
    )
