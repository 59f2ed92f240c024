"""The gateway's data as rows: problems, calls to suppliers, KCIs, and tenants' updates."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Table, and_, delete, func, insert, or_, select, update

from supplier_api.clock import BusinessClock, MachineClock, from_wire, to_wire
from supplier_api.db import Store, UnitOfWork
from supplier_api.sandbox.gateway import database as tables
from supplier_api.sandbox.gateway.clock_and_ids import Identifiers
from supplier_api.sandbox.gateway.codes import CallKind
from supplier_api.sandbox.gateway.config import SandboxConfig
from supplier_api.sandbox.gateway.model import (
    CallState,
    Change,
    Document,
    KciState,
    Problem,
    StoredKci,
    StoredResolution,
    StoredUpdate,
    SupplierCall,
)

T = TypeVar("T")

_call, _kci = tables.call.c, tables.kci.c
_update, _resolution = tables.tenant_update.c, tables.resolution.c


class Records:
    """The gateway's rows within one transaction, with the ids and dates that they are given."""

    def __init__(self, connection: Connection, business: BusinessClock, ids: Identifiers) -> None:
        """Work in the transaction of `connection`."""
        self.connection = connection
        self._business = business
        self._ids = ids

    def now(self, tenant: str) -> str:
        """Return the tenant's time as it is written on the wire."""
        return to_wire(self._business.now(tenant))

    def number(self, table: Table, tenant: str) -> int:
        """Return the next number for a problem, change or resolution of the tenant."""
        return self._ids.number(self.connection, table, tenant)

    # ---- problems

    def add_problem(self, problem: Problem) -> None:
        """Store a problem under an id that no other has."""
        self.connection.execute(insert(tables.problem).values(_columns(problem)))

    def find_problem(self, problem_id: int) -> Problem | None:
        """Return the problem of that id, or None."""
        query = select(tables.problem).where(tables.problem.c.id == problem_id)
        row = self.connection.execute(query).mappings().one_or_none()
        return Problem(**row) if row else None

    def problem(self, problem_id: int) -> Problem:
        """Return the problem that another row names."""
        found = self.find_problem(problem_id)
        assert found is not None
        return found

    def knows_reference(self, supplier: str, reference: str) -> bool:
        """Tell whether a problem is known by this reference of its supplier."""
        of = tables.problem.c
        return self._exists(select(of.id).where(of.supplier == supplier, of.reference == reference))

    def touch(self, problem: Problem) -> None:
        """Note that something has happened to the problem. The caller saves it."""
        problem.updated = self.now(problem.tenant)

    def save_problem(self, problem: Problem) -> None:
        """Write back what may have changed of a problem."""
        self.connection.execute(
            update(tables.problem)
            .where(tables.problem.c.id == problem.id)
            .values(_columns(problem))
        )

    def delete_problems(self, tenant: str | None, suppliers: Collection[str]) -> None:
        """Delete a tenant's problems at these suppliers, with None everybody's, and all of them."""
        of = tables.problem.c
        everybody = of.supplier.in_(suppliers)
        which = everybody if tenant is None else and_(everybody, of.tenant == tenant)
        for table in tables.ABOUT_A_PROBLEM:
            theirs = table.c.problem_id.in_(select(of.id).where(which))
            self.connection.execute(delete(table).where(theirs))
        self.connection.execute(delete(tables.problem).where(which))

    # ---- amendments and cancellations

    def add_change(self, change: Change) -> None:
        """Store a change that has just been asked for, under an id that no other has."""
        self.connection.execute(insert(tables.change).values(_columns(change)))

    def move_change(
        self, problem_id: int, kind: CallKind, change_id: int, status: str
    ) -> Change | None:
        """Give a change of the problem this status and return it; None if it has no such change."""
        of = tables.change.c
        row = self.connection.execute(
            update(tables.change)
            .where(of.id == change_id, of.problem_id == problem_id, of.kind == kind)
            .values(status=status)
            .returning(tables.change)
        ).one_or_none()
        return Change(row.id, row.problem_id, kind, row.document, row.status) if row else None

    # ---- calls to suppliers

    def add_call(
        self,
        problem_id: int,
        kind: CallKind,
        path: str,
        headers: Mapping[str, str],
        body: Document,
        *,
        subject_id: int | None = None,
    ) -> None:
        """Store a request that is to be sent to the problem's supplier, after all earlier ones."""
        self.connection.execute(
            insert(tables.call).values(
                problem_id=problem_id,
                kind=kind,
                subject_id=subject_id,
                state=CallState.WAITING,
                path=path,
                headers=dict(headers),
                body=body,
            )
        )

    def claim_call(self) -> SupplierCall | None:
        """Mark the oldest call whose turn it is as under way and return it, if there is one.

        The calls about one problem have their turns one after the other.
        """
        busy = select(_call.problem_id).where(_call.state == CallState.IN_FLIGHT)
        oldest = select(_call.id).where(
            _call.state == CallState.WAITING, _call.problem_id.not_in(busy)
        )
        call_id = self.connection.scalar(oldest.order_by(_call.id).limit(1))
        if call_id is None:
            return None
        return self._move_call(call_id, CallState.WAITING, CallState.IN_FLIGHT)

    def settle_call(self, call_id: int) -> SupplierCall | None:
        """Mark a call as settled and return it; None when that was done before."""
        return self._move_call(call_id, CallState.IN_FLIGHT, CallState.SETTLED)

    def calls_in_flight(self) -> Sequence[int]:
        """Return the ids of the calls that are under way."""
        query = select(_call.id).where(_call.state == CallState.IN_FLIGHT)
        return self.connection.scalars(query).all()

    def place_of(self, call: SupplierCall) -> int:
        """Return the how-manyth call about its problem this is, from 1."""
        query = select(func.count()).where(_call.problem_id == call.problem_id, _call.id <= call.id)
        return self.connection.scalar(query) or 0

    def awaits_answer(self, problem_id: int) -> bool:
        """Tell whether a call about it is under way, or the problem itself not sent yet."""
        unsent = and_(_call.kind == CallKind.PROBLEM, _call.state == CallState.WAITING)
        pending = or_(_call.state == CallState.IN_FLIGHT, unsent)
        return self._exists(select(_call.id).where(_call.problem_id == problem_id, pending))

    def unsettled_answers(self, problem_id: int) -> dict[int, Document]:
        """Return by resolution the answers that the supplier has not settled yet."""
        query = select(_call.subject_id, _call.body).where(
            _call.problem_id == problem_id,
            _call.kind == CallKind.RESOLUTION,
            _call.state != CallState.SETTLED,
        )
        rows = self.connection.execute(query.order_by(_call.id))
        return {row.subject_id: row.body for row in rows}

    def _move_call(self, call_id: int, before: CallState, after: CallState) -> SupplierCall | None:
        moved = self.connection.execute(
            update(tables.call)
            .where(_call.id == call_id, _call.state == before)
            .values(state=after)
            .returning(*[_call[each.name] for each in fields(SupplierCall)])
        )
        row = moved.mappings().one_or_none()
        return SupplierCall(**{**row, "kind": CallKind(row["kind"])}) if row else None

    # ---- KCIs

    def has_kci(self, supplier: str, kci_id: str) -> bool:
        """Tell whether this supplier's KCI of that id was kept before."""
        return self._exists(select(_kci.id).where(_kci.supplier == supplier, _kci.id == kci_id))

    def has_kci_number(self, problem_id: int, number: int) -> bool:
        """Tell whether a KCI about this problem has that number."""
        return self._exists(
            select(_kci.id).where(_kci.problem_id == problem_id, _kci.number == number)
        )

    def highest_kci_number(self, problem_id: int) -> int:
        """Return the highest number of a KCI about this problem, 0 if there is none."""
        query = select(func.max(_kci.number)).where(_kci.problem_id == problem_id)
        return self.connection.scalar(query) or 0

    def keep_kci(self, kci: StoredKci) -> None:
        """Store a KCI that has no effect yet."""
        written = _columns(kci) | {"state": KciState.KEPT, "arrived": to_wire(kci.arrived)}
        self.connection.execute(insert(tables.kci).values(written))

    def kept_kcis(self, problem_id: int) -> dict[int, datetime]:
        """Return the numbers of the problem's KCIs that had no effect yet, and their arrival."""
        query = select(_kci.number, _kci.arrived).where(
            _kci.problem_id == problem_id, _kci.state == KciState.KEPT
        )
        rows = self.connection.execute(query)
        return {number: from_wire(arrived) for number, arrived in rows}

    def take_kci(self, problem_id: int, number: int) -> StoredKci:
        """Mark a kept KCI as in effect and return it."""
        taken = self.connection.execute(
            update(tables.kci)
            .where(_kci.problem_id == problem_id, _kci.number == number)
            .values(state=KciState.TAKEN)
            .returning(*[_kci[each.name] for each in fields(StoredKci)])
        )
        row = taken.mappings().one()
        return StoredKci(**{**row, "arrived": from_wire(row["arrived"])})

    def problems_with_kept_kcis(self) -> Sequence[int]:
        """Return the ids of the problems of which a KCI has no effect yet."""
        query = select(_kci.problem_id).where(_kci.state == KciState.KEPT)
        return self.connection.scalars(query.distinct()).all()

    def mark_gap(self, problem_id: int, missing: range, marked_on: datetime) -> None:
        """Record the numbers that were waited for in vain."""
        self.connection.execute(
            insert(tables.gap).values(
                problem_id=problem_id,
                first=missing.start,
                last=missing.stop - 1,
                marked_on=to_wire(marked_on),
            )
        )

    # ---- updates and resolutions

    def add_update(
        self,
        problem: Problem,
        update: Document,
        *,
        resolution_id: int | None = None,
        received_on: str | None = None,
    ) -> str:
        """Add an update, received now unless said otherwise, after all others; return its id."""
        update_id = self.uuid(problem, "update")
        head = {"id": update_id, "receivedOn": received_on or self.now(problem.tenant)}
        self.connection.execute(
            insert(tables.tenant_update).values(
                problem_id=problem.id, document=head | update, resolution_id=resolution_id
            )
        )
        return update_id

    def uuid(self, problem: Problem, kind: str) -> str:
        """Return a UUID for something of this kind in the problem's next update."""
        query = select(func.count()).where(_update.problem_id == problem.id)
        place = self.connection.scalar(query) or 0
        return str(self._ids.uuid(problem.tenant, kind, problem.id, place))

    def updates(self, problem_id: int) -> list[StoredUpdate]:
        """Return the problem's updates in the order in which they took effect."""
        rows = self.connection.execute(_updates().where(_update.problem_id == problem_id))
        return [StoredUpdate(*row) for row in rows]

    def first_undelivered(self, problem_id: int) -> StoredUpdate | None:
        """Return the earliest update about the problem that was not delivered yet, or None."""
        query = _updates().where(_update.problem_id == problem_id, _update.delivered_on.is_(None))
        row = self.connection.execute(query.limit(1)).one_or_none()
        return StoredUpdate(*row) if row else None

    def problems_with_undelivered(self, tenant: str) -> Sequence[int]:
        """Return the ids of the tenant's problems of which an update was not delivered yet."""
        query = (
            select(_update.problem_id)
            .join(tables.problem)
            .where(tables.problem.c.tenant == tenant, _update.delivered_on.is_(None))
        )
        return self.connection.scalars(query.distinct()).all()

    def mark_delivered(self, update_id: int, delivered_on: str) -> None:
        """Record when an update was delivered to its tenant."""
        self.connection.execute(
            update(tables.tenant_update)
            .where(_update.id == update_id)
            .values(delivered_on=delivered_on)
        )

    def find_resolution(self, resolution_id: int) -> StoredResolution | None:
        """Return the resolution of that id, or None."""
        query = select(tables.resolution).where(_resolution.id == resolution_id)
        row = self.connection.execute(query).mappings().one_or_none()
        return StoredResolution(**row) if row else None

    def save_resolution(
        self, problem: Problem, document: Document, *, only_new: bool = False
    ) -> int:
        """Store what the supplier says of a resolution and return the gateway's own id for it.

        With `only_new` a resolution that is known stays as it is.
        """
        reference = document["supplierReference"]
        query = select(_resolution.id).where(
            _resolution.problem_id == problem.id, _resolution.reference == reference
        )
        known: int | None = self.connection.scalar(query)
        if known is None:
            new_id = self.number(tables.resolution, problem.tenant)
            new = StoredResolution(new_id, problem.id, reference, document)
            self.connection.execute(insert(tables.resolution).values(_columns(new)))
            return new_id
        if not only_new:
            self.connection.execute(
                update(tables.resolution).where(_resolution.id == known).values(document=document)
            )
        return known

    def _exists(self, query: Any) -> bool:
        return self.connection.execute(query.limit(1)).first() is not None


def _updates() -> Select[Any]:
    """Return the query for updates, with the latest text of the resolution that they are about."""
    return (
        select(
            _update.id,
            _update.document,
            _update.delivered_on,
            _update.resolution_id,
            _resolution.document.label("resolution"),
        )
        .outerjoin(tables.resolution)
        .order_by(_update.id)
    )


def _columns(row: Any) -> dict[str, Any]:
    return {each.name: getattr(row, each.name) for each in fields(row)}


@dataclass(frozen=True, slots=True)
class GatewayServices:
    """What every part of the gateway works with."""

    config: SandboxConfig
    database: Store
    machine: MachineClock
    business: BusinessClock
    ids: Identifiers

    def read(self, work: Callable[[Records], T]) -> T:
        """Run `work` on one consistent view of the database; it must not write."""
        return self.database.read(lambda uow: work(self._records(uow)))

    def write(self, work: Callable[[Records], T]) -> T:
        """Run `work` in one transaction and return its result once that is durable.

        It may run more than once. Raises StoreUnavailable.
        """
        return self.database.write(lambda uow: work(self._records(uow)))

    def _records(self, uow: UnitOfWork) -> Records:
        return Records(uow.connection, self.business, self.ids)
