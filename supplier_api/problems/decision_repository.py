"""The repository of decisions: idempotency records and audit trail of the gateway's requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from supplier_api.db.compiled_statements import CompiledStatement, UnitOfWork, named
from supplier_api.db.tables import decision
from supplier_api.problems.repository import LOCKS, lock_name
from supplier_api.value_object import value_object

_t = decision.c
_KEY_COLUMNS = (
    "tenant",
    "operation",
    "key",
    "fingerprint",
    "contract",
    "conversation_id",
    "request_id",
    "created",
)
_ANSWER_COLUMNS = ("problem_id", "reference", "status", "body", "committed", "process")
# The columns of a decision, and its names in Decision.document.
_DECISION_COLUMNS = {
    "outcome": "outcome",
    "rule": "rule",
    "reasons": "reasons",
    "trace": "trace",
    "facts": "facts",
    "book_version": "bookVersion",
}
_CLAIM = {
    dialect: CompiledStatement(
        insert(decision).values(named(*_KEY_COLUMNS)).on_conflict_do_nothing().returning(_t.id)
    )
    for dialect, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
# For a new problem, with the locks for reading what is known of its service; none is taken if the
# key exists.
_CLAIM_FOR_NEW = CompiledStatement(
    postgresql.insert(decision)
    .values(named(*_KEY_COLUMNS))
    .on_conflict_do_nothing()
    .returning(_t.id, *LOCKS)
)
# None is stored as NULL, not as JSON's null.
_DOCUMENTS = {
    name: bindparam(name, type_=JSON(none_as_null=True))
    for name in ("body", "reasons", "trace", "facts")
}
_ANSWER = CompiledStatement(
    update(decision)
    .where(_t.id == bindparam("row_id"))
    .values({**named(*_ANSWER_COLUMNS, *_DECISION_COLUMNS), **_DOCUMENTS})
)
_OF_PROBLEM = CompiledStatement(
    select(decision).where(_t.problem_id == bindparam("problem_id")).order_by(_t.id)
)


@value_object
class RequestKey:
    """A request as it is recorded.

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
class RecordedDecision:
    """A request that was answered before; `thinned` is when retention removed its body."""

    fingerprint: str
    status: int
    body: Mapping[str, Any] | None
    reference: str | None
    created: datetime
    thinned: datetime | None = None


class DecisionRepository:
    """Reads and writes decision records within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection

    def claim(self, request_key: RequestKey, lock_service: str | None = None) -> int | None:
        """Take the request's key; must be the transaction's first statement.

        Returns the record's row id, or None when the key is taken: then `recorded` has the answer.
        A duplicate that arrives at the same moment waits here until the first has committed.
        `lock_service` is the service of a new problem: until the transaction ends no other create
        reads it, and no incident is declared. On SQLite the transaction itself is that lock.
        """
        dialect = self._connection.dialect.name
        values = {name: getattr(request_key, name) for name in _KEY_COLUMNS}
        if lock_service is None or dialect == "sqlite":
            taken = _CLAIM[dialect].first(self._connection, values)
        else:
            values["locked"] = lock_name(request_key.tenant, lock_service)
            taken = _CLAIM_FOR_NEW.first(self._connection, values)
        return taken[0] if taken else None

    def recorded(self, tenant: str, operation: str, key: str) -> RecordedDecision | None:
        """Return the record stored under a key."""
        columns = (_t.fingerprint, _t.status, _t.body, _t.reference, _t.created, _t.thinned)
        query = select(*columns).where(
            _t.tenant == tenant, _t.operation == operation, _t.key == key
        )
        row = self._connection.execute(query).first()
        return RecordedDecision(*row) if row else None

    def refused(
        self, key: str, tenant: str | None = None, operation: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the records of requests under a key that no problem came of.

        They are of all tenants and operations, or of those that are named.
        """
        query = select(decision).where(
            _t.problem_id.is_(None), _t.key == key, _t.status.is_not(None)
        )
        for column, value in ((_t.tenant, tenant), (_t.operation, operation)):
            if value is not None:
                query = query.where(column == value)
        return [row._asdict() for row in self._connection.execute(query.order_by(_t.id))]

    def answer(
        self,
        row_id: int,
        decision: Mapping[str, Any],
        *,
        status: int,
        body: Mapping[str, Any] | None,
        problem_id: int | None,
        reference: str | None,
        committed: datetime,
        process: str,
    ) -> None:
        """Complete a claimed record with its answer; the transaction is about to be committed.

        `decision` is as Decision.document has it, empty where none was made. `committed` is machine
        time right before the commit (which others may share: then some milliseconds before it),
        `process` the one that answers.
        """
        values = {
            "row_id": row_id,
            "status": status,
            "body": body,
            "problem_id": problem_id,
            "reference": reference,
            "committed": committed,
            "process": process,
            **{column: decision.get(name) for column, name in _DECISION_COLUMNS.items()},
        }
        _ANSWER.run(self._connection, values)

    def decided(self, row_id: int, made: Mapping[str, Any]) -> None:
        """Store a decision that was made later in a record; the answer does not change.

        `made` is as Decision.document has it.
        """
        values = {column: made.get(name) for column, name in _DECISION_COLUMNS.items()}
        self._connection.execute(update(decision).where(_t.id == row_id), values)

    def lock(self, tenant: str, operation: str, key: str) -> int | None:
        """Lock a record and return its row id; None if there is none."""
        query = select(_t.id).where(_t.tenant == tenant, _t.operation == operation, _t.key == key)
        return self._connection.execute(query.with_for_update()).scalar()

    def answered_by(self, tenant: str, operation: str, key: str, process: str) -> None:
        """Store which process answered last, if it is another one than before."""
        self._connection.execute(
            update(decision).where(
                _t.tenant == tenant,
                _t.operation == operation,
                _t.key == key,
                _t.process != process,
            ),
            {"process": process},
        )

    def given_to(self, request_key: RequestKey, process: str) -> tuple[int, int | None] | None:
        """Return the row ids of this request's record and of the problem that it is about.

        None unless it is exactly this request, and `process` was the last to answer it.
        """
        query = select(_t.id, _t.problem_id).where(
            _t.tenant == request_key.tenant,
            _t.operation == request_key.operation,
            _t.key == request_key.key,
            _t.request_id == request_key.request_id,
            _t.process == process,
        )
        row = self._connection.execute(query).first()
        return (row.id, row.problem_id) if row else None

    def late(self, row_id: int, at: datetime) -> None:
        """Record that an answer left after the gateway may have stopped waiting."""
        self._connection.execute(update(decision).where(_t.id == row_id), {"answered_late": at})

    def last_committed(self) -> datetime | None:
        """Return when the last answer was committed (machine time), None if none ever was."""
        found: datetime | None = self._connection.execute(select(func.max(_t.committed))).scalar()
        return found

    def of(self, problem_id: int) -> list[dict[str, Any]]:
        """Return the records about a problem, oldest first: columns by name."""
        rows = _OF_PROBLEM.run(self._connection, {"problem_id": problem_id})
        return [dict(zip(_t.keys(), row, strict=True)) for row in rows]
