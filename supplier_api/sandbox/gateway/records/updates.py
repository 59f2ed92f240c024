"""What tenants were told: updates, in the order in which they took effect, and resolutions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update

from supplier_api.sandbox.gateway.documents import Document
from supplier_api.sandbox.gateway.tables import problem, resolution, tenant_update


@dataclass(frozen=True, slots=True)
class StoredUpdate:
    """An update for the tenant, with the id and today's words of its resolution, if it has one."""

    id: int
    document: Document
    delivered_on: str | None
    resolution_id: int | None
    resolution: Document | None


@dataclass(frozen=True, slots=True)
class StoredResolution:
    """A supplier's resolution under the gateway's own id."""

    id: int
    problem_id: int
    reference: str
    document: Document


def add_update(
    connection: Connection, problem_id: int, document: Document, resolution_id: int | None = None
) -> None:
    """Store an update for the tenant, after all earlier ones."""
    connection.execute(
        insert(tenant_update).values(
            problem_id=problem_id, document=document, resolution_id=resolution_id
        )
    )


def count_updates(connection: Connection, problem_id: int) -> int:
    """Return how many updates there are about the problem."""
    query = select(func.count()).where(tenant_update.c.problem_id == problem_id)
    return connection.scalar(query) or 0


def updates_of(connection: Connection, problem_id: int) -> list[StoredUpdate]:
    """Return the problem's updates in the order in which they took effect."""
    query = _told().where(tenant_update.c.problem_id == problem_id)
    return [StoredUpdate(*row) for row in connection.execute(query)]


def first_undelivered(connection: Connection, problem_id: int) -> StoredUpdate | None:
    """Return the earliest update about the problem that was not delivered yet, or None."""
    query = _told().where(
        tenant_update.c.problem_id == problem_id, tenant_update.c.delivered_on.is_(None)
    )
    row = connection.execute(query.limit(1)).one_or_none()
    return StoredUpdate(*row) if row else None


def problems_with_undelivered(connection: Connection, tenant: str) -> Sequence[int]:
    """Return the ids of the tenant's problems of which an update was not delivered yet."""
    query = (
        select(tenant_update.c.problem_id)
        .join(problem)
        .where(problem.c.tenant == tenant, tenant_update.c.delivered_on.is_(None))
    )
    return connection.execute(query.distinct()).scalars().all()


def mark_delivered(connection: Connection, update_id: int, delivered_on: str) -> None:
    """Record when an update was delivered to its tenant."""
    connection.execute(
        update(tenant_update)
        .where(tenant_update.c.id == update_id)
        .values(delivered_on=delivered_on)
    )


def find_resolution(connection: Connection, resolution_id: int) -> StoredResolution | None:
    """Return the resolution of that id, or None."""
    row = connection.execute(
        select(resolution).where(resolution.c.id == resolution_id)
    ).one_or_none()
    return StoredResolution(row.id, row.problem_id, row.reference, row.document) if row else None


def save_resolution(
    connection: Connection,
    problem_id: int,
    document: Document,
    new_id: Callable[[], int],
    *,
    only_new: bool = False,
) -> int:
    """Store what the supplier says of a resolution and return the gateway's own id for it.

    `new_id` is asked for one that no other has. With `only_new` a resolution that is known stays as
    it is.
    """
    reference = document["supplierReference"]
    query = select(resolution.c.id).where(
        resolution.c.problem_id == problem_id, resolution.c.reference == reference
    )
    known: int | None = connection.scalar(query)
    if known is None:
        given = new_id()
        connection.execute(
            insert(resolution).values(
                id=given, problem_id=problem_id, reference=reference, document=document
            )
        )
        return given
    if not only_new:
        connection.execute(
            update(resolution).where(resolution.c.id == known).values(document=document)
        )
    return known


def _told() -> Select[Any]:
    return (
        select(
            tenant_update.c.id,
            tenant_update.c.document,
            tenant_update.c.delivered_on,
            tenant_update.c.resolution_id,
            resolution.c.document.label("resolution"),
        )
        .outerjoin(resolution)
        .order_by(tenant_update.c.id)
    )
