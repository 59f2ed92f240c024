"""The queue of work for people: what is undecided, and the orders that wait for them.

What has a deadline stands first, the next to pass on top; then come orders and requests without
one, by age. A request whose deadline was set anew keeps the place that it had.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from itertools import islice

from supplier_api.db import UnitOfWork
from supplier_api.problems.services import LifecyclePolicy
from supplier_api.problems.snapshot import EPOCH
from supplier_api.problems.undecided import UndecidedQueries, UndecidedRequest
from supplier_api.problems.work_item_repository import (
    Held,
    Holder,
    WaitingOrder,
    WorkItemRepository,
)
from supplier_api.rules.model import Operation

EVERYBODYS = Held()
_MICROSECOND = timedelta(microseconds=1)
_PLACE = re.compile(r"([01])-([0-9]{1,17})-([A-Za-z0-9_-]{1,25})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class QueuePlace:
    """Where something stands in the queue: `rank` is 0 with a deadline and 1 without."""

    rank: int
    at: datetime
    reference: str

    def __str__(self) -> str:
        """Return it as the address of a page carries it."""
        return f"{self.rank}-{(self.at - EPOCH) // _MICROSECOND}-{self.reference}"

    @classmethod
    def parse(cls, written: str) -> "QueuePlace | None":
        """Read a place back; None for what is none."""
        found = _PLACE.fullmatch(written)
        if found is None:
            return None
        # Seventeen digits of microseconds end before the year 9999.
        return cls(int(found[1]), EPOCH + int(found[2]) * _MICROSECOND, found[3])


@dataclass(frozen=True, slots=True)
class WorkEntry:
    """One thing to do: a request to decide on, or an order that waits; exactly one of the two."""

    place: QueuePlace
    request: UndecidedRequest | None = None
    order: WaitingOrder | None = None

    @property
    def reference(self) -> str:
        """Our reference of the problem, change or resolution that it is about."""
        return self.place.reference

    @property
    def kind(self) -> str:
        """The operation that is undecided, or the kind of the order."""
        return str(self.request.operation if self.request else self._order.kind)

    @property
    def asked(self) -> datetime:
        """When it was asked for, or the order issued (business time)."""
        return self.request.asked if self.request else self._order.issued

    @property
    def holder(self) -> Holder | None:
        """Who has taken it."""
        return self._one.holder

    @property
    def problem(self) -> str:
        """Our reference of the problem."""
        return self._one.problem

    @property
    def problem_id(self) -> int:
        """The problem's row id."""
        return self._one.problem_id

    @property
    def tenant(self) -> str:
        """The tenant whose problem it is."""
        return self._one.tenant

    @property
    def _one(self) -> UndecidedRequest | WaitingOrder:
        return self.request or self._order

    @property
    def _order(self) -> WaitingOrder:
        assert self.order is not None
        return self.order


class WorkQueue:
    """The queue within one transaction."""

    def __init__(self, uow: UnitOfWork, policy: LifecyclePolicy) -> None:
        """Read in the transaction of `uow`; `policy` has the deadlines."""
        self._ledger = UndecidedQueries(uow, policy)
        self._items = WorkItemRepository(uow)
        self._policy = policy

    def page(
        self, limit: int, held: Held = EVERYBODYS, after: QueuePlace | None = None
    ) -> list[WorkEntry]:
        """Return up to `limit` entries, beyond the last one of the page before."""
        streams = [self._requests(each, limit, held, after) for each in Operation]
        streams.append(self._orders(limit, held, after))
        return list(islice(merge(*streams, key=lambda entry: entry.place), limit))

    def find(self, reference: str) -> WorkEntry | None:
        """Return what is to be done about the problem, change or resolution of our reference."""
        if request := self._ledger.find(reference):
            return self._of_request(request)
        order = self._items.find(reference)
        return _of_order(order) if order else None

    def _requests(
        self, operation: Operation, limit: int, held: Held, after: QueuePlace | None
    ) -> Iterator[WorkEntry]:
        """Yield the requests of one kind; their order by age is that by deadline."""
        deadline = self._policy.deadlines.get(operation)
        rank, later = (0, deadline.after) if deadline else (1, timedelta())
        if after and after.rank > rank:
            return
        beyond = (after.at - later, after.reference) if after and after.rank == rank else None
        for request in self._ledger.of(operation, limit, held, beyond):
            yield self._of_request(request)

    def _of_request(self, request: UndecidedRequest) -> WorkEntry:
        due = self._policy.decide_by(request.operation, request.asked)
        place = QueuePlace(1 if due is None else 0, due or request.asked, request.reference)
        return WorkEntry(place, request=request)

    def _orders(self, limit: int, held: Held, after: QueuePlace | None) -> Iterator[WorkEntry]:
        beyond = (after.at, after.reference) if after and after.rank == 1 else None
        return map(_of_order, self._items.waiting(limit, held, beyond))


def _of_order(order: WaitingOrder) -> WorkEntry:
    return WorkEntry(QueuePlace(1, order.issued, order.reference), order=order)
