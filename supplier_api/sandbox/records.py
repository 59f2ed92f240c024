"""Reads and writes the gateway's tables. Every function runs in its caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from supplier_api.clock import from_wire, to_wire
from supplier_api.sandbox import tables
from supplier_api.sandbox.codes import GatewayStatus
from supplier_api.sandbox.order import Arrival

Document = dict[str, Any]


class CallState(StrEnum):
    """How far a request to the supplier is."""

    WAITING = "WAITING"
    IN_FLIGHT = "IN_FLIGHT"
    SETTLED = "SETTLED"


class KciState(StrEnum):
    """Whether a KCI had its effect."""

    KEPT = "KEPT"
    TAKEN = "TAKEN"


@dataclass(slots=True)
class Problem:
    """A service problem as the gateway knows it; written back by `save_problem`."""

    id: int
    tenant: str
    supplier: str
    status: str
    reference: str | None
    document: Document
    next_number: int
    final_number: int | None
    created: str
    updated: str


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the supplier."""

    id: int
    problem_id: int
    headers: Mapping[str, str]
    body: Document


@dataclass(frozen=True, slots=True)
class Kci:
    """A KCI of which the envelope has been checked."""

    id: str
    problem_id: int
    number: int
    body: Document
    received_on: str


@dataclass(frozen=True, slots=True)
class Told:
    """An update for the tenant, with the id and today's words of its resolution, if it has one."""

    document: Document
    resolution_id: int | None
    resolution: Document | None


# ---- problems


def add_problem(
    connection: Connection, tenant: str, supplier: str, document: Document, created: str
) -> Problem:
    """Store a problem that has just been raised and return it with its new id."""
    statement = insert(tables.problem).values(
        tenant=tenant,
        supplier=supplier,
        status=GatewayStatus.RECEIVED_BY_GATEWAY,
        document=document,
        next_number=1,
        created=created,
        updated=created,
    )
    return Problem(**connection.execute(statement.returning(tables.problem)).mappings().one())


def find_problem(connection: Connection, problem_id: int) -> Problem | None:
    """Return the problem of that id, or None."""
    query = select(tables.problem).where(tables.problem.c.id == problem_id)
    row = connection.execute(query).mappings().one_or_none()
    return Problem(**row) if row else None


def get_problem(connection: Connection, problem_id: int) -> Problem:
    """Return the problem that another row names. Raises NoResultFound if it is not there."""
    query = select(tables.problem).where(tables.problem.c.id == problem_id)
    return Problem(**connection.execute(query).mappings().one())


def save_problem(connection: Connection, problem: Problem) -> None:
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


# ---- calls


def add_call(
    connection: Connection, problem_id: int, headers: Mapping[str, str], body: Document
) -> None:
    """Store a request that is to be sent to the problem's supplier."""
    connection.execute(
        insert(tables.call).values(
            problem_id=problem_id, state=CallState.WAITING, headers=dict(headers), body=body
        )
    )


def claim_call(connection: Connection) -> Call | None:
    """Mark the oldest waiting call as under way and return it, if there is one."""
    oldest = select(tables.call.c.id).where(tables.call.c.state == CallState.WAITING)
    call_id = connection.scalar(oldest.order_by(tables.call.c.id).limit(1))
    if call_id is None:
        return None
    return _move_call(connection, call_id, CallState.WAITING, CallState.IN_FLIGHT)


def settle_call(connection: Connection, call_id: int) -> Call | None:
    """Mark a call as settled and return it; None when that was done before."""
    return _move_call(connection, call_id, CallState.IN_FLIGHT, CallState.SETTLED)


def calls_in_flight(connection: Connection) -> Sequence[int]:
    """Return the ids of the calls that are under way."""
    query = select(tables.call.c.id).where(tables.call.c.state == CallState.IN_FLIGHT)
    return connection.execute(query).scalars().all()


def _move_call(
    connection: Connection, call_id: int, before: CallState, after: CallState
) -> Call | None:
    row = connection.execute(
        update(tables.call)
        .where(tables.call.c.id == call_id, tables.call.c.state == before)
        .values(state=after)
        .returning(tables.call)
    ).one_or_none()
    return Call(row.id, row.problem_id, row.headers, row.body) if row else None


def awaits_answer(connection: Connection, problem_id: int) -> bool:
    """Tell whether the supplier has yet to answer a call about this problem."""
    open_calls = select(tables.call.c.id).where(
        tables.call.c.problem_id == problem_id, tables.call.c.state != CallState.SETTLED
    )
    return connection.execute(open_calls.limit(1)).first() is not None


# ---- KCIs


def kci_exists(connection: Connection, supplier: str, kci_id: str) -> bool:
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


def keep_kci(connection: Connection, supplier: str, kci: Kci, arrived: datetime) -> None:
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


def kept_arrivals(connection: Connection, problem_id: int) -> Sequence[Arrival]:
    """Return number and arrival of each KCI of the problem that has no effect yet."""
    query = select(tables.kci.c.number, tables.kci.c.arrived).where(
        tables.kci.c.problem_id == problem_id, tables.kci.c.state == KciState.KEPT
    )
    return [Arrival(number, from_wire(arrived)) for number, arrived in connection.execute(query)]


def take_kci(connection: Connection, problem_id: int, number: int) -> Kci:
    """Mark a kept KCI as taken and return it."""
    one = (tables.kci.c.problem_id == problem_id, tables.kci.c.number == number)
    row = connection.execute(select(tables.kci).where(*one)).one()
    connection.execute(update(tables.kci).where(*one).values(state=KciState.TAKEN))
    return Kci(row.id, row.problem_id, row.number, row.body, row.received_on)


def problems_with_kept_kcis(connection: Connection) -> Sequence[int]:
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


# ---- what the tenant sees


def add_update(
    connection: Connection, problem_id: int, document: Document, resolution_id: int | None = None
) -> None:
    """Store an update for the tenant, after all earlier ones."""
    connection.execute(
        insert(tables.tenant_update).values(
            problem_id=problem_id, document=document, resolution_id=resolution_id
        )
    )


def updates_of(connection: Connection, problem_id: int) -> list[Told]:
    """Return the problem's updates in the order in which they took effect."""
    query = (
        select(
            tables.tenant_update.c.document,
            tables.tenant_update.c.resolution_id,
            tables.resolution.c.document.label("resolution"),
        )
        .outerjoin(tables.resolution)
        .where(tables.tenant_update.c.problem_id == problem_id)
        .order_by(tables.tenant_update.c.id)
    )
    return [Told(*row) for row in connection.execute(query)]


def save_resolution(
    connection: Connection, problem_id: int, document: Document, *, only_new: bool
) -> int:
    """Store what the supplier says of a resolution and return the gateway's own id for it.

    With `only_new` a resolution that is known stays as it is.
    """
    resolution = tables.resolution
    reference = document["supplierReference"]
    query = select(resolution.c.id).where(
        resolution.c.problem_id == problem_id, resolution.c.reference == reference
    )
    known: int | None = connection.scalar(query)
    if known is None:
        made = insert(resolution).values(
            problem_id=problem_id, reference=reference, document=document
        )
        new_id: int = connection.execute(made.returning(resolution.c.id)).scalar_one()
        return new_id
    if not only_new:
        connection.execute(
            update(resolution).where(resolution.c.id == known).values(document=document)
        )
    return known
