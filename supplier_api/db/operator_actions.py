"""What operators did and what they switched on, with who and why, as rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select

from supplier_api.db.compiled_statements import UnitOfWork
from supplier_api.db.tables import operator_action, switch
from supplier_api.db.upsert import insert_for

_t = operator_action.c
_switch = switch.c

# Names of actions on the database as a whole.
BACKED_UP = "backup"  # no `detail`; `at` is when the copy was begun
RESTORED = "restore"  # `detail`: {"known": what was answered until then is known}
RECONCILED = "reconcile"  # the gateway was asked for what is unknown
# Names of actions on the personal data of one problem.
ERASED = "privacy erase"  # `detail`: {"removed": rows by TABLE.COLUMN}
EXPORTED = "privacy export"

# The switch under which nothing is decided (problems.maintenance).
MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts, and why."""

    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Action:
    """One action of an operator: `action` is its name, `reason` as they gave it.

    The other fields name what it was done to, if that is one thing; `message` is a UUID. `at` is
    machine time. An action on a problem names its tenant too. `address` is where it was done from,
    if that was the console.
    """

    at: datetime
    who: str
    action: str
    reason: str
    destination: str | None = None
    tenant: str | None = None
    problem_id: int | None = None
    message: str | None = None
    detail: Mapping[str, Any] | None = None
    address: str | None = None


class OperatorActionRepository:
    """The actions within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def add(self, action: Action) -> None:
        """Record an action, in the transaction that does it."""
        values = {name: getattr(action, name) for name in Action.__slots__}
        self._connection.execute(insert(operator_action), values)

    def of(self, problem_id: int) -> list[Action]:
        """Return the actions on a problem, oldest first."""
        query = select(*_COLUMNS).where(_t.problem_id == problem_id).order_by(_t.id)
        return [Action(*row) for row in self._connection.execute(query)]

    def last(self, action: str) -> Action | None:
        """Return the latest action of that name, None if there is none."""
        query = select(*_COLUMNS).where(_t.action == action).order_by(_t.id.desc()).limit(1)
        row = self._connection.execute(query).first()
        return Action(*row) if row else None

    def recent(
        self,
        *,
        who: str | None = None,
        action: str | None = None,
        before_id: int | None = None,
        limit: int,
    ) -> list[tuple[int, Action]]:
        """Return up to `limit` actions with their ids, the newest first.

        The next page are those before the last one's id.
        """
        query = select(_t.id, *_COLUMNS).order_by(_t.id.desc()).limit(limit)
        if who is not None:
            query = query.where(_t.who == who)
        if action is not None:
            query = query.where(_t.action == action)
        if before_id is not None:
            query = query.where(_t.id < before_id)
        rows = self._connection.execute(query)
        return [(row_id, Action(*values)) for row_id, *values in rows]

    def of_message(self, uuid: str) -> list[Action]:
        """Return the actions on a message, oldest first."""
        query = select(*_COLUMNS).where(_t.message == uuid).order_by(_t.id)
        return [Action(*row) for row in self._connection.execute(query)]


_COLUMNS = [_t[name] for name in Action.__slots__]


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
        query = select(_switch.name, _switch.who, _switch.reason, _switch.since).where(
            _switch.name == name
        )
        row = self._connection.execute(query).first()
        return Switch(*row) if row else None

    def on(self, turned: Switch) -> bool:
        """Turn a switch on; returns False and changes nothing if it was on already."""
        values = {name: getattr(turned, name) for name in Switch.__slots__}
        done = self._connection.execute(
            insert_for(self._connection.dialect.name, switch)
            .on_conflict_do_nothing()
            .returning(_switch.name),
            values,
        )
        return done.first() is not None

    def off(self, name: str) -> bool:
        """Turn a switch off; returns False if it was not on."""
        turned = self._connection.execute(delete(switch).where(_switch.name == name)).rowcount == 1
        if turned:
            self._wake()
        return turned
