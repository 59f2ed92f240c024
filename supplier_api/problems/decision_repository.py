"""What the gateway asked and what it was answered: the idempotency record and the audit trail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from supplier_api.db.compiled_statements import CompiledStatement, named
from supplier_api.db.tables import decision, service_problem
from supplier_api.db.unit_of_work import UnitOfWork
from supplier_api.problems.service_repository import LOCKS, lock_name

_t = decision.c
_ASKED = (
    "tenant",
    "operation",
    "key",
    "fingerprint",
    "contract",
    "conversation_id",
    "request_id",
    "created",
)
_ANSWERED = (
    "problem_id",
    "reference",
    "status",
    "body",
    "outcome",
    "rule",
    "reasons",
    "trace",
    "book_version",
    "committed",
    "process",
)
_CLAIM = {
    dialect: CompiledStatement(
        insert(decision).values(named(*_ASKED)).on_conflict_do_nothing().returning(_t.id)
    )
    for dialect, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
# For a new problem, in the same journey: the locks under which it is looked what is known of its
# service, and then its row id. Nothing of that happens if the key is taken.
_CLAIM_FOR_NEW = CompiledStatement(
    postgresql.insert(decision)
    .values(named(*_ASKED))
    .on_conflict_do_nothing()
    .returning(_t.id, *LOCKS, func.nextval(f"{service_problem.name}_id_seq"))
)
# What there is none of is NULL, not JSON's null.
_DOCUMENTS = {
    name: bindparam(name, type_=JSON(none_as_null=True)) for name in ("body", "reasons", "trace")
}
_ANSWER = CompiledStatement(
    update(decision).where(_t.id == bindparam("row_id")).values({**named(*_ANSWERED), **_DOCUMENTS})
)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A request as its record keeps it.

    `key` is the gateway's id, or a resolution's reference; with tenant and operation it is unique.
    """

    tenant: str
    operation: str
    key: str
    fingerprint: str
    contract: str
    conversation_id: str
    request_id: str
    created: datetime


@dataclass(frozen=True, slots=True)
class ClaimedKey:
    """A record that waits for its answer.

    `problem_id` is the row id that a new problem will have; None where the database gives it.
    """

    row_id: int
    problem_id: int | None = None


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What a request was answered, and why.

    `committed` is machine time right before the commit (which others may share: then some
    milliseconds before it), `process` the one that answers.
    """

    status: int
    body: Mapping[str, Any] | None
    problem_id: int | None
    reference: str | None
    committed: datetime
    process: str
    outcome: str | None = None
    rule: str | None = None
    reasons: Sequence[Mapping[str, Any]] | None = None
    trace: Sequence[Mapping[str, Any]] | None = None
    book_version: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """A request that was answered before; `thinned` when its body was taken away since."""

    fingerprint: str
    status: int
    body: Mapping[str, Any] | None
    reference: str | None
    created: datetime
    thinned: datetime | None = None


class DecisionRepository:
    """The records within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work on `connection`."""
        self._connection = uow.connection

    def claim(self, asked: RequestKey, new_on: str | None = None) -> ClaimedKey | None:
        """Take the request's key; must be the transaction's first statement.

        Returns None when the key is taken: then `recorded` has the answer. A twin that arrives at
        the same moment waits here until the first has committed. `new_on` is the service that a
        new problem is about: until the transaction ends no other create looks at it, and no
        incident is declared. On SQLite the transaction itself is that lock.
        """
        dialect = self._connection.dialect.name
        values = {name: getattr(asked, name) for name in _ASKED}
        if new_on is None or dialect == "sqlite":
            taken = _CLAIM[dialect].run(self._connection, values)
            return ClaimedKey(taken[0][0]) if taken else None
        values["locked"] = lock_name(asked.tenant, new_on)
        taken = _CLAIM_FOR_NEW.run(self._connection, values)
        return ClaimedKey(taken[0][0], taken[0][-1]) if taken else None

    def recorded(self, tenant: str, operation: str, key: str) -> RecordedDecision | None:
        """Return the answer that was given under a key."""
        columns = (_t.fingerprint, _t.status, _t.body, _t.reference, _t.created, _t.thinned)
        query = select(*columns).where(
            _t.tenant == tenant, _t.operation == operation, _t.key == key
        )
        row = self._connection.execute(query).first()
        return RecordedDecision(*row) if row else None

    def refused(self, key: str) -> list[dict[str, Any]]:
        """Return the records of requests under a key that no problem came of, of all tenants."""
        query = select(decision).where(
            _t.problem_id.is_(None), _t.key == key, _t.status.is_not(None)
        )
        return [row._asdict() for row in self._connection.execute(query.order_by(_t.id))]

    def answer(self, row_id: int, given: StoredAnswer) -> None:
        """Complete a claimed record with its answer; the transaction is about to be committed."""
        values = {name: getattr(given, name) for name in _ANSWERED}
        _ANSWER.send(self._connection, {"row_id": row_id, **values})

    def decided(self, row_id: int, made: Mapping[str, Any]) -> None:
        """Put a decision that was made later into a record; the answer stays as it was.

        `made` is as Decision.document has it.
        """
        values = dict(made)
        values["book_version"] = values.pop("bookVersion")
        self._connection.execute(update(decision).where(_t.id == row_id), values)

    def lock(self, tenant: str, operation: str, key: str) -> int | None:
        """Lock a record and return its row id; None if there is none."""
        query = select(_t.id).where(_t.tenant == tenant, _t.operation == operation, _t.key == key)
        return self._connection.execute(query.with_for_update()).scalar()

    def answered_by(self, tenant: str, operation: str, key: str, process: str) -> None:
        """Note which process gave the answer last, where that is another one than before."""
        self._connection.execute(
            update(decision).where(
                _t.tenant == tenant,
                _t.operation == operation,
                _t.key == key,
                _t.process != process,
            ),
            {"process": process},
        )

    def given_to(self, asked: RequestKey, process: str) -> ClaimedKey | None:
        """Return the record of just this request, as `process` made it and was the last to give it.

        `problem_id` is the row id of the problem that it is about.
        """
        query = select(_t.id, _t.problem_id).where(
            _t.tenant == asked.tenant,
            _t.operation == asked.operation,
            _t.key == asked.key,
            _t.request_id == asked.request_id,
            _t.process == process,
        )
        row = self._connection.execute(query).first()
        return ClaimedKey(*row) if row else None

    def late(self, row_id: int, at: datetime) -> None:
        """Note that an answer left later than the gateway may have waited."""
        self._connection.execute(update(decision).where(_t.id == row_id), {"answered_late": at})

    def last_committed(self) -> datetime | None:
        """Return when the last answer was committed (machine time), None if none ever was."""
        found: datetime | None = self._connection.execute(select(func.max(_t.committed))).scalar()
        return found

    def of(self, problem_id: int) -> list[dict[str, Any]]:
        """Return the records about a problem, oldest first: columns by name."""
        query = select(decision).where(_t.problem_id == problem_id).order_by(_t.id)
        return [row._asdict() for row in self._connection.execute(query)]
