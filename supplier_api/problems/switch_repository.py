"""The repository of switches that hold for the whole installation."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from supplier_api.db.tables import switch
from supplier_api.db.unit_of_work import UnitOfWork

_t = switch.c
MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch that is on: who turned it on, why, and when (machine time)."""

    name: str
    who: str
    reason: str
    since: datetime


class SwitchRepository:
    """Reads and writes switches within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection
        self._wake = uow.wake

    def get(self, name: str) -> Switch | None:
        """Return a switch if it is on."""
        query = select(_t.name, _t.who, _t.reason, _t.since).where(_t.name == name)
        row = self._connection.execute(query).first()
        return Switch(*row) if row else None

    def on(self, turned: Switch) -> bool:
        """Turn a switch on; returns False and changes nothing if it was on already."""
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        values = {name: getattr(turned, name) for name in Switch.__slots__}
        done = self._connection.execute(
            dialect.insert(switch).on_conflict_do_nothing().returning(_t.name), values
        )
        return done.first() is not None

    def off(self, name: str) -> bool:
        """Turn a switch off; returns False if it was not on."""
        turned = self._connection.execute(delete(switch).where(_t.name == name)).rowcount == 1
        if turned:
            self._wake()
        return turned
