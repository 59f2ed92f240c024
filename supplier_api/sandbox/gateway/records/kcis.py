"""KCIs: those that are kept until it is their turn, those that had it, and gaps between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, func, insert, select, update

from supplier_api.clock import from_wire, to_wire
from supplier_api.sandbox.gateway import tables
from supplier_api.sandbox.gateway.documents import Document
from supplier_api.sandbox.gateway.sequencing import Arrival


class KciState(StrEnum):
    """Whether a KCI had its effect."""

    KEPT = "KEPT"
    TAKEN = "TAKEN"


@dataclass(frozen=True, slots=True)
class StoredKci:
    """A KCI of which the envelope has been checked."""

    id: str
    problem_id: int
    number: int
    body: Document
    received_on: str


def exists(connection: Connection, supplier: str, kci_id: str) -> bool:
    """Tell whether this supplier's KCI of that id was kept before."""
    query = select(tables.kci.c.number).where(
        tables.kci.c.supplier == supplier, tables.kci.c.id == kci_id
    )
    return connection.execute(query).first() is not None


def number_is_used(connection: Connection, problem_id: int, number: int) -> bool:
    """Tell whether a KCI about this problem has that number."""
    query = select(tables.kci.c.id).where(
        tables.kci.c.problem_id == problem_id, tables.kci.c.number == number
    )
    return connection.execute(query).first() is not None


def highest_number(connection: Connection, problem_id: int) -> int:
    """Return the highest number of a KCI about this problem, 0 if there is none."""
    query = select(func.max(tables.kci.c.number)).where(tables.kci.c.problem_id == problem_id)
    return connection.scalar(query) or 0


def keep(connection: Connection, supplier: str, kci: StoredKci, arrived: datetime) -> None:
    """Store a KCI that has no effect yet; `arrived` is machine time."""
    connection.execute(
        insert(tables.kci).values(
            supplier=supplier,
            id=kci.id,
            problem_id=kci.problem_id,
            number=kci.number,
            state=KciState.KEPT,
            body=kci.body,
            received_on=kci.received_on,
            arrived=to_wire(arrived),
        )
    )


def kept(connection: Connection, problem_id: int) -> Sequence[Arrival]:
    """Return number and arrival of each KCI of the problem that has no effect yet."""
    query = select(tables.kci.c.number, tables.kci.c.arrived).where(
        tables.kci.c.problem_id == problem_id, tables.kci.c.state == KciState.KEPT
    )
    return [Arrival(number, from_wire(arrived)) for number, arrived in connection.execute(query)]


def take(connection: Connection, problem_id: int, number: int) -> StoredKci:
    """Mark a kept KCI as taken and return it."""
    one = (tables.kci.c.problem_id == problem_id, tables.kci.c.number == number)
    row = connection.execute(select(tables.kci).where(*one)).one()
    connection.execute(update(tables.kci).where(*one).values(state=KciState.TAKEN))
    return StoredKci(row.id, row.problem_id, row.number, row.body, row.received_on)


def problems_with_kept(connection: Connection) -> Sequence[int]:
    """Return the ids of the problems of which a KCI has no effect yet."""
    query = select(tables.kci.c.problem_id).where(tables.kci.c.state == KciState.KEPT)
    return connection.execute(query.distinct()).scalars().all()


def mark_gap(connection: Connection, problem_id: int, missing: range, marked_on: datetime) -> None:
    """Record the numbers that were waited for in vain."""
    connection.execute(
        insert(tables.gap).values(
            problem_id=problem_id,
            first=missing.start,
            last=missing.stop - 1,
            marked_on=to_wire(marked_on),
        )
    )
