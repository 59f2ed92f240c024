"""The journal of calls, as rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Select, bindparam, delete, func, insert, or_, select

from supplier_api.clock import Scale, to_wire
from supplier_api.db.compiled_statements import CompiledStatement, UnitOfWork, among, named
from supplier_api.db.tables import decision, journal, service_problem
from supplier_api.problems.repository import ProblemRepository
from supplier_api.sandbox.journal.entries import JournalEntry

_t = journal.c
_LOCK = 0x10C0DE
_REAL_TIME = Scale()
NAME_MAX = 255
_of = service_problem.c
_d = decision.c
# Run for every call that is written.
_INSERT = CompiledStatement(
    insert(journal).values(named(*(each.name for each in journal.c if each is not _t.id)))
)
_PROBLEM = CompiledStatement(
    select(_of.tenant, _of.gateway_id, _of.reference).where(
        _of.tenant == bindparam("tenant"), _of.gateway_id == bindparam("gateway_id")
    )
)
_DECISION = CompiledStatement(
    select(_d.outcome, _d.rule, _d.reasons, _d.trace, _d.book_version).where(
        _d.tenant == bindparam("tenant"),
        _d.operation == bindparam("operation"),
        _d.key == bindparam("key"),
        among(_d.fingerprint, "fingerprints"),
        _d.status == bindparam("status"),
        _d.outcome.is_not(None),
    )
)


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """Which calls a reader wants; what is None is not asked about.

    `id` is any that the call can be found by; `outcome` a status, or an outcome of the rule book.
    """

    tenant: str | None = None
    operation: str | None = None
    direction: str | None = None
    id: str | None = None
    conversation: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class JournalRepository:
    """The calls within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._uow = uow
        self._connection = uow.connection

    def add(
        self, calls: Sequence[JournalEntry], scales: Mapping[str, Scale]
    ) -> dict[str, list[int]]:
        """Store calls, dated in business time, numbered in the order in which readers see them.

        Returns for each tenant the bytes of each of its calls.
        """
        if self._connection.dialect.name == "postgresql":
            # Numbers are given out before the commit: one writer at a time keeps them in order.
            self._connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        rows = [self._row(call, scales) for call in calls]
        _INSERT.many(self._connection, rows)
        added: dict[str, list[int]] = {}
        for row in rows:
            added.setdefault(row["tenant"], []).append(row["size"])
        return added

    def trim(self, tenant: str, most_calls: int, most_bytes: int) -> None:
        """Keep the latest calls of a tenant: so many at most, and so many bytes of them."""
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

    def page(self, wanted: JournalFilter, after: int, limit: int) -> list[dict[str, Any]]:
        """Return up to `limit` calls behind the number `after`, each with its own number."""
        query = _wanted(select(_t.id, _t.entry), wanted).where(_t.id > after)
        return self._entries(query.order_by(_t.id).limit(limit))

    def latest(
        self, wanted: JournalFilter, after: int, limit: int, before: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the newest calls behind the number `after`, up to `limit`, the oldest first.

        With `before` only those in front of that number.
        """
        query = _wanted(select(_t.id, _t.entry), wanted).where(_t.id > after)
        if before is not None:
            query = query.where(_t.id < before)
        return self._entries(query.order_by(_t.id.desc()).limit(limit))[::-1]

    def count(self, wanted: JournalFilter, after: int) -> int:
        """Return how many calls there are behind the number `after`."""
        query = _wanted(select(func.count()).select_from(journal), wanted).where(_t.id > after)
        found: int = self._connection.execute(query).scalar_one()
        return found

    def end(self) -> int:
        """Return the number of the newest call of all, 0 if there is none."""
        query = select(func.coalesce(func.max(_t.id), 0))
        newest: int = self._connection.execute(query).scalar_one()
        return newest

    def get(self, number: int) -> dict[str, Any] | None:
        """Return the call of that number."""
        found = self._entries(select(_t.id, _t.entry).where(_t.id == number))
        return found[0] if found else None

    def delete(self, tenant: str | None) -> None:
        """Forget a tenant's calls, or all."""
        query = delete(journal)
        self._connection.execute(query if tenant is None else query.where(_t.tenant == tenant))

    def _entries(self, query: Select[Any]) -> list[dict[str, Any]]:
        return [{"cursor": row.id, **row.entry} for row in self._connection.execute(query)]

    def _row(self, call: JournalEntry, scales: Mapping[str, Scale]) -> dict[str, Any]:
        tenant, names = self._problem(call)
        scale = scales.get(tenant) or scales.get("") or _REAL_TIME
        at, decided = scale.at(call.at), self._decision(call)
        ids = tuple(dict.fromkeys(map(_storable, (*call.ids, *names))))
        entry = {
            "at": to_wire(at),
            "direction": call.direction,
            "operation": call.operation,
            "tenant": tenant,
            "method": call.method,
            "url": call.url,
            "request": call.request.plain(),
            "answer": call.answer.plain(),
            "status": call.status,
            "trouble": call.trouble,
            "milliseconds": call.milliseconds,
            "conversationId": call.conversation_id,
            "requestId": call.request_id,
            "ids": ids,
            "deliberate": call.deliberate,
            "remarks": call.remarks,
            "decision": decided,
        }
        return {
            "tenant": tenant,
            "at": at,
            "direction": call.direction,
            "operation": call.operation,
            "conversation_id": call.conversation_id and _storable(call.conversation_id),
            "status": call.status,
            "outcome": decided["outcome"] if decided else None,
            "ids": f" {' '.join(ids)} ",
            "size": len(orjson.dumps(entry)),
            "entry": entry,
            "written": call.at,
        }

    def _problem(self, call: JournalEntry) -> tuple[str, tuple[str, ...]]:
        """Return whose the call is, and further ids of the problem that it is about."""
        tenant = _storable(call.tenant)
        problems: Sequence[Any]
        if call.problem_id is not None:
            key = {"tenant": tenant, "gateway_id": call.problem_id}
            problems = _PROBLEM.run(self._connection, key)
        elif call.about is not None:
            found = ProblemRepository(self._uow).find_any(_storable(call.about))
            query = select(_of.tenant, _of.gateway_id, _of.reference).where(_of.id.in_(found))
            if tenant:
                query = query.where(_of.tenant == tenant)
            problems = self._connection.execute(query.limit(2)).all()
        else:
            return tenant, ()
        if len(problems) != 1:
            return tenant, ()
        ((owner, gateway_id, reference),) = problems
        return owner, (str(gateway_id), reference)

    def _decision(self, call: JournalEntry) -> dict[str, Any] | None:
        """Return what the rule book decided, if the answer follows from that."""
        if call.decided is None:
            return None
        rows = _DECISION.run(
            self._connection,
            {
                "tenant": call.tenant,
                "operation": call.decided.operation,
                "key": call.decided.key,
                "fingerprints": call.decided.fingerprints,
                "status": call.status,
            },
        )
        if not rows:
            return None
        outcome, rule, reasons, trace, book_version = rows[0]
        return {
            "outcome": outcome,
            "rule": rule,
            "reasons": reasons,
            "trace": trace,
            "bookVersion": book_version,
        }


def _wanted(query: Select[Any], wanted: JournalFilter) -> Select[Any]:
    for column, value in (
        (_t.tenant, wanted.tenant),
        (_t.operation, wanted.operation),
        (_t.direction, wanted.direction),
        (_t.conversation_id, wanted.conversation),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.id is not None:
        query = query.where(_t.ids.contains(f" {wanted.id} ", autoescape=True))
    if wanted.outcome is not None:
        is_status = (
            len(wanted.outcome) == 3 and wanted.outcome.isascii() and wanted.outcome.isdigit()
        )
        query = query.where(
            _t.status == int(wanted.outcome) if is_status else _t.outcome == wanted.outcome
        )
    if wanted.since is not None:
        query = query.where(_t.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(_t.at < wanted.until)
    return query


def _storable(name: str) -> str:
    """Return a name as every database can store it: PostgreSQL knows no NUL."""
    return name[:NAME_MAX].replace("\0", "")
