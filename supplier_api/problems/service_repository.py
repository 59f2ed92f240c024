"""Reads what a new problem must know of its service: open problems and incidents."""

from dataclasses import dataclass
from operator import itemgetter

from sqlalchemy import (
    BigInteger,
    String,
    bindparam,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)

from supplier_api.db.compiled_statements import CompiledStatement
from supplier_api.db.tables import incident, incident_service, service_problem
from supplier_api.db.unit_of_work import UnitOfWork
from supplier_api.problems.model import TERMINAL, Base

_p = service_problem.c
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
_LOCK = CompiledStatement(select(*LOCKS))
_SERVICE_ID = bindparam("service_id", type_=String)
LOOK = CompiledStatement(
    union_all(
        select(_p.id, _p.gateway_id, _p.reference, _p.doubtful).where(
            _p.tenant == bindparam("tenant", type_=String),
            _p.service_id == _SERVICE_ID,
            or_(_p.doubtful, _p.base.not_in(literal_column(f"'{base}'") for base in NOT_OPEN)),
        ),
        select(
            incident.c.id,
            literal(None, BigInteger),
            incident.c.code,
            incident.c.source == literal_column("'inventory'"),
        )
        .join(incident_service, incident_service.c.incident_id == incident.c.id)
        .where(incident_service.c.service_id == _SERVICE_ID, incident.c.ended.is_(None)),
    )
)


def lock_name(tenant: str, service_id: str) -> str:
    """Return the name of the lock on a tenant's service: the parameter `locked` of LOCKS."""
    return f"{tenant}/{service_id}"


@dataclass(frozen=True, slots=True)
class Known:
    """The open problems and incidents on a service.

    `open_problems` are the gateway's ids of the tenant's problems that are open: not our
    references, for of an undecided one the tenant has none yet. Doubtful problems (their answer may
    never have reached the gateway) do not count; `doubtful` is the newest one's reference.
    `incidents` are the codes of those that last, the oldest first; `from_inventory` are those of
    them that last as long as the inventory names them.
    """

    open_problems: list[str]
    doubtful: str | None
    incidents: list[str]
    from_inventory: list[str]


class ServiceRepository:
    """Reads and locks services within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection
        self._locking = uow.dialect == "postgresql"

    def lock(self, tenant: str, service_id: str) -> None:
        """Exclude declarations of incidents, and other creates on the same service.

        Both locks last until the transaction ends. On SQLite the transaction itself is that lock.
        """
        if self._locking:
            _LOCK.send(self._connection, {"locked": lock_name(tenant, service_id)})

    def look(self, tenant: str, service_id: str, before: int | None = None) -> Known:
        """Return what is known of a service; it must have been locked by an earlier statement.

        With `before`, a problem's row id, only problems that were stored before it count.
        """
        found = LOOK.run(self._connection, {"tenant": tenant, "service_id": service_id})
        rows = sorted(found, key=itemgetter(0))
        problems = [row for row in rows if row[1] is not None and row[0] < (before or row[0] + 1)]
        incidents = [(code, of_inventory) for _, none, code, of_inventory in rows if none is None]
        doubtful = [reference for _, _, reference, in_doubt in problems if in_doubt]
        return Known(
            open_problems=[str(row[1]) for row in problems if not row[3]],
            doubtful=doubtful[-1] if doubtful else None,
            incidents=[code for code, _ in incidents],
            from_inventory=[code for code, of_inventory in incidents if of_inventory],
        )
