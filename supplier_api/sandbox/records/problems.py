"""Service problems, as the gateway knows them."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from supplier_api.sandbox import tables
from supplier_api.sandbox.codes import GatewayStatus
from supplier_api.sandbox.documents import Document


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
    tenant: str,
    supplier: str,
    conversation_id: str,
    document: Document,
    created: str,
) -> Problem:
    """Store a problem that has just been raised and return it with its new id."""
    statement = insert(tables.problem).values(
        tenant=tenant,
        supplier=supplier,
        conversation_id=conversation_id,
        status=GatewayStatus.RECEIVED_BY_GATEWAY,
        document=document,
        next_number=1,
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
