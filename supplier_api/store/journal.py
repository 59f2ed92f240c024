"""The journal of calls, as rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, or_, select

from supplier_api.clock import to_wire
from supplier_api.store.tables import decision, journal

_t = journal.c
_LOCK = 0x10C0DE
# A tenant's calls are counted each time so many were added.
TRIM_EVERY = 64
# What a rule book's record calls what the path calls by another name.
OPERATIONS = {
    "service-problems": "problem",
    "service-problem-amendments": "amendment",
    "service-problem-cancellations": "cancellation",
    "service-problem-resolutions": "resolution",
}


class Direction(StrEnum):
    """Who called whom."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Half:
    """A request or an answer: its headers and its body, secrets masked."""

    headers: Mapping[str, str]
    body: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A call and its answer.

    `at` is business time of the tenant; `status` is None when no answer came. `deliberate` says
    what was done to it on purpose: what, the clause it breaks, the answer expected. `remarks` say
    what is off the contract on the other side.
    """

    at: datetime
    direction: Direction
    operation: str
    tenant: str
    method: str
    url: str
    request: Half
    answer: Half
    status: int | None
    milliseconds: float
    conversation_id: str | None = None
    request_id: str | None = None
    gateway_id: int | None = None
    reference: str | None = None
    deliberate: Mapping[str, Any] | None = None
    remarks: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls a reader wants; what is None is not asked about.

    `name` is the gateway's id or our reference; `outcome` a status or an outcome of the rule book.
    """

    tenant: str | None = None
    operation: str | None = None
    direction: str | None = None
    name: str | None = None
    conversation: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Journal:
    """The calls within one transaction."""

    def __init__(self, connection: Connection) -> None:
        """Work on `connection`."""
        self._connection = connection

    def add(self, calls: Sequence[Call], most_calls: int, most_bytes: int) -> None:
        """Store calls, numbered in the order in which readers see them; trim what is too much."""
        if self._connection.dialect.name == "postgresql":
            # Numbers are given out before the commit: one writer at a time keeps them in order.
            self._connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        rows = [self._row(call) for call in calls]
        result = self._connection.execute(insert(journal).returning(_t.id), rows)
        numbers = list(result.scalars())
        if numbers[-1] // TRIM_EVERY != (numbers[0] - 1) // TRIM_EVERY:
            for tenant in {call.tenant for call in calls}:
                self._trim(tenant, most_calls, most_bytes)

    def page(self, wanted: Wanted, after: int, limit: int) -> list[dict[str, Any]]:
        """Return up to `limit` calls behind the number `after`, each with its own number."""
        query = _wanted(select(_t.id, _t.entry), wanted).where(_t.id > after)
        rows = self._connection.execute(query.order_by(_t.id).limit(limit))
        return [{"cursor": row.id, **row.entry} for row in rows]

    def count(self, wanted: Wanted, after: int) -> int:
        """Return how many calls there are behind the number `after`."""
        query = _wanted(select(func.count()).select_from(journal), wanted).where(_t.id > after)
        found: int = self._connection.execute(query).scalar_one()
        return found

    def get(self, number: int) -> dict[str, Any] | None:
        """Return the call of that number."""
        row = self._connection.execute(select(_t.id, _t.entry).where(_t.id == number)).first()
        return {"cursor": row.id, **row.entry} if row else None

    def delete(self, tenant: str | None) -> None:
        """Forget a tenant's calls, or all."""
        query = delete(journal)
        self._connection.execute(query if tenant is None else query.where(_t.tenant == tenant))

    def _row(self, call: Call) -> dict[str, Any]:
        decided = self._decision(call)
        entry = {**asdict(call), "at": to_wire(call.at), "decision": decided}
        return {
            "tenant": call.tenant,
            "at": call.at,
            "direction": call.direction,
            "operation": call.operation,
            "conversation_id": call.conversation_id,
            "gateway_id": call.gateway_id,
            "reference": call.reference,
            "status": call.status,
            "outcome": decided["outcome"] if decided else None,
            "size": len(call.request.body) + len(call.answer.body),
            "entry": entry,
        }

    def _decision(self, call: Call) -> dict[str, Any] | None:
        operation = OPERATIONS.get(call.operation)
        key = call.reference if operation == "resolution" else call.gateway_id
        if operation is None or key is None or call.direction is Direction.OUT:
            return None
        of = decision.c
        query = select(of.outcome, of.rule, of.reasons, of.trace, of.book_version).where(
            of.tenant == call.tenant, of.operation == operation, of.key == str(key)
        )
        row = self._connection.execute(query).first()
        return row._asdict() if row and row.outcome else None

    def _trim(self, tenant: str, most_calls: int, most_bytes: int) -> None:
        ranked = (
            select(
                _t.id,
                func.row_number().over(order_by=_t.id.desc()).label("calls"),
                func.sum(_t.size).over(order_by=_t.id.desc()).label("bytes"),
            )
            .where(_t.tenant == tenant)
            .subquery()
        )
        too_much = or_(ranked.c.calls > most_calls, ranked.c.bytes > most_bytes)
        last = self._connection.execute(select(func.max(ranked.c.id)).where(too_much)).scalar()
        if last is not None:
            self._connection.execute(delete(journal).where(_t.tenant == tenant, _t.id <= last))


def _wanted(query: Select[Any], wanted: Wanted) -> Select[Any]:
    for column, value in (
        (_t.tenant, wanted.tenant),
        (_t.operation, wanted.operation),
        (_t.direction, wanted.direction),
        (_t.conversation_id, wanted.conversation),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.name is not None:
        query = query.where(_named(wanted.name))
    if wanted.outcome is not None:
        number = int(wanted.outcome) if wanted.outcome.isdigit() else None
        query = query.where(or_(_t.outcome == wanted.outcome, _t.status == number))
    if wanted.since is not None:
        query = query.where(_t.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(_t.at < wanted.until)
    return query


def _named(name: str) -> Any:
    if name.isascii() and name.isdigit() and int(name) < 2**63:
        return or_(_t.reference == name, _t.gateway_id == int(name))
    return _t.reference == name
