"""The ledger of what was answered 202 and is still undecided: problems, and changes of problems."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    Table,
    TextClause,
    and_,
    bindparam,
    cast,
    func,
    literal,
    or_,
    select,
    text,
)

from supplier_api.contract.codes import ChangeStatus
from supplier_api.db.compiled_statements import CompiledStatement, UnitOfWork
from supplier_api.db.tables import change_request, decision, service_problem, timer, work_item
from supplier_api.problems.notices import why_recorded
from supplier_api.problems.services import LifecyclePolicy
from supplier_api.problems.timer_repository import DECIDE, DECISION_DEADLINE
from supplier_api.problems.work_item_repository import Held, Holder, holder_of
from supplier_api.rules.model import Operation

_p = service_problem.c
_c = change_request.c
# Spelled exactly as in the partial indexes: SQLite compares the two as text.
UNDECIDED = text("service_problem.base = 'UNDECIDED'")
PENDING = text(f"change_request.status = '{ChangeStatus.PENDING}'")
_escalates = _c.body["escalationRequest"].as_boolean()


@dataclass(frozen=True, slots=True)
class UndecidedRequest:
    """A request that waits for a decision. Times are business time.

    `reference` is our reference of the problem or change that is undecided, `problem` that of the
    problem. `deadline` is None where none is set. `put_off`: the rule book itself decides as soon
    as it can; else people do. `why` is {"rule", "reasons"}. `escalated`: the tenant asks for that.
    `holder` is who has taken it, to decide.
    """

    operation: Operation
    reference: str
    problem: str
    problem_id: int
    tenant: str
    gateway_id: int
    asked: datetime
    deadline: datetime | None
    put_off: bool
    why: Mapping[str, Any]
    escalated: bool
    holder: Holder | None


class UndecidedQueries:
    """The ledger within one transaction."""

    def __init__(self, uow: UnitOfWork, policy: LifecyclePolicy) -> None:
        """Read in the transaction of `uow`; `policy` says when what has no timer was due."""
        self._connection = uow.connection
        self._policy = policy

    def listed(self, limit: int, tenant: str | None = None) -> list[UndecidedRequest]:
        """Return the requests that wait longest, the oldest first."""
        rows: list[UndecidedRequest] = []
        for query, of in ((_PROBLEMS, _p), (_CHANGES, _c)):
            narrowed = query.where(of.tenant == tenant) if tenant else query
            rows += self._requests(narrowed.order_by(of.created).limit(limit))
        return sorted(rows, key=lambda each: each.asked)[:limit]

    def of(
        self,
        operation: Operation,
        limit: int,
        held: Held,
        after: tuple[datetime, str] | None = None,
    ) -> list[UndecidedRequest]:
        """Return the requests of one kind, in the order in which they were asked for.

        `after` is when the last one of the page before was asked for, and its reference.
        """
        query, of = (_PROBLEMS, _p) if operation is Operation.PROBLEM else (_CHANGES, _c)
        if operation is not Operation.PROBLEM:
            query = query.where(_c.kind == operation)
        if after:
            at, reference = after
            later = or_(of.created > at, of.reference > reference)
            query = query.where(of.created >= at, later)
        query = query.where(*held.conditions())
        return self._requests(query.order_by(of.created, of.reference).limit(limit))

    def find(self, reference: str) -> UndecidedRequest | None:
        """Return the problem or change with our reference, if it is undecided."""
        for query, of in ((_PROBLEMS, _p), (_CHANGES, _c)):
            if found := self._requests(query.where(of.reference == reference)):
                return found[0]
        return None

    def _requests(self, query: Select[Any]) -> list[UndecidedRequest]:
        return [self._request(row) for row in self._connection.execute(query)]

    def _request(self, row: Any) -> UndecidedRequest:
        operation = Operation(row.operation)
        return UndecidedRequest(
            operation,
            row.reference,
            row.problem,
            row.problem_id,
            row.tenant,
            row.gateway_id,
            row.created,
            # A timer that has fired is gone: it was due by then.
            row.due_at or self._policy.decide_by(operation, row.created),
            row.put_off is not None,
            why_recorded(row.rule, row.trace),
            bool(row.escalated),
            holder_of(row.who, row.taken),
        )

    def count(self, now: datetime) -> Mapping[str, int]:
        """Return how many problems and changes are undecided, overdue at `now`, and escalated."""
        problems = self._one(_COUNT_PROBLEMS)
        changes = self._one(_COUNT_CHANGES)
        escalated = self._one(_COUNT_ESCALATED)
        overdue = sum(self._overdue(operation, now) for operation in Operation)
        return {
            "problems": problems,
            "changes": changes,
            "overdue": overdue,
            "escalated": escalated,
        }

    def oldest(self) -> datetime | None:
        """Return when the oldest of them was asked for."""
        found = [each.first(self._connection, {}) for each in (_OLDEST_PROBLEM, _OLDEST_CHANGE)]
        return min((each[0] for each in found if each and each[0]), default=None)

    def _overdue(self, operation: Operation, now: datetime) -> int:
        deadline = self._policy.deadlines.get(operation)
        if deadline is None:
            return 0
        values = {"before": now - deadline.after, "now": now}
        if operation is Operation.PROBLEM:
            return self._one(_OVERDUE_PROBLEMS, **values)
        return self._one(_OVERDUE_CHANGES, **values, kind=operation.value)

    def _one(self, query: CompiledStatement, **values: Any) -> int:
        ((found,),) = query.run(self._connection, values)
        return int(found)


def _counted(table: Table, *conditions: ColumnElement[bool] | TextClause) -> CompiledStatement:
    return CompiledStatement(select(func.count()).select_from(table).where(*conditions))


def _on_time(problem_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Return whether a deadline was set anew, when the rule book left it to people."""
    set_later = (timer.c.problem_id == problem_id, timer.c.kind == DECISION_DEADLINE)
    return select(timer.c.id).where(*set_later, timer.c.due_at > _now).exists()


_now = bindparam("now", type_=timer.c.due_at.type)
_before = bindparam("before", type_=_p.created.type)
_COUNT_PROBLEMS = _counted(service_problem, UNDECIDED)
_COUNT_CHANGES = _counted(change_request, PENDING)
_COUNT_ESCALATED = _counted(change_request, PENDING, _escalates)
_OLDEST_PROBLEM = CompiledStatement(select(func.min(_p.created)).where(UNDECIDED))
_OLDEST_CHANGE = CompiledStatement(select(func.min(_c.created)).where(PENDING))
_OVERDUE_PROBLEMS = _counted(service_problem, UNDECIDED, _p.created <= _before, ~_on_time(_p.id))
_OVERDUE_CHANGES = _counted(
    change_request,
    PENDING,
    _c.kind == bindparam("kind", type_=_c.kind.type),
    _c.created <= _before,
    ~_on_time(_c.problem_id),
)


def _with_beside(
    query: Select[Any],
    operation: ColumnElement[Any] | Operation,
    gateway_id: ColumnElement[Any],
    reference: ColumnElement[Any],
) -> Select[Any]:
    """Add the timers, the recorded decision, and who has taken it to the query of the undecided."""
    due, own = timer.alias("due"), timer.alias("own")
    made = and_(
        decision.c.tenant == _p.tenant,
        decision.c.operation == operation,
        decision.c.key == cast(gateway_id, String),
    )
    return (
        query.add_columns(
            due.c.due_at,
            own.c.id.label("put_off"),
            decision.c.rule,
            decision.c.trace,
            work_item.c.who,
            work_item.c.taken,
        )
        .outerjoin(due, and_(due.c.problem_id == _p.id, due.c.kind == DECISION_DEADLINE))
        .outerjoin(
            own,
            and_(own.c.problem_id == _p.id, own.c.kind == DECIDE, own.c.subject == reference),
        )
        .outerjoin(decision, made)
        .outerjoin(work_item, work_item.c.reference == reference)
    )


_PROBLEMS = _with_beside(
    select(
        literal(str(Operation.PROBLEM)).label("operation"),
        _p.reference,
        _p.reference.label("problem"),
        _p.id.label("problem_id"),
        _p.tenant,
        _p.gateway_id,
        _p.created,
        literal(value=False).label("escalated"),
    ).where(UNDECIDED),
    Operation.PROBLEM,
    _p.gateway_id,
    _p.reference,
)
_CHANGES = _with_beside(
    select(
        _c.kind.label("operation"),
        _c.reference,
        _p.reference.label("problem"),
        _p.id.label("problem_id"),
        _c.tenant,
        _c.gateway_id,
        _c.created,
        func.coalesce(_escalates, False).label("escalated"),
    )
    .join(service_problem, _p.id == _c.problem_id)
    .where(PENDING),
    _c.kind,
    _c.gateway_id,
    _c.reference,
)
