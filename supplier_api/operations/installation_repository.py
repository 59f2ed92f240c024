"""The installation stamp of a database: one row."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from supplier_api.db.tables import stamp
from supplier_api.db.unit_of_work import UnitOfWork

_t = stamp.c
_ONLY = 1  # the id of the row


@dataclass(frozen=True, slots=True)
class InstallationStamp:
    """The name of an environment, and the host that its KCIs go to."""

    environment: str
    kci_host: str

    def __str__(self) -> str:
        """Name both."""
        return f"environment {self.environment} with the gateway {self.kci_host}"


class InstallationRepository:
    """The stamp within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def get(self) -> InstallationStamp | None:
        """Return the stamp, or None for a database that was never used."""
        row = self._connection.execute(select(_t.environment, _t.kci_host)).first()
        return InstallationStamp(*row) if row else None

    def put_first(self, first: InstallationStamp, at: datetime) -> None:
        """Stamp a database that has none; leave any other as it is."""
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        query = dialect.insert(stamp).on_conflict_do_nothing()
        self._connection.execute(query, _values(first, at))

    def replace(self, new: InstallationStamp, at: datetime) -> None:
        """Replace the stamp."""
        self._connection.execute(delete(stamp))
        self._connection.execute(insert(stamp), _values(new, at))


def _values(given: InstallationStamp, at: datetime) -> dict[str, object]:
    return {
        "id": _ONLY,
        "environment": given.environment,
        "kci_host": given.kci_host,
        "at": at,
    }
