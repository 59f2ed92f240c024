"""The installation that a database belongs to: a copy must not call another one's gateway.

A database is stamped with it, in a table of one row.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import delete, insert, select

from supplier_api.db import Store, UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.db.tables import stamp
from supplier_api.db.upsert import insert_for
from supplier_api.settings import Settings, is_loopback
from supplier_api.settings.addresses import PORTS

_t = stamp.c
_ONLY = 1  # the id of the row
LOOPBACK = "loopback"
MEND = 'supplier-api db restamp --reason "..."'


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
        query = insert_for(self._connection.dialect.name, stamp).on_conflict_do_nothing()
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


class ForeignDatabase(Exception):
    """The database belongs to another environment, or to another gateway."""

    def __init__(self, ours: InstallationStamp, found: InstallationStamp) -> None:
        """Name both stamps."""
        super().__init__(
            f"the database belongs to {found}, these settings are of {ours}:"
            f" nothing may be sent from it. If it is to change hands, run `{MEND}`"
        )
        self.ours = ours
        self.found = found


def stamp_of(settings: Settings) -> InstallationStamp:
    """Return the stamp that the settings give a database.

    Every loopback address of this machine is one gateway: its port differs from start to start.
    """
    return InstallationStamp(settings.environment, _host(settings.gateway.kci_url))


def claim(store: Store, ours: InstallationStamp, now: datetime) -> None:
    """Stamp an unused database; raises ForeignDatabase if it has another installation's stamp."""
    found = store.read(lambda uow: InstallationRepository(uow).get())
    if found is None:
        # Two may start at once: the first one's stays.
        store.write(lambda uow: InstallationRepository(uow).put_first(ours, now))
        found = store.read(lambda uow: InstallationRepository(uow).get())
    if found is not None and found != ours:
        raise ForeignDatabase(ours, found)


def restamp(
    store: Store, ours: InstallationStamp, now: datetime, who: str, reason: str
) -> InstallationStamp | None:
    """Replace a database's stamp, recorded with who did it and why; return the stamp it had."""

    def work(uow: UnitOfWork) -> InstallationStamp | None:
        before = InstallationRepository(uow).get()
        if before == ours:
            return before
        InstallationRepository(uow).replace(ours, now)
        detail = {"from": asdict(before) if before else None, "to": asdict(ours)}
        OperatorActionRepository(uow).add(Action(now, who, "restamp", reason, detail=detail))
        return before

    return store.write(work)


def _host(url: str) -> str:
    """Return host and port of a URL; the port only where it is not the scheme's own."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if is_loopback(host) or host.endswith(".localhost"):
        return LOOPBACK
    port = parts.port
    usual = port is None or port == PORTS.get(parts.scheme)
    return host if usual else f"{host}:{port}"
