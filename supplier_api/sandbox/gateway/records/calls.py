"""Requests to suppliers: what is to be sent, what is under way, what is settled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from supplier_api.sandbox.gateway.codes import CallKind
from supplier_api.sandbox.gateway.documents import Document
from supplier_api.sandbox.gateway.tables import call


class CallState(StrEnum):
    """How far a request to the supplier is."""

    WAITING = "WAITING"
    IN_FLIGHT = "IN_FLIGHT"
    SETTLED = "SETTLED"


@dataclass(frozen=True, slots=True)
class SupplierCall:
    """A request to the supplier; `subject_id` is the change or resolution that it is about.

    `body` lacks only what is not known before it is sent.
    """

    id: int
    problem_id: int
    kind: CallKind
    subject_id: int | None
    path: str
    headers: Mapping[str, str]
    body: Document


def add(
    connection: Connection,
    problem_id: int,
    kind: CallKind,
    path: str,
    headers: Mapping[str, str],
    body: Document,
    *,
    subject_id: int | None = None,
) -> None:
    """Store a request that is to be sent to the problem's supplier, after all earlier ones."""
    connection.execute(
        insert(call).values(
            problem_id=problem_id,
            kind=kind,
            subject_id=subject_id,
            state=CallState.WAITING,
            path=path,
            headers=dict(headers),
            body=body,
        )
    )


def claim(connection: Connection) -> SupplierCall | None:
    """Mark the oldest call whose turn it is as under way and return it, if there is one.

    The calls about one problem have their turns one after the other.
    """
    busy = select(call.c.problem_id).where(call.c.state == CallState.IN_FLIGHT)
    oldest = select(call.c.id).where(
        call.c.state == CallState.WAITING, call.c.problem_id.not_in(busy)
    )
    call_id = connection.scalar(oldest.order_by(call.c.id).limit(1))
    if call_id is None:
        return None
    return _move(connection, call_id, CallState.WAITING, CallState.IN_FLIGHT)


def settle(connection: Connection, call_id: int) -> SupplierCall | None:
    """Mark a call as settled and return it; None when that was done before."""
    return _move(connection, call_id, CallState.IN_FLIGHT, CallState.SETTLED)


def in_flight(connection: Connection) -> Sequence[int]:
    """Return the ids of the calls that are under way."""
    query = select(call.c.id).where(call.c.state == CallState.IN_FLIGHT)
    return connection.execute(query).scalars().all()


def place(connection: Connection, of: SupplierCall) -> int:
    """Return the how-manyth call about its problem this is, from 1."""
    query = select(func.count()).where(call.c.problem_id == of.problem_id, call.c.id <= of.id)
    return connection.scalar(query) or 0


def awaits_answer(connection: Connection, problem_id: int) -> bool:
    """Tell whether a call about this problem is under way, or the problem itself not sent yet."""
    unsent = and_(call.c.kind == CallKind.PROBLEM, call.c.state == CallState.WAITING)
    query = select(call.c.id).where(
        call.c.problem_id == problem_id, or_(call.c.state == CallState.IN_FLIGHT, unsent)
    )
    return connection.execute(query.limit(1)).first() is not None


def unsettled_answers(connection: Connection, problem_id: int) -> dict[int, Document]:
    """Return what the tenant said of each resolution and the supplier has not settled yet."""
    query = select(call.c.subject_id, call.c.body).where(
        call.c.problem_id == problem_id,
        call.c.kind == CallKind.RESOLUTION,
        call.c.state != CallState.SETTLED,
    )
    return {row.subject_id: row.body for row in connection.execute(query.order_by(call.c.id))}


def _move(
    connection: Connection, call_id: int, before: CallState, after: CallState
) -> SupplierCall | None:
    row = connection.execute(
        update(call)
        .where(call.c.id == call_id, call.c.state == before)
        .values(state=after)
        .returning(call)
    ).one_or_none()
    if row is None:
        return None
    kind = CallKind(row.kind)
    return SupplierCall(
        row.id, row.problem_id, kind, row.subject_id, row.path, row.headers, row.body
    )
