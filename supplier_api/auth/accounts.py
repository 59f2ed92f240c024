"""People who use the console: their accounts, how they sign in, and their sessions.

A session is known by a token of 256 random bits; only its SHA-256 is stored, so that who reads the
table cannot take a session over.
"""

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_urlsafe
from typing import Any

from supplier_api.audit import UNKNOWN, Audit
from supplier_api.auth.account_repository import (
    LOCAL,
    ConsoleSession,
    ConsoleSessionRepository,
    ConsoleUser,
    ConsoleUserRepository,
    Role,
    SignInFailureRepository,
    SignInLinkRepository,
)
from supplier_api.auth.passwords import PATIENCE, Passwords, PasswordsBusy, length_fault
from supplier_api.auth.sign_in_throttle import (
    SignInThrottle,
    SignInThrottled,
    address_key,
    name_key,
)
from supplier_api.clock import MachineClock
from supplier_api.db import Store, StoreUnavailable, UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository

__all__ = [
    "LOCAL",
    "AccountRefused",
    "Accounts",
    "ConsoleSession",
    "ConsoleUser",
    "Person",
    "Role",
    "SessionLimits",
    "SignInRefused",
    "SignInThrottled",
]

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
LINK_LASTS = timedelta(minutes=10)
# A session's last use is written this often at most.
SEEN_EVERY = timedelta(minutes=1)
ADDRESS_LENGTH = 64  # as the column has it


class AccountRefused(Exception):
    """An account was not made or changed; the text says why."""


class SignInRefused(Exception):
    """Nobody is signed in. The text is the same for an unknown name and for a wrong password."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """A session ends after `lasts`, and when it was not used for `idle`."""

    lasts: timedelta = timedelta(hours=12)
    idle: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class By:
    """Who changes an account and why, and from which address if not from a shell."""

    who: str
    reason: str
    address: str | None = None


# Changes an account in a transaction; returns what is recorded of it.
Change = Callable[[UnitOfWork, ConsoleUser], Mapping[str, Any]]


class Accounts:
    """The accounts of one installation; used by several threads at once.

    All methods raise StoreUnavailable.
    """

    def __init__(
        self,
        store: Store,
        machine: MachineClock,
        audit: Audit,
        limits: SessionLimits = SessionLimits(),
        *,
        by_address: bool = True,
    ) -> None:
        """Keep accounts in `store`; log who signs in, and who is refused, to `audit`.

        `by_address`: failures to sign in count against the address too, not the name alone. Where
        all callers have one address, anybody could hold up all others by it.
        """
        self._store = store
        self._machine = machine
        self._audit = audit
        self._limits = limits
        self._passwords = Passwords()
        self._throttle = SignInThrottle(store, machine)
        self._by_address = by_address

    # -- accounts

    def all(self) -> list[ConsoleUser]:
        """Return all accounts by name."""
        return self._store.read(lambda uow: ConsoleUserRepository(uow).all())

    def get(self, name: str) -> ConsoleUser | None:
        """Return an account, None if there is none."""
        return self._store.read(lambda uow: _find(uow, name))

    def add(self, name: str, password: str, role: Role, by: By) -> None:
        """Make an account. Raises AccountRefused."""
        if not NAME.fullmatch(name):
            raise AccountRefused(
                "name: expected up to 64 of a-z, 0-9 and . _ @ -, a letter or digit first"
            )
        if name == LOCAL:
            raise AccountRefused(f"name: {LOCAL} stands for those who sign in with a link")
        hashed = self._hashed(password)

        def work(uow: UnitOfWork) -> None:
            if not ConsoleUserRepository(uow).add(name, role, hashed, self._machine.now()):
                raise AccountRefused(f"there is a user {name} already")
            self._record(uow, "user add", by, {"user": name, "role": role})

        self._store.write(work)

    def set_role(self, name: str, role: Role, by: By) -> None:
        """Give a user another role, which holds at once. Raises AccountRefused."""

        def change(uow: UnitOfWork, user: ConsoleUser) -> Mapping[str, Any]:
            ConsoleUserRepository(uow).update(user, role=role.value)
            return {"was": user.role, "role": role}

        self._change("user role", name, by, change)

    def set_password(self, name: str, password: str, by: By) -> None:
        """Give a user another password, and end all their sessions. Raises AccountRefused."""
        hashed = self._hashed(password)

        def change(uow: UnitOfWork, user: ConsoleUser) -> Mapping[str, Any]:
            ConsoleUserRepository(uow).update(user, password_hash=hashed)
            SignInFailureRepository(uow).forget([name_key(user.name)])
            return {"sessions": ConsoleSessionRepository(uow).end_all(user)}

        self._change("user password", name, by, change)

    def disable(self, name: str, by: By) -> None:
        """Let a user sign in no more, and end all their sessions. Raises AccountRefused."""

        def change(uow: UnitOfWork, user: ConsoleUser) -> Mapping[str, Any]:
            if user.disabled:
                raise AccountRefused(f"user {user.name} is disabled already")
            ConsoleUserRepository(uow).update(user, disabled=self._machine.now())
            return {"sessions": ConsoleSessionRepository(uow).end_all(user)}

        self._change("user disable", name, by, change)

    def enable(self, name: str, by: By) -> None:
        """Let a user that is disabled sign in again. Raises AccountRefused."""

        def change(uow: UnitOfWork, user: ConsoleUser) -> Mapping[str, Any]:
            if not user.disabled:
                raise AccountRefused(f"user {user.name} is not disabled")
            ConsoleUserRepository(uow).update(user, disabled=None)
            SignInFailureRepository(uow).forget([name_key(user.name)])
            return {}

        self._change("user enable", name, by, change)

    # -- signing in

    def sign_in(self, name: str, password: str, address: str) -> str:
        """Return the token of a new session.

        Raises SignInRefused, and SignInThrottled when neither name nor password was looked at.
        """
        keys = [name_key(_folded(name))]
        if self._by_address:
            keys.append(address_key(address))
        with self._let_through(keys, address):
            user = self.get(name)
            right = self._passwords.match(user.password_hash if user else None, password)
            if user is None or not right or user.disabled:
                self._throttle.failed(keys)
                raise self._refused(user, address)
            outdated = self._passwords.outdated(user.password_hash)
            hashed = self._passwords.hash(password) if outdated else user.password_hash
        token = token_urlsafe()

        def work(uow: UnitOfWork) -> bool:
            now = ConsoleUserRepository(uow).get(user.name, lock=True)
            # Changed or disabled since it was read above.
            if now is None or now.disabled or now.password_hash not in (user.password_hash, hashed):
                return False
            ConsoleUserRepository(uow).update(user, password_hash=hashed)
            # The address's as well: those behind one address must not lock each other out.
            SignInFailureRepository(uow).forget(keys)
            self._begin(uow, token, user, address)
            return True

        if not self._store.write(work):
            raise self._refused(user, address)
        self._audit.done("sign-in.granted", user=user.name, address=address)
        return token

    def new_link(self, by: By) -> str:
        """Return the token of a link by which somebody signs in once, as LOCAL, within minutes."""
        token = token_urlsafe()

        def work(uow: UnitOfWork) -> None:
            SignInLinkRepository(uow).add(_digest(token), self._machine.now() + LINK_LASTS)
            self._record(uow, "user link", by)

        self._store.write(work)
        return token

    def redeem(self, link: str, address: str) -> str:
        """Return the token of a new session for that of a link. Raises SignInRefused."""
        token = token_urlsafe()

        def work(uow: UnitOfWork) -> bool:
            taken = SignInLinkRepository(uow).take(_digest(link), self._machine.now())
            if taken:
                self._begin(uow, token, None, address)
            return taken

        if not self._store.write(work):
            self._audit.refused("sign-in.refused", user=LOCAL, address=address)
            raise SignInRefused("this link was used already, or is too old")
        self._audit.done("sign-in.granted", user=LOCAL, address=address)
        return token

    # -- sessions

    def person_of(self, token: str, *, used: bool = True) -> Person | None:
        """Return whose a session is, None if it has ended or never was.

        `used` is False for what a page asks for by itself: it does not keep a session from ending.
        """
        now, name = self._machine.now(), _digest(token)
        found = self._store.read(
            lambda uow: ConsoleSessionRepository(uow).get(name, now, self._limits.idle)
        )
        if found is None:
            return None
        if used and now - found.seen >= SEEN_EVERY:
            # Who only reads goes on while nothing can be written.
            with suppress(StoreUnavailable):
                self._store.write(lambda uow: ConsoleSessionRepository(uow).use(name, now))
        return Person(found.name, found.role)

    def sessions(self) -> list[ConsoleSession]:
        """Return all sessions that last, the newest first."""
        now = self._machine.now()
        return self._store.read(
            lambda uow: ConsoleSessionRepository(uow).all(now, self._limits.idle)
        )

    def end(self, token: str) -> None:
        """Sign out: end a session, if it has not ended."""

        def work(uow: UnitOfWork) -> None:
            ended = ConsoleSessionRepository(uow).end(_digest(token))
            if ended:
                who, address = ended
                self._record(uow, "sign-out", By(who, "", address))

        self._store.write(work)

    def end_all(self, name: str, by: By) -> int:
        """End all sessions of a user, or of LOCAL; return how many. Raises AccountRefused."""

        def work(uow: UnitOfWork) -> int:
            user = None if name == LOCAL else _locked(uow, name)
            ended = ConsoleSessionRepository(uow).end_all(user)
            detail = {"user": user.name if user else LOCAL, "sessions": ended}
            self._record(uow, "user sessions end", by, detail)
            return ended

        return self._store.write(work)

    # -- what these have in common

    def _hashed(self, password: str) -> str:
        fault = length_fault(password)
        if fault:
            raise AccountRefused(fault)
        try:
            with self._passwords.slot():
                return self._passwords.hash(password)
        except PasswordsBusy as busy:
            raise AccountRefused(str(busy)) from None

    def _change(self, action: str, name: str, by: By, change: Change) -> None:
        def work(uow: UnitOfWork) -> None:
            user = _locked(uow, name)
            self._record(uow, action, by, {"user": user.name, **change(uow, user)})

        self._store.write(work)

    @contextmanager
    def _let_through(self, keys: list[str], address: str) -> Iterator[None]:
        """Hold the memory to compare a password in. Raises SignInThrottled.

        Failures are looked at inside: of many attempts at once no more are let through than are
        compared at once.
        """
        try:
            with self._passwords.slot():
                self._throttle.require(keys)
                yield
        except PasswordsBusy:
            raise SignInThrottled(math.ceil(PATIENCE)) from None
        except SignInThrottled:
            self._audit.refused("sign-in.throttled", address=address)
            raise

    def _refused(self, user: ConsoleUser | None, address: str) -> SignInRefused:
        known = user.name if user else UNKNOWN
        self._audit.refused("sign-in.refused", user=known, address=address)
        return SignInRefused("name or password is wrong")

    def _begin(self, uow: UnitOfWork, token: str, user: ConsoleUser | None, address: str) -> None:
        now, where = self._machine.now(), address[:ADDRESS_LENGTH]
        sessions = ConsoleSessionRepository(uow)
        if sessions.add(_digest(token), user, where, now, now + self._limits.lasts):
            self._record(uow, "sign-in", By(user.name if user else LOCAL, "", where))

    def _record(
        self, uow: UnitOfWork, action: str, by: By, detail: Mapping[str, Any] | None = None
    ) -> None:
        now = self._machine.now()
        OperatorActionRepository(uow).add(
            Action(now, by.who, action, by.reason, detail=detail, address=by.address)
        )


def _find(uow: UnitOfWork, name: str, *, lock: bool = False) -> ConsoleUser | None:
    """Return an account by its name as somebody types it."""
    name = _folded(name)
    return ConsoleUserRepository(uow).get(name, lock=lock) if NAME.fullmatch(name) else None


def _locked(uow: UnitOfWork, name: str) -> ConsoleUser:
    user = _find(uow, name, lock=True)
    if user is None:
        raise AccountRefused(f"there is no user {name}")
    return user


def _folded(name: str) -> str:
    return name.strip().lower()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
