"""Pauses: times in which messages do not leave and do not grow old.

An operator ordered it, the destination fails (the breaker is open), or the destination asked us to
wait. Pauses that have ended are kept: the age of a message leaves them out. All instants are
machine time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BindParameter, bindparam, func, insert, or_, select, update
from sqlalchemy.sql import ColumnElement

from supplier_api.db.compiled_statements import CompiledStatement, UnitOfWork, among
from supplier_api.db.tables import lane, pause, service_problem
from supplier_api.db.upsert import insert_for
from supplier_api.outbox.model import Message

_t = pause.c
_LOCK = 0x9A05E


class PauseCause(StrEnum):
    """Why messages are paused."""

    OPERATOR = "operator"
    BREAKER = "breaker"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which messages are paused: those that match every field given here; without a field, all.

    The scope of a problem also names its tenant.
    """

    destination: str | None = None
    tenant: str | None = None
    problem_id: int | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """While a breaker is open: when the next probe is due, and how many failed.

    `lane` is the one that is the probe until `until`, or the last one that was.
    """

    at: datetime
    failed: int
    lane: int | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause. `until` is None while its end is not known; `probe` is set for an open breaker."""

    id: int
    cause: PauseCause
    scope: Scope
    reason: str
    who: str
    since: datetime
    until: datetime | None
    probe: Probe | None = None
    # Our reference of the problem, if it is about one.
    reference: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it covers everything that goes to its destination."""
        return self.scope.tenant is None and self.scope.problem_id is None

    def covers(self, message: Message) -> bool:
        """Return whether it applies to a message to its destination."""
        if self.scope.problem_id is not None:
            return self.scope.problem_id == message.problem_id
        return self.scope.tenant in {None, message.tenant}


@dataclass(frozen=True, slots=True)
class HeldUp:
    """The lanes of one destination that may not be claimed, although others may."""

    tenants: frozenset[str] = frozenset()
    problems: frozenset[int] = frozenset()

    def apart(self) -> list[ColumnElement[bool]]:
        """Return the SQL conditions that exclude these lanes; none when nothing is held."""
        conditions: list[ColumnElement[bool]] = []
        if self.tenants:
            conditions.append(~among(lane.c.tenant, "held_tenants", sorted(self.tenants)))
        if self.problems:
            conditions.append(~among(lane.c.problem_id, "held_problems", sorted(self.problems)))
        return conditions


NOTHING_HELD = HeldUp()


@dataclass(frozen=True, slots=True)
class ActivePauses:
    """The pauses that touch one destination, as they were last read."""

    pauses: tuple[Pause, ...] = ()

    @classmethod
    def of(cls, destination: str, pauses: Iterable[Pause]) -> "ActivePauses":
        """Choose the pauses that touch `destination`."""
        return cls(tuple(p for p in pauses if p.scope.destination in {None, destination}))

    def breaker(self) -> Pause | None:
        """Return the breaker's pause if it is open for the whole destination."""
        return next((p for p in self.pauses if p.cause is PauseCause.BREAKER and p.is_whole), None)

    def stopped(self, now: datetime) -> Pause | None:
        """Return the pause of the whole destination, other than the breaker's."""
        return next(
            (p for p in self._in_force(now) if p.is_whole and p.cause is not PauseCause.BREAKER),
            None,
        )

    def failure_pause(self, message: Message, now: datetime) -> Pause | None:
        """Return the pause which says that the destination cannot take such a message now."""
        return next(
            (
                pause
                for pause in self._in_force(now)
                if pause.cause is not PauseCause.OPERATOR and pause.covers(message)
            ),
            None,
        )

    def held(self, now: datetime) -> HeldUp:
        """Return what is paused of the destination while the rest goes on."""
        parts = [pause.scope for pause in self._in_force(now) if not pause.is_whole]
        return HeldUp(
            tenants=frozenset(p.tenant for p in parts if p.tenant and p.problem_id is None),
            problems=frozenset(p.problem_id for p in parts if p.problem_id is not None),
        )

    def covers(self, message: Message, now: datetime, *, but: int | None = None) -> bool:
        """Return whether a message is paused, leaving the pause with id `but` out of account."""
        return any(pause.id != but and pause.covers(message) for pause in self._in_force(now))

    def _in_force(self, now: datetime) -> list[Pause]:
        return [pause for pause in self.pauses if pause.until is None or pause.until > now]


class PauseRepository:
    """The pauses, within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection
        self._wake = uow.wake

    def lock(self) -> None:
        """Let only one operator at a time change pauses, until this transaction ends."""
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))

    def active(self, now: datetime) -> list[Pause]:
        """Return the pauses in force at `now`, the oldest first."""
        return [_pause(row) for row in _ACTIVE.run(self._connection, {"now": now})]

    def begin(
        self,
        cause: PauseCause,
        scope: Scope,
        *,
        reason: str,
        who: str,
        since: datetime,
        until: datetime | None = None,
    ) -> None:
        """Begin a pause that lasts until it is ended, or until `until`."""
        values = _values(cause, scope, reason, who, since)
        self._connection.execute(insert(pause), {**values, "until": until})
        self._wake()

    def end(self, pause_id: int, now: datetime) -> bool:
        """End a pause; returns False if it is over already."""
        ended = update(pause).where(_t.id == pause_id, _in_force(now)).values(until=now)
        done = self._connection.execute(ended).rowcount == 1
        if done:
            self._wake()
        return done

    def begin_or_prolong(
        self,
        cause: PauseCause,
        scope: Scope,
        *,
        reason: str,
        who: str,
        now: datetime,
        until: datetime,
    ) -> None:
        """Begin a pause that ends by itself, or prolong the one in force to `until`.

        The scope is a destination, or a tenant's messages to it.
        """
        same = [_t.cause == cause, _t.destination == scope.destination, _t.until > now]
        same.append(_t.tenant.is_(None) if scope.tenant is None else _t.tenant == scope.tenant)
        in_force = self._connection.execute(select(_t.id, _t.until).where(*same)).first()
        if in_force is None:
            self.begin(cause, scope, reason=reason, who=who, since=now, until=until)
        elif in_force.until < until:
            longer = update(pause).where(_t.id == in_force.id).values(until=until)
            self._connection.execute(longer)
            self._wake()

    def open_breaker(
        self, destination: str, *, reason: str, who: str, now: datetime, probe_at: datetime
    ) -> None:
        """Open a destination's breaker; if it is open it stays as it is."""
        values = _values(PauseCause.BREAKER, Scope(destination), reason, who, now)
        done = self._connection.execute(
            insert_for(self._connection.dialect.name, pause).on_conflict_do_nothing(),
            {**values, "probe_at": probe_at},
        )
        if done.rowcount == 1:
            self._wake()

    def take_probe(
        self, pause_id: int, lane_id: int, owner: str, now: datetime, until: datetime
    ) -> bool:
        """Make `lane_id` the only probe until `until`; False if another is, or it is too soon."""
        taken = (
            update(pause)
            .where(_t.id == pause_id, _t.until.is_(None), _t.probe_at <= now)
            .where(or_(_t.probe_until.is_(None), _t.probe_until <= now))
            .values(probe_lane=lane_id, probe_owner=owner, probe_until=until)
        )
        return self._connection.execute(taken).rowcount == 1

    def try_now(self, pause_id: int, now: datetime) -> None:
        """Let the next probe be sent at once, unless one is being sent."""
        earlier = update(pause).where(_t.id == pause_id, _t.until.is_(None)).values(probe_at=now)
        self._connection.execute(earlier)
        self._wake()

    def end_probe(self, pause_id: int, lane_id: int, next_at: datetime, *, failed: bool) -> None:
        """Record that the probe was sent and not accepted; the next one is due at `next_at`.

        `failed`: the destination still fails; otherwise nothing was learnt about it.
        """
        self._connection.execute(
            update(pause)
            .where(_t.id == pause_id, _t.until.is_(None), _t.probe_lane == lane_id)
            .values(
                probe_at=next_at,
                probe_owner=None,
                probe_until=None,
                probes=_t.probes + (1 if failed else 0),
            )
        )
        self._wake()

    def paused_time(self, of: Scope, since: datetime, now: datetime) -> timedelta:
        """Return how long from `since` pauses held up a problem's messages to a destination."""
        query = select(_t.since, _t.until).where(
            *(or_(_t[name].is_(None), _t[name] == value) for name, value in asdict(of).items()),
            _t.since < now,
            or_(_t.until.is_(None), _t.until > since),
        )
        spans = [(row.since, row.until) for row in self._connection.execute(query)]
        return time_within(spans, since, now)


def time_within(
    spans: Iterable[tuple[datetime, datetime | None]], begin: datetime, end: datetime
) -> timedelta:
    """Return how much of the time from `begin` to `end` the spans cover together.

    Spans may overlap; one without an end is still open.
    """
    total, reached = timedelta(), begin
    for since, until in sorted(spans, key=lambda span: span[0]):
        first, last = max(since, reached), min(until or end, end)
        if last > first:
            total += last - first
            reached = last
    return total


def _in_force(now: datetime | BindParameter[Any]) -> ColumnElement[bool]:
    return or_(_t.until.is_(None), _t.until > now)


_ACTIVE = CompiledStatement(
    select(
        *(_t[name] for name in ("id", "cause", "destination", "tenant", "problem_id")),
        *(_t[name] for name in ("reason", "who", "since", "until")),
        service_problem.c.reference,
        *(_t[name] for name in ("probe_at", "probes", "probe_lane", "probe_until")),
    )
    .outerjoin(service_problem, service_problem.c.id == _t.problem_id)
    .where(_in_force(bindparam("now", type_=_t.until.type)))
    .order_by(_t.id)
)


def _values(
    cause: PauseCause, scope: Scope, reason: str, who: str, since: datetime
) -> dict[str, object]:
    return {
        "cause": cause,
        **asdict(scope),
        "reason": reason,
        "who": who,
        "since": since,
    }


def _pause(row: Sequence[Any]) -> Pause:
    """Build a Pause from a row of _ACTIVE."""
    key, cause, destination, tenant, problem_id, reason, who, since, until, reference, *probe = row
    return Pause(
        id=key,
        cause=PauseCause(cause),
        scope=Scope(destination, tenant, problem_id),
        reason=reason,
        who=who,
        since=since,
        until=until,
        probe=Probe(*probe) if probe[0] is not None else None,
        reference=reference,
    )
