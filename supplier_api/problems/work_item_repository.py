"""What people work on: orders that wait until somebody is done, and who has taken what."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, delete, func, not_, or_, select, text, update

from supplier_api.clock import from_wire
from supplier_api.contract.codes import ChangeStatus
from supplier_api.db import UnitOfWork
from supplier_api.db.tables import change_request, service_problem, work_item
from supplier_api.db.upsert import insert_for
from supplier_api.problems.model import Base
from supplier_api.problems.repository import COLUMNS, problem_of
from supplier_api.problems.work import ORDER_KINDS, OrderKind, WorkOrder
from supplier_api.rules.model import Operation

_t = work_item.c
# Written as in the partial index: SQLite compares the two as text.
_ORDERS = text("work_item.message IS NOT NULL")
_KINDS: dict[str, OrderKind] = {str(kind): kind for kind in ORDER_KINDS}
# An order about what is undecided is shown in the ledger.
_UNDECIDED = or_(
    and_(_t.kind == Operation.PROBLEM, service_problem.c.base == Base.UNDECIDED),
    func.coalesce(change_request.c.status, "") == ChangeStatus.PENDING,
)
_WAITING = (
    select(_t.reference, _t.kind, _t.message, _t.created, _t.who, _t.taken, *COLUMNS)
    .join(service_problem, service_problem.c.id == _t.problem_id)
    .outerjoin(change_request, change_request.c.reference == _t.reference)
    .where(_ORDERS, not_(_UNDECIDED))
)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has taken something, and when (machine time)."""

    who: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """Which items are wanted: those that nobody has, those of one person, or all."""

    free: bool = False
    by: str | None = None

    def conditions(self) -> list[Any]:
        """Return them as conditions on `work_item`, which may be joined from outside."""
        if self.free:
            return [_t.who.is_(None)]
        return [_t.who == self.by] if self.by is not None else []


@dataclass(frozen=True, slots=True)
class WaitingOrder:
    """An order that waits for people; `issued` is business time, `status` the problem's now.

    `reference` is our reference of what it is about, `problem` that of the problem.
    """

    reference: str
    kind: OrderKind
    message: str
    issued: datetime
    holder: Holder | None
    problem: str
    problem_id: int
    tenant: str
    gateway_id: int
    status: str


@dataclass(frozen=True, slots=True)
class WaitingCount:
    """How many orders wait for people, how many of them nobody has, and since when (business)."""

    orders: int
    free: int
    oldest_free: datetime | None


class WorkItemRepository:
    """Reads and writes them within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection

    def add(self, problem_id: int, order: WorkOrder) -> None:
        """Have an order wait for people; one that comes again changes nothing.

        Of a later order about the same thing the item is told, and is of its kind. But work on a
        problem stays that until somebody is done with it, whatever is heard of it meanwhile:
        `decided` and the list of what is undecided know it by its kind.
        """
        reference = (order.subject or {}).get("supplierReference") or order.reference
        values = {
            "reference": reference,
            "problem_id": problem_id,
            "kind": str(order.kind),
            "message": order.id,
            "created": from_wire(order.issued),
        }
        # Somebody may have taken the undecided request before its order arrived.
        self._connection.execute(
            insert_for(self._connection.dialect.name, work_item).on_conflict_do_update(
                index_elements=[_t.reference],
                set_={
                    "message": order.id,
                    "created": values["created"],
                    "kind": case((_t.kind == Operation.PROBLEM, _t.kind), else_=values["kind"]),
                },
            ),
            values,
        )

    def waiting(
        self, limit: int, held: Held = Held(), after: tuple[datetime, str] | None = None
    ) -> list[WaitingOrder]:
        """Return orders that wait, the oldest first; `after` is the last of the page before."""
        query = _WAITING.where(*held.conditions())
        if after:
            at, reference = after
            query = query.where(_t.created >= at, or_(_t.created > at, _t.reference > reference))
        rows = self._connection.execute(query.order_by(_t.created, _t.reference).limit(limit))
        return [_waiting(row) for row in rows]

    def count(self) -> WaitingCount:
        """Return how many orders wait."""
        free = case((_t.who.is_(None), _t.created))
        query = (
            select(func.count(), func.count(free), func.min(free))
            # Both outer, though each item has a problem: so the items are what is read first.
            .outerjoin_from(work_item, service_problem, service_problem.c.id == _t.problem_id)
            .outerjoin(change_request, change_request.c.reference == _t.reference)
            .where(_ORDERS, not_(_UNDECIDED))
        )
        return WaitingCount(*self._connection.execute(query).one())

    def find(self, reference: str) -> WaitingOrder | None:
        """Return the order about what our reference names, if it waits."""
        row = self._connection.execute(_WAITING.where(_t.reference == reference)).first()
        return _waiting(row) if row else None

    def take(
        self, reference: str, problem_id: int, kind: str, created: datetime, holder: Holder
    ) -> None:
        """Note who has taken it; the problem must be locked."""
        values = {
            "reference": reference,
            "problem_id": problem_id,
            "kind": kind,
            "created": created,
            "who": holder.who,
            "taken": holder.since,
        }
        self._connection.execute(
            insert_for(self._connection.dialect.name, work_item).on_conflict_do_update(
                index_elements=[_t.reference],
                set_={"who": holder.who, "taken": holder.since},
            ),
            values,
        )

    def release(self, reference: str) -> None:
        """Note that nobody has it any more; the problem must be locked."""
        free = update(work_item).where(_t.reference == reference).values(who=None, taken=None)
        self._connection.execute(free)
        self._connection.execute(
            delete(work_item).where(_t.reference == reference, _t.message.is_(None))
        )

    def done(self, reference: str) -> None:
        """Remove the order that somebody is done with; the problem must be locked."""
        self._connection.execute(delete(work_item).where(_t.reference == reference))

    def decided(self, reference: str) -> None:
        """Forget who had a request that is decided; the work on a new problem only begins then."""
        stays = and_(_t.kind == Operation.PROBLEM, _t.message.is_not(None))
        self._connection.execute(delete(work_item).where(_t.reference == reference, not_(stays)))

    def finished(self, problem_id: int) -> None:
        """Remove everything about a problem on which there is no more work."""
        self._connection.execute(delete(work_item).where(_t.problem_id == problem_id))


def holder_of(who: str | None, taken: datetime | None) -> Holder | None:
    """Return the holder that two columns name."""
    return Holder(who, taken) if who is not None and taken is not None else None


def _waiting(row: Any) -> WaitingOrder:
    reference, kind, message, created, who, taken, *columns = row
    problem = problem_of(columns)
    return WaitingOrder(
        reference,
        _KINDS[kind],
        message,
        created,
        holder_of(who, taken),
        problem.reference,
        problem.id,
        problem.tenant,
        problem.gateway_id,
        str(problem.state.status or problem.state.base),
    )
