"""Network incidents, as rows."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from supplier_api.store.services import INCIDENTS_LOCK
from supplier_api.store.tables import incident, incident_service

_t = incident.c


class Incidents:
    """The incidents within one transaction."""

    def __init__(self, connection: Connection, dialect: str) -> None:
        """Work on `connection`."""
        self._connection = connection
        self._locking = dialect == "postgresql"

    def lock(self, *, shared: bool) -> None:
        """Keep declarations out while creates read (shared), else keep creates out."""
        if self._locking:
            take = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
            self._connection.execute(select(take(INCIDENTS_LOCK)))

    def declare(self, code: str, services: Sequence[str], text: str | None, at: datetime) -> bool:
        """Store an incident over these services; returns False if the code is known already."""
        if self._connection.execute(select(_t.id).where(_t.code == code)).scalar() is not None:
            return False
        row_id = self._connection.execute(
            insert(incident).returning(_t.id), {"code": code, "text": text, "declared": at}
        ).scalar_one()
        if services:
            self._connection.execute(
                insert(incident_service),
                [{"incident_id": row_id, "service_id": service} for service in set(services)],
            )
        return True

    def note(self, code: str, service_id: str, at: datetime) -> None:
        """Store an incident of the inventory, if it is new here; creates may do so at once."""
        dialect = postgresql if self._locking else sqlite
        values = {"code": code, "declared": at}
        self._connection.execute(dialect.insert(incident).on_conflict_do_nothing(), values)
        row_id = self._connection.execute(select(_t.id).where(_t.code == code)).scalar_one()
        covered = {"incident_id": row_id, "service_id": service_id}
        self._connection.execute(dialect.insert(incident_service).on_conflict_do_nothing(), covered)

    def end(self, code: str, at: datetime) -> bool:
        """End an incident; returns False if there is none of that code that lasts."""
        ended = self._connection.execute(
            update(incident).where(_t.code == code, _t.ended.is_(None)), {"ended": at}
        )
        return ended.rowcount > 0

    def lasting(self, code: str) -> bool:
        """Return whether the incident lasts."""
        query = select(_t.id).where(_t.code == code, _t.ended.is_(None))
        return self._connection.execute(query).scalar() is not None

    def ended(self, code: str) -> bool:
        """Return whether the incident was declared here and has ended."""
        query = select(_t.id).where(_t.code == code, _t.ended.is_not(None))
        return self._connection.execute(query).scalar() is not None

    def on_service(self, service_id: str) -> list[str]:
        """Return the codes of the incidents that last on a service, the oldest first."""
        query = (
            select(_t.code)
            .join(incident_service, incident_service.c.incident_id == _t.id)
            .where(incident_service.c.service_id == service_id, _t.ended.is_(None))
            .order_by(_t.id)
        )
        return list(self._connection.execute(query).scalars())
