"""Stores people who may sign in, their sessions and links, and failures to sign in."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, update
from sqlalchemy import case as sql_case
from sqlalchemy.sql import ColumnElement

from supplier_api.db import UnitOfWork
from supplier_api.db.tables import console_session, console_user, sign_in_failure, sign_in_link
from supplier_api.db.upsert import insert_for

_user = console_user.c
_session = console_session.c
_link = sign_in_link.c
_failure = sign_in_failure.c
# Who signs in with a link: whoever may read what a server prints.
LOCAL = "local"


class Role(StrEnum):
    """What a person may do; each role includes those before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def allows(self, needed: "Role") -> bool:
        """Return whether this role may do what `needed` may do."""
        roles = list(Role)
        return roles.index(self) >= roles.index(needed)


@dataclass(frozen=True, slots=True)
class ConsoleUser:
    """A person with an account; `disabled` is since when they may not sign in."""

    id: int
    name: str
    role: Role
    password_hash: str = field(repr=False)
    created: datetime
    disabled: datetime | None


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """A session that lasts: whose it is, since when and until when, last used when and where."""

    name: str
    role: Role
    address: str
    since: datetime
    seen: datetime
    ends: datetime


class ConsoleUserRepository:
    """Reads and writes accounts within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def add(self, name: str, role: Role, password_hash: str, created: datetime) -> bool:
        """Store a new account; returns False and changes nothing if the name is taken."""
        values = {
            "name": name,
            "role": role.value,
            "password_hash": password_hash,
            "created": created,
        }
        statement = insert_for(self._connection.dialect.name, console_user)
        added = statement.on_conflict_do_nothing().returning(_user.id)
        return self._connection.execute(added, values).first() is not None

    def get(self, name: str, *, lock: bool = False) -> ConsoleUser | None:
        """Return an account, None if there is none; with `lock` nobody else changes it."""
        query = _USERS.where(_user.name == name)
        row = self._connection.execute(query.with_for_update() if lock else query).first()
        return _as_user(row) if row else None

    def all(self) -> list[ConsoleUser]:
        """Return the accounts by name."""
        return [_as_user(row) for row in self._connection.execute(_USERS.order_by(_user.name))]

    def update(self, user: ConsoleUser, **values: Any) -> None:
        """Write columns of an account."""
        self._connection.execute(update(console_user).where(_user.id == user.id).values(**values))


_USERS = select(*(_user[name] for name in ConsoleUser.__slots__))


def _as_user(row: Row[Any]) -> ConsoleUser:
    values = row._asdict()
    return ConsoleUser(**{**values, "role": Role(values["role"])})


class ConsoleSessionRepository:
    """Reads and writes sessions within one transaction; one is named by the hash of its token."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def add(
        self, token_hash: str, user: ConsoleUser | None, address: str, now: datetime, ends: datetime
    ) -> bool:
        """Store a session, of LOCAL without a user; returns False if it is stored already."""
        values = {
            "token_hash": token_hash,
            "user_id": user.id if user else None,
            "address": address,
            "since": now,
            "seen": now,
            "ends": ends,
        }
        statement = insert_for(self._connection.dialect.name, console_session)
        added = statement.on_conflict_do_nothing().returning(_session.token_hash)
        return self._connection.execute(added, values).first() is not None

    def get(self, token_hash: str, now: datetime, idle: timedelta) -> ConsoleSession | None:
        """Return a session that lasts, None if there is none. It ends when unused for `idle`."""
        query = _lasting(now, idle).where(_session.token_hash == token_hash)
        row = self._connection.execute(query).first()
        return _as_session(row) if row else None

    def all(self, now: datetime, idle: timedelta) -> list[ConsoleSession]:
        """Return the sessions that last, the newest first."""
        query = _lasting(now, idle).order_by(_session.since.desc())
        return [_as_session(row) for row in self._connection.execute(query)]

    def use(self, token_hash: str, now: datetime) -> None:
        """Note that a session is used."""
        self._connection.execute(
            update(console_session).where(_session.token_hash == token_hash).values(seen=now)
        )

    def end(self, token_hash: str) -> tuple[str, str] | None:
        """Remove a session; return whose it was and its address, None if there is none."""
        gone = self._connection.execute(
            delete(console_session)
            .where(_session.token_hash == token_hash)
            .returning(_session.user_id, _session.address)
        ).first()
        if gone is None:
            return None
        name = select(_user.name).where(_user.id == gone.user_id)
        return self._connection.execute(name).scalar() or LOCAL, gone.address

    def end_all(self, user: ConsoleUser | None) -> int:
        """Remove all sessions of a user, or of LOCAL; return how many there were."""
        which = _session.user_id.is_(None) if user is None else _session.user_id == user.id
        return self._connection.execute(delete(console_session).where(which)).rowcount


def _lasting(now: datetime, idle: timedelta) -> Select[Any]:
    return (
        select(
            _user.name,
            _user.role,
            _session.address,
            _session.since,
            _session.seen,
            _session.ends,
        )
        .select_from(console_session.outerjoin(console_user))
        .where(_session.ends > now, _session.seen > now - idle, _user.disabled.is_(None))
    )


def _as_session(row: Row[Any]) -> ConsoleSession:
    name, role, *rest = tuple(row)
    return ConsoleSession(name or LOCAL, Role(role) if role else Role.ADMIN, *rest)


class SignInLinkRepository:
    """Reads and writes links within one transaction; one is named by the hash of its token."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def add(self, token_hash: str, ends: datetime) -> None:
        """Store a link."""
        self._connection.execute(insert(sign_in_link), {"token_hash": token_hash, "ends": ends})

    def take(self, token_hash: str, now: datetime) -> bool:
        """Use a link up; return whether it was there and still good: for one caller it is."""
        which = (_link.token_hash == token_hash) & (_link.ends > now)
        return self._connection.execute(delete(sign_in_link).where(which)).rowcount == 1


class SignInFailureRepository:
    """Counts failures to sign in, by keys, within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def blocked_until(self, keys: list[str]) -> datetime | None:
        """Return when an attempt with all these keys is let through, None if it never failed."""
        query = select(_failure.until).where(_of(keys))
        return max(self._connection.execute(query).scalars(), default=None)

    def count(self, key: str, now: datetime, ends: datetime) -> int:
        """Count a failure, to be forgotten at `ends`; return how many there are now."""
        values = {"key": key, "failures": 1, "until": now, "ends": ends}
        more = sql_case((_failure.ends <= now, 1), else_=_failure.failures + 1)
        counted = self._connection.execute(
            insert_for(self._connection.dialect.name, sign_in_failure)
            .on_conflict_do_update(index_elements=["key"], set_={"failures": more, "ends": ends})
            .returning(_failure.failures),
            values,
        )
        failures: int = counted.scalar_one()
        return failures

    def block(self, key: str, until: datetime) -> None:
        """Let no attempt with this key through until then."""
        self._connection.execute(
            update(sign_in_failure).where(_failure.key == key).values(until=until)
        )

    def forget(self, keys: list[str]) -> None:
        """Forget the failures of these keys."""
        self._connection.execute(delete(sign_in_failure).where(_of(keys)))


def _of(keys: list[str]) -> ColumnElement[bool]:
    return _failure.key.in_(keys)
