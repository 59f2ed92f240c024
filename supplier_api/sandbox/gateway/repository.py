"""The gateway's rows within a transaction: what is looked for, and what has rules of its own."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from supplier_api.clock import BusinessClock, MachineClock, from_wire, to_wire
from supplier_api.db import Store, UnitOfWork
from supplier_api.sandbox.gateway.clock_and_ids import Identifiers
from supplier_api.sandbox.gateway.codes import CallKind
from supplier_api.sandbox.gateway.config import SandboxConfig
from supplier_api.sandbox.gateway.model import (
    ABOUT_A_PROBLEM,
    CallState,
    Change,
    Document,
    GatewayRow,
    KciState,
    Numbered,
    Problem,
    StoredKci,
    StoredResolution,
    StoredUpdate,
    SupplierCall,
)

T = TypeVar("T")


class Records:
    """The gateway's rows within one transaction, with the ids and dates that they are given.

    A row that is changed is written by the end of the transaction at the latest.
    """

    def __init__(self, session: Session, business: BusinessClock, ids: Identifiers) -> None:
        """Work in the transaction of `session`."""
        self._session = session
        self._business = business
        self._ids = ids

    @property
    def connection(self) -> Connection:
        """The connection that is in the transaction."""
        return self._session.connection()

    def now(self, tenant: str) -> str:
        """Return the tenant's time as it is written on the wire."""
        return to_wire(self._business.now(tenant))

    def number(self, kind: Numbered, tenant: str) -> int:
        """Return the next number for a problem, change or resolution of the tenant."""
        return self._ids.number(self.connection, kind, tenant)

    def add(self, row: GatewayRow) -> None:
        """Store a new row; a call to the supplier is sent after all earlier ones."""
        self._session.add(row)
        self._session.flush()

    # ---- problems

    def find_problem(self, problem_id: int) -> Problem | None:
        """Return the problem of that id, or None."""
        return self._session.get(Problem, problem_id)

    def problem(self, problem_id: int) -> Problem:
        """Return the problem that another row names."""
        return self._session.get_one(Problem, problem_id)

    def knows_reference(self, supplier: str, reference: str) -> bool:
        """Tell whether a problem is known by this reference of its supplier."""
        known = Problem.supplier == supplier, Problem.reference == reference
        return self._exists(select(Problem.id).where(*known))

    def touch(self, problem: Problem) -> None:
        """Note that something has happened to the problem."""
        problem.updated = self.now(problem.tenant)

    def delete_problems(self, tenant: str | None, suppliers: Collection[str]) -> None:
        """Delete a tenant's problems at these suppliers, with None everybody's, and all of them."""
        everybody = Problem.supplier.in_(suppliers)
        which = everybody if tenant is None else and_(everybody, Problem.tenant == tenant)
        for kind in ABOUT_A_PROBLEM:
            theirs = kind.problem_id.in_(select(Problem.id).where(which))
            self._session.execute(delete(kind).where(theirs))
        self._session.execute(delete(Problem).where(which))

    def move_change(
        self, problem_id: int, kind: CallKind, change_id: int, status: str
    ) -> Change | None:
        """Give a change of the problem this status and return it; None if it has no such change."""
        change = self._session.get(Change, change_id)
        if change is None or (change.problem_id, change.kind) != (problem_id, kind):
            return None
        change.status = status
        return change

    # ---- calls to suppliers

    def claim_call(self) -> SupplierCall | None:
        """Mark the oldest call whose turn it is as under way and return it, if there is one.

        The calls about one problem have their turns one after the other.
        """
        busy = select(SupplierCall.problem_id).where(SupplierCall.state == CallState.IN_FLIGHT)
        oldest = select(SupplierCall).where(
            SupplierCall.state == CallState.WAITING, SupplierCall.problem_id.not_in(busy)
        )
        call = self._session.scalar(oldest.order_by(SupplierCall.id).limit(1))
        if call is not None:
            call.state = CallState.IN_FLIGHT
        return call

    def settle_call(self, call_id: int) -> SupplierCall | None:
        """Mark a call as settled and return it; None when that was done before."""
        call = self._session.get(SupplierCall, call_id)
        if call is None or call.state is not CallState.IN_FLIGHT:
            return None
        call.state = CallState.SETTLED
        return call

    def calls_in_flight(self) -> Sequence[int]:
        """Return the ids of the calls that are under way."""
        query = select(SupplierCall.id).where(SupplierCall.state == CallState.IN_FLIGHT)
        return self._session.scalars(query).all()

    def place_of(self, call: SupplierCall) -> int:
        """Return the how-manyth call about its problem this is, from 1."""
        earlier = SupplierCall.problem_id == call.problem_id, SupplierCall.id <= call.id
        return self._session.scalar(select(func.count()).where(*earlier)) or 0

    def awaits_answer(self, problem_id: int) -> bool:
        """Tell whether a call about it is under way, or the problem itself not sent yet."""
        unsent = and_(
            SupplierCall.kind == CallKind.PROBLEM, SupplierCall.state == CallState.WAITING
        )
        pending = or_(SupplierCall.state == CallState.IN_FLIGHT, unsent)
        query = select(SupplierCall.id).where(SupplierCall.problem_id == problem_id, pending)
        return self._exists(query)

    def unsettled_answers(self, problem_id: int) -> dict[int | None, Document]:
        """Return by resolution the answers that the supplier has not settled yet."""
        query = select(SupplierCall).where(
            SupplierCall.problem_id == problem_id,
            SupplierCall.kind == CallKind.RESOLUTION,
            SupplierCall.state != CallState.SETTLED,
        )
        calls = self._session.scalars(query.order_by(SupplierCall.id))
        return {call.subject_id: call.body for call in calls}

    # ---- KCIs

    def has_kci(self, supplier: str, kci_id: str) -> bool:
        """Tell whether this supplier's KCI of that id was kept before."""
        return self._session.get(StoredKci, (supplier, kci_id)) is not None

    def has_kci_number(self, problem_id: int, number: int) -> bool:
        """Tell whether a KCI about this problem has that number."""
        return self._exists(select(StoredKci.id).where(*_numbered(problem_id, number)))

    def highest_kci_number(self, problem_id: int) -> int:
        """Return the highest number of a KCI about this problem, 0 if there is none."""
        query = select(func.max(StoredKci.number)).where(StoredKci.problem_id == problem_id)
        return self._session.scalar(query) or 0

    def kept_kcis(self, problem_id: int) -> dict[int, datetime]:
        """Return the numbers of the problem's KCIs that had no effect yet, and their arrival."""
        query = select(StoredKci.number, StoredKci.arrived).where(
            StoredKci.problem_id == problem_id, StoredKci.state == KciState.KEPT
        )
        return {number: from_wire(arrived) for number, arrived in self._session.execute(query)}

    def take_kci(self, problem_id: int, number: int) -> StoredKci:
        """Mark a kept KCI as in effect and return it."""
        query = select(StoredKci).where(*_numbered(problem_id, number))
        kci = self._session.scalars(query).one()
        kci.state = KciState.TAKEN
        return kci

    def problems_with_kept_kcis(self) -> Sequence[int]:
        """Return the ids of the problems of which a KCI has no effect yet."""
        query = select(StoredKci.problem_id).where(StoredKci.state == KciState.KEPT)
        return self._session.scalars(query.distinct()).all()

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
        self.add(
            StoredUpdate(problem_id=problem.id, document=head | update, resolution_id=resolution_id)
        )
        return update_id

    def uuid(self, problem: Problem, kind: str) -> str:
        """Return a UUID for something of this kind in the problem's next update."""
        query = select(func.count()).where(StoredUpdate.problem_id == problem.id)
        place = self._session.scalar(query) or 0
        return str(self._ids.uuid(problem.tenant, kind, problem.id, place))

    def updates(self, problem_id: int) -> Sequence[StoredUpdate]:
        """Return the problem's updates in the order in which they took effect."""
        return self._session.scalars(_updates(problem_id)).all()

    def first_undelivered(self, problem_id: int) -> StoredUpdate | None:
        """Return the earliest update about the problem that was not delivered yet, or None."""
        query = _updates(problem_id).where(StoredUpdate.delivered_on.is_(None))
        return self._session.scalar(query.limit(1))

    def problems_with_undelivered(self, tenant: str) -> Sequence[int]:
        """Return the ids of the tenant's problems of which an update was not delivered yet."""
        query = (
            select(StoredUpdate.problem_id)
            .join(Problem, Problem.id == StoredUpdate.problem_id)
            .where(Problem.tenant == tenant, StoredUpdate.delivered_on.is_(None))
        )
        return self._session.scalars(query.distinct()).all()

    def mark_delivered(self, update_id: int, delivered_on: str) -> None:
        """Record when an update was delivered to its tenant; it may be gone by now."""
        update = self._session.get(StoredUpdate, update_id)
        if update is not None:
            update.delivered_on = delivered_on

    def find_resolution(self, resolution_id: int) -> StoredResolution | None:
        """Return the resolution of that id, or None."""
        return self._session.get(StoredResolution, resolution_id)

    def save_resolution(
        self, problem: Problem, document: Document, *, only_new: bool = False
    ) -> int:
        """Store what the supplier says of a resolution and return the gateway's own id for it.

        With `only_new` a resolution that is known stays as it is.
        """
        reference = document["supplierReference"]
        query = select(StoredResolution).where(
            StoredResolution.problem_id == problem.id, StoredResolution.reference == reference
        )
        known = self._session.scalar(query)
        if known is None:
            new_id = self.number(StoredResolution, problem.tenant)
            self.add(
                StoredResolution(
                    id=new_id, problem_id=problem.id, reference=reference, document=document
                )
            )
            return new_id
        if not only_new:
            known.document = document
        return known.id

    def _exists(self, query: Select[Any]) -> bool:
        return self._session.execute(query.limit(1)).first() is not None


def _numbered(problem_id: int, number: int) -> tuple[Any, ...]:
    return StoredKci.problem_id == problem_id, StoredKci.number == number


def _updates(problem_id: int) -> Select[StoredUpdate]:
    of_problem = StoredUpdate.problem_id == problem_id
    return select(StoredUpdate).where(of_problem).order_by(StoredUpdate.id)


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
        return self.database.read(lambda uow: self._in_session(uow, work))

    def write(self, work: Callable[[Records], T]) -> T:
        """Run `work` in one transaction and return its result once that is durable.

        It may run more than once. Raises StoreUnavailable.
        """
        return self.database.write(lambda uow: self._in_session(uow, work))

    def _in_session(self, uow: UnitOfWork, work: Callable[[Records], T]) -> T:
        # The rows that are returned go on as they were, without the database.
        with Session(uow.connection, expire_on_commit=False) as session:
            result = work(Records(session, self.business, self.ids))
            session.flush()
            session.expunge_all()
        return result
