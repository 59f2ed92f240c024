"""The installation that a database belongs to: a copy must not call another one's gateway."""

from dataclasses import asdict
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from supplier_api.db import Store, UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.operations.installation_repository import (
    InstallationRepository,
    InstallationStamp,
)
from supplier_api.settings import Settings

LOOPBACK = "loopback"
PORTS = {"http": 80, "https": 443}
MEND = 'supplier-api db restamp --reason "..."'


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
    if _is_loopback(host):
        return LOOPBACK
    port = parts.port
    usual = port is None or port == PORTS.get(parts.scheme)
    return host if usual else f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
