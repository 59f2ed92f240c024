"""The repository of service problems."""

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    String,
    bindparam,
    case,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    text,
    union,
    union_all,
    update,
)
from sqlalchemy.sql import ColumnElement

from supplier_api.contract.limits import ID_MAX
from supplier_api.db.compiled_statements import CompiledStatement, UnitOfWork, among, named
from supplier_api.db.errors import Gone
from supplier_api.db.tables import (
    change_request,
    lane,
    message,
    resolution,
    service_problem,
)
from supplier_api.problems.incident_coverage import incidents_covering
from supplier_api.problems.model import TERMINAL, Awaits, Base, ServiceProblem, State, Waiting
from supplier_api.rules.model import Operation
from supplier_api.value_object import value_object

_t = service_problem.c
_change = change_request.c
NAME_MATCHES_MAX = 100  # problems that are returned for one name
IN_LIST_MAX = 500  # values in one IN list
# The tenants that have problems, in the order of their names: one index lookup for each tenant,
# however many problems it has.
_first = select(func.min(_t.tenant).label("tenant")).cte("tenants", recursive=True)
_following = select(func.min(_t.tenant)).where(_t.tenant > _first.c.tenant).scalar_subquery()
_each = _first.union_all(select(_following).where(_first.c.tenant.is_not(None)))
_TENANTS = select(_each.c.tenant).where(_each.c.tenant.is_not(None))
# Always true; lets a query use the indexes whose first column is the tenant.
OF_ANYBODY = _t.tenant.in_(_TENANTS)
# The columns of a problem: `thinned` is retention's, and `scenario` the version before's.
COLUMNS = tuple(each for each in _t if each not in {_t.thinned, _t.scenario})
_NAMES = tuple(each.name for each in COLUMNS)
_FIXED = (
    "tenant",
    "gateway_id",
    "reference",
    "service_id",
    "conversation_id",
    "parent",
    "parent_unknown",
    "created",
)
_CHANGING = tuple(name for name in _NAMES if name not in {"id", *_FIXED})
_ADD = CompiledStatement(
    insert(service_problem).values(named(*_FIXED, *_CHANGING)).returning(_t.id)
)
_SAVE = CompiledStatement(
    update(service_problem).where(_t.id == bindparam("row_id")).values(named(*_CHANGING))
)
_IS_TENANTS = (
    _t.tenant == bindparam("tenant"),
    _t.gateway_id == bindparam("gateway_id"),
)
_KNOWN_AS = CompiledStatement(
    union_all(
        select(_t.reference, literal(0, BigInteger)).where(*_IS_TENANTS),
        select(_t.reference, literal(1, BigInteger)).where(
            _t.tenant == bindparam("tenant"), _t.reference == bindparam("reference")
        ),
    )
)
_SERVICE_OF = CompiledStatement(select(_t.service_id).where(*_IS_TENANTS))
_WITH_REFERENCE = CompiledStatement(select(_t.id).where(_t.reference == bindparam("reference")))
# FOR UPDATE is left out on SQLite, where the transaction is the lock.
_BY_ID = select(*COLUMNS).where(_t.id == bindparam("id"))
_GET = CompiledStatement(_BY_ID)
_LOCK = CompiledStatement(_BY_ID.with_for_update())
_LOCK_TENANTS = CompiledStatement(select(*COLUMNS).where(*_IS_TENANTS).with_for_update())
_LOCK_RESOLVED = CompiledStatement(
    select(*COLUMNS)
    .join(resolution, resolution.c.problem_id == _t.id)
    .where(_t.tenant == bindparam("tenant"), resolution.c.reference == bindparam("reference"))
    .with_for_update(of=service_problem)
)
_UNCONFIRMED = CompiledStatement(
    select(_t.id).where(
        among(_t.id, "problems"), _t.doubtful.is_(True) | _t.reference_known.is_(False)
    )
)
_LOCK_FREE = CompiledStatement(
    select(_t.id).where(among(_t.id, "problems")).order_by(_t.id).with_for_update(skip_locked=True)
)
# Written as in the partial indexes: SQLite compares the two as text.
CURRENT = text("service_problem.base NOT IN ('REJECTED', 'CANCELLED', 'COMPLETED')")
# Problems that a search which no index answers looks through at a time.
WINDOW = 50_000
# A problem in any other base state is "already open" on its service.
NOT_OPEN = (*sorted(TERMINAL), Base.RESOLVED)
# The lock under which creates read the incidents and a declaration writes them.
INCIDENTS_LOCK = 0x1C1DE47
# The locks of a create, from left to right: the incidents, which creates only share, then the
# service. Both last until the transaction ends.
LOCKS = (
    func.pg_advisory_xact_lock_shared(INCIDENTS_LOCK),
    func.pg_advisory_xact_lock(func.hashtextextended(bindparam("locked", type_=String), 0)),
)
_LOCK_SERVICE = CompiledStatement(select(*LOCKS))
KNOWN_OF_SERVICE = CompiledStatement(
    union_all(
        select(_t.id, _t.gateway_id, _t.reference, _t.doubtful).where(
            _t.tenant == bindparam("tenant", type_=String),
            _t.service_id == bindparam("service_id", type_=String),
            or_(_t.doubtful, _t.base.not_in(literal_column(f"'{base}'") for base in NOT_OPEN)),
        ),
        *incidents_covering(literal(None, BigInteger)),
    )
)


def lock_name(tenant: str, service_id: str) -> str:
    """Return the name of the lock on a tenant's service: the parameter `locked` of LOCKS."""
    return f"{tenant}/{service_id}"


@value_object
class KnownOfService:
    """The open problems on a service, and the incidents that a problem on it is part of.

    `open_problems` are the gateway's ids of the tenant's problems that are open: not our
    references, for of an undecided one the tenant has none yet. Doubtful problems (their answer may
    never have reached the gateway) do not count; `doubtful_reference` is that of the newest.
    `incidents` are the codes of those that last, the oldest first; `from_inventory` are those of
    them that last, here, only as long as the inventory names them on this service.
    """

    open_problems: list[str]
    doubtful_reference: str | None
    incidents: list[str]
    from_inventory: list[str]


class ProblemRepository:
    """Reads and writes problems within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection
        self._locking = uow.dialect == "postgresql"

    def add(self, problem: ServiceProblem) -> None:
        """Store a new problem and give it its row id."""
        values = {
            "tenant": problem.tenant,
            "gateway_id": problem.gateway_id,
            "reference": problem.reference,
            "service_id": problem.service_id,
            "conversation_id": problem.conversation_id,
            "parent": problem.parent,
            "parent_unknown": problem.parent_unknown,
            "created": problem.created,
            **_changing(problem),
        }
        ((problem.id,),) = _ADD.run(self._connection, values)

    def save(self, problem: ServiceProblem) -> None:
        """Store the changed problem; adds one to its version."""
        problem.version += 1
        _SAVE.run(self._connection, {"row_id": problem.id, **_changing(problem)})

    def mark_doubtful(self, problem_id: int) -> None:
        """Mark a problem that the gateway may not know: the answer to it may have been lost."""
        self._connection.execute(
            update(service_problem).where(_t.id == problem_id), {"doubtful": True}
        )

    def clear_doubtful(self, tenant: str, gateway_id: int) -> None:
        """Clear that mark: the gateway has shown that it knows the problem."""
        self._connection.execute(
            update(service_problem).where(
                _t.tenant == tenant, _t.gateway_id == gateway_id, _t.doubtful.is_(True)
            ),
            {"doubtful": False},
        )

    def lock(self, problem_id: int) -> ServiceProblem:
        """Lock the row until the transaction ends and return the problem; raises Gone."""
        row = _LOCK.first(self._connection, {"id": problem_id})
        if row is None:
            raise Gone(f"problem {problem_id} is no longer stored")
        return problem_of(row)

    def lock_tenants(self, tenant: str, gateway_id: int) -> ServiceProblem | None:
        """Lock and return the tenant's problem with the gateway's id; None if there is none."""
        row = _LOCK_TENANTS.first(self._connection, {"tenant": tenant, "gateway_id": gateway_id})
        return problem_of(row) if row else None

    def lock_resolved(self, tenant: str, reference: str) -> ServiceProblem | None:
        """Lock and return the tenant's problem with that resolution; None if there is none."""
        row = _LOCK_RESOLVED.first(self._connection, {"tenant": tenant, "reference": reference})
        return problem_of(row) if row else None

    def lock_free(self, problem_ids: Collection[int]) -> set[int]:
        """Lock the rows that no other transaction has locked, without waiting; return their ids."""
        if not problem_ids:
            return set()
        found = _LOCK_FREE.run(self._connection, {"problems": list(problem_ids)})
        return {problem_id for (problem_id,) in found}

    def unconfirmed(self, problem_ids: Collection[int]) -> set[int]:
        """Return the ids of those that are doubtful or whose reference the gateway lacks."""
        found = _UNCONFIRMED.run(self._connection, {"problems": list(problem_ids)})
        return {problem_id for (problem_id,) in found}

    def get(self, problem_id: int) -> ServiceProblem:
        """Return a problem without locking it; raises Gone."""
        row = _GET.first(self._connection, {"id": problem_id})
        if row is None:
            raise Gone(f"problem {problem_id} is no longer stored")
        return problem_of(row)

    def find(self, tenant: str, gateway_id: int) -> int | None:
        """Return the row id of the tenant's problem with the gateway's id."""
        query = select(_t.id).where(_t.tenant == tenant, _t.gateway_id == gateway_id)
        return self._connection.execute(query).scalar()

    def service_of(self, tenant: str, gateway_id: int) -> str | None:
        """Return the service id of the tenant's problem."""
        row = _SERVICE_OF.first(self._connection, {"tenant": tenant, "gateway_id": gateway_id})
        return row[0] if row else None

    def known_as(self, tenant: str, gateway_id: int | None, reference: str | None) -> str | None:
        """Return our reference of the tenant's problem with that id, else with that reference."""
        named_by = {"tenant": tenant, "gateway_id": gateway_id, "reference": reference}
        found = _KNOWN_AS.run(self._connection, named_by)
        return min(found, key=itemgetter(1))[0] if found else None

    def find_any(self, name: str) -> Sequence[int]:
        """Return the row ids of all problems that match `name`.

        It may be the reference of a problem, change or resolution, the gateway's id, the back
        office's ticket, a conversation or a service.
        """
        if "\0" in name:
            # PostgreSQL cannot store NUL in a text.
            return []
        if by_reference := _WITH_REFERENCE.first(self._connection, {"reference": name}):
            return by_reference
        # A union, so that each uses its index: for OR, PostgreSQL scans the table.
        searches = [
            select(_t.id).where(_t.back_office_id == name),
            select(_t.id).where(_t.conversation_id == name),
            select(_t.id).where(OF_ANYBODY, _t.service_id == name),
            *(
                select(of.table.c.problem_id).where(of == name)
                for of in (_change.reference, _change.back_office_id, resolution.c.reference)
            ),
            select(lane.c.problem_id).join(message).where(message.c.back_office_id == name),
        ]
        if is_gateway_id(name):
            searches.append(select(_t.id).where(OF_ANYBODY, _t.gateway_id == int(name)))
        found = union(*searches).subquery()
        query = select(found.c.id).order_by(found.c.id).limit(NAME_MATCHES_MAX)
        return list(self._connection.execute(query).scalars())

    def lock_service(self, tenant: str, service_id: str) -> None:
        """Exclude declarations of incidents, and other creates on the same service.

        Both locks last until the transaction ends. On SQLite the transaction itself is that lock.
        """
        if self._locking:
            _LOCK_SERVICE.run(self._connection, {"locked": lock_name(tenant, service_id)})

    def known_of_service(
        self, tenant: str, keys: Mapping[str, str | None], before: int | None = None
    ) -> KnownOfService:
        """Return what is known of a service; it must have been locked by an earlier statement.

        `keys` are the problem's coverage_keys. With `before`, a problem's row id, only problems
        that were stored before it count.
        """
        found = KNOWN_OF_SERVICE.run(self._connection, {"tenant": tenant, **keys})
        rows = sorted(found, key=itemgetter(0))
        problems = [row for row in rows if row[1] is not None and row[0] < (before or row[0] + 1)]
        incidents = [(code, of_inventory) for _, none, code, of_inventory in rows if none is None]
        doubtful = [reference for _, _, reference, in_doubt in problems if in_doubt]
        return KnownOfService(
            open_problems=[str(row[1]) for row in problems if not row[3]],
            doubtful_reference=doubtful[-1] if doubtful else None,
            incidents=list(dict.fromkeys(code for code, _ in incidents)),
            # One that holds for another reason, too, lasts without the inventory.
            from_inventory=[
                code for code, here in incidents if here and (code, False) not in incidents
            ],
        )

    def services_by_reference(self, references: Sequence[str]) -> dict[str, str]:
        """Return the service ids of problems by our references; unknown references are absent."""
        found: dict[str, str] = {}
        for at in range(0, len(references), IN_LIST_MAX):
            some = references[at : at + IN_LIST_MAX]
            query = select(_t.reference, _t.service_id).where(_t.reference.in_(some))
            found.update((row.reference, row.service_id) for row in self._connection.execute(query))
        return found

    def references(self, problem_ids: Collection[int]) -> dict[int, str]:
        """Return our references of problems by their row ids, in the order of these."""
        query = select(_t.id, _t.reference).where(_t.id.in_(problem_ids)).order_by(_t.id)
        return {row.id: row.reference for row in self._connection.execute(query)}

    def count(self) -> int:
        """Return how many problems are stored."""
        return self._connection.execute(
            select(func.count()).select_from(service_problem)
        ).scalar_one()

    def count_current(self) -> dict[str, int]:
        """Return how many problems are in which state, UNDECIDED or that on the wire.

        Those that are over are left out: there is no end of them.
        """
        state = (_t.base, _t.waiting, _t.asked)
        query = select(*state, func.count()).where(CURRENT).group_by(*state)
        counts: dict[str, int] = {}
        for base, waiting, asked, count in self._connection.execute(query):
            found = State(Base(base), _maybe(Waiting, waiting), None, _maybe(Operation, asked))
            name = str(found.status or found.base)
            counts[name] = counts.get(name, 0) + count
        return counts

    def any(self) -> bool:
        """Return whether a problem is stored; raises if the table cannot be read."""
        return self._connection.execute(select(_t.id).limit(1)).scalar() is not None

    def tenants(self, most: int) -> list[str]:
        """Return up to `most` tenants that have problems, in the order of their names."""
        return list(
            self._connection.execute(_TENANTS.order_by(_each.c.tenant).limit(most)).scalars()
        )

    def any_of(self, tenant: str) -> bool:
        """Return whether a tenant has problems."""
        query = select(_t.id).where(_t.tenant == tenant).limit(1)
        return self._connection.execute(query).scalar() is not None

    def listed(self, limit: int) -> list[ServiceProblem]:
        """Return the newest problems."""
        rows = self._connection.execute(select(*COLUMNS).order_by(_t.id.desc()).limit(limit))
        return [problem_of(row) for row in rows]


def is_gateway_id(name: str) -> bool:
    """Return whether `name` can be an id of the gateway."""
    return (
        name.isascii() and name.isdigit() and len(name) <= len(str(ID_MAX)) and int(name) <= ID_MAX
    )


def status_column() -> ColumnElement[str]:
    """Return the SQL expression of State.status."""
    asked = case((_t.asked.is_not(None), "PENDING_" + func.upper(_t.asked)))
    return func.coalesce(asked, _t.waiting, _t.base)


def _changing(problem: ServiceProblem) -> dict[str, Any]:
    return {
        "base": problem.state.base,
        "waiting": problem.state.waiting,
        "awaits": problem.state.awaits,
        "asked": problem.state.asked,
        "incident": problem.state.incident,
        "area": problem.area,
        "exchange": problem.exchange,
        "document": problem.document,
        "next_kci": problem.next_kci,
        "next_order": problem.next_order,
        "last_issued": problem.last_issued,
        "reference_known": problem.reference_known,
        "doubtful": problem.doubtful,
        "linked_to": problem.linked_to,
        "back_office_id": problem.back_office_id,
        "back_office_url": problem.back_office_url,
        "back_office_untold": problem.back_office_untold,
        "left_out": problem.left_out,
        "version": problem.version,
        "updated": problem.updated,
    }


def problem_of(row: Sequence[Any]) -> ServiceProblem:
    """Return the problem of a row of COLUMNS."""
    values = dict(zip(_NAMES, row, strict=True))
    state = State(
        Base(values.pop("base")),
        _maybe(Waiting, values.pop("waiting")),
        _maybe(Awaits, values.pop("awaits")),
        _maybe(Operation, values.pop("asked")),
        values.pop("incident"),
    )
    return ServiceProblem(state=state, **values)


def _maybe(kind: Any, value: str | None) -> Any:
    return None if value is None else kind(value)
