"""Operators hold delivery up, as a whole or in part, and let it go on."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.outbox.pauses import Pause, PauseCause, PauseRepository, Scope
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems import view
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import DESTINATIONS, Services

BATCH = 500  # lanes whose due time is moved in one transaction
AT_ONCE = 100  # lanes that may go on without being spread
KNOWN = 10  # tenants that an error message lists


@dataclass(frozen=True, slots=True)
class PauseScope:
    """What an operator named: a destination, a tenant, a problem by any name, or nothing."""

    destination: str | None = None
    tenant: str | None = None
    problem: str | None = None


class NothingSuchError(Exception):
    """What was named does not exist, or is not paused; `known` is what does, or is."""

    def __init__(self, text: str, known: Iterable[str]) -> None:
        """Keep the text that says what is wrong, and what is known instead."""
        super().__init__(text)
        self.known = list(known)


class PauseAdmin:
    """Pause and resume; each records who did it and why."""

    def __init__(self, services: Services, spread: timedelta) -> None:
        """Work with `services`; a backlog that may go on is spread over `spread`."""
        self._services = services
        self.spread = spread

    def pause(self, wanted: PauseScope, who: str, reason: str) -> Pause:
        """Pause what is named until it is resumed; an existing pause of it stays as it is.

        Raises NothingSuchError.
        """
        now = self._services.machine.now()

        def work(uow: UnitOfWork) -> Pause:
            scope = _scope(uow, wanted)
            PauseRepository(uow).lock()
            if found := _of_operator(uow, scope, now):
                return found
            PauseRepository(uow).begin(
                PauseCause.OPERATOR, scope, reason=reason, who=who, since=now
            )
            OperatorActionRepository(uow).add(_action("pause", scope, who, reason, now))
            begun = _of_operator(uow, scope, now)
            assert begun is not None
            return begun

        return self._services.store.write(work)

    def resume(
        self, wanted: PauseScope, who: str, reason: str, seen: Collection[int] | None = None
    ) -> int:
        """End the pauses of that scope; return how many problems were spread.

        For a whole destination, an open breaker may be probed at once, and a wait that the
        destination asked for ends. Raises NothingSuchError; also if `seen` is given, the ids of the
        pauses that somebody saw, and others are in force now.
        """
        now = self._services.machine.now()
        scope, active = self._services.store.read(
            lambda uow: (_scope(uow, wanted), PauseRepository(uow).active(now))
        )
        found = [pause for pause in active if pause.scope == scope]
        if not found:
            paused = "; these are" if active else ", and nothing is"
            raise NothingSuchError(
                f"{_what(scope, wanted.problem)} is not paused{paused}", map(line, active)
            )
        if seen is not None and {pause.id for pause in found} != set(seen):
            raise NothingSuchError(
                f"what pauses {_what(scope, wanted.problem)} has changed; now it is",
                map(line, found),
            )
        spread = 0
        if any(pause.cause is PauseCause.OPERATOR for pause in found):
            spread = sum(self._put_off(each, now) for each in _by_destination(scope))

        def work(uow: UnitOfWork) -> None:
            for pause in found:
                if pause.cause is PauseCause.BREAKER and pause.until is None:
                    PauseRepository(uow).try_now(pause.id, now)
                else:
                    PauseRepository(uow).end(pause.id, now)
            OperatorActionRepository(uow).add(_action("resume", scope, who, reason, now))

        self._services.store.write(work)
        return spread

    def now(self) -> datetime:
        """Return the machine time, which pauses are stored in."""
        return self._services.machine.now()

    def active(self) -> list[Pause]:
        """Return all pauses in force now, whatever their cause."""
        now = self.now()
        return self._services.store.read(lambda uow: PauseRepository(uow).active(now))

    def of(self, wanted: PauseScope) -> list[Pause]:
        """Return the pauses in force of just what is named; raises NothingSuchError."""
        scope = self._services.store.read(lambda uow: _scope(uow, wanted))
        return [pause for pause in self.active() if pause.scope == scope]

    def _put_off(self, scope: Scope, now: datetime) -> int:
        """Spread a large backlog over the time after, while it is still paused."""
        store, id_source = self._services.store, self._services.id_source
        if (
            store.read(lambda uow: LaneRepository(uow).count_due(scope, now, AT_ONCE + 1))
            <= AT_ONCE
        ):
            return 0

        def moment() -> datetime:
            return now + self.spread * id_source.jitter(1.0)

        def batch(uow: UnitOfWork) -> int:
            return LaneRepository(uow).spread_due(scope, now, moment, BATCH)

        moved = [store.write(batch)]
        while moved[-1] == BATCH:
            moved.append(store.write(batch))
        return sum(moved)


def stands_still(pauses: Iterable[Pause], now: datetime) -> list[dict[str, Any]]:
    """Return the pauses of whole destinations, for anybody to read: without an operator's texts."""
    return [
        {
            "destination": destination,
            "state": _state(pause, now),
            "since": to_wire(pause.since),
            "reason": "by an operator" if pause.cause is PauseCause.OPERATOR else pause.reason,
        }
        for pause in pauses
        if pause.is_whole
        for destination in ([pause.scope.destination] if pause.scope.destination else DESTINATIONS)
    ]


def plain(pause: Pause, now: datetime) -> Mapping[str, Any]:
    """Return a pause for operators and their tools, as plain JSON values."""
    return {
        "cause": pause.cause.value,
        "state": _state(pause, now),
        "destination": pause.scope.destination,
        "tenant": pause.scope.tenant,
        "problem": pause.reference,
        "reason": pause.reason,
        "who": pause.who,
        "since": to_wire(pause.since),
        "until": to_wire(pause.until) if pause.until else None,
        "triedNextAt": to_wire(pause.probe.at) if pause.probe else None,
        "triedInVain": pause.probe.failed if pause.probe else None,
    }


def line(pause: Pause) -> str:
    """Return a pause in one line."""
    return "  ".join(cells(pause))


def cells(pause: Pause) -> list[str]:
    """Return a pause as the cells of a row: what, why, since when, by whom."""
    end = f" until {to_wire(pause.until)}" if pause.until else ""
    next_try = f", tried next at {to_wire(pause.probe.at)}" if pause.probe else ""
    return [
        _what(pause.scope, pause.reference),
        pause.cause,
        f"since {to_wire(pause.since)}{end}{next_try}",
        f"by {pause.who}: {pause.reason}",
    ]


def _what(scope: Scope, problem: str | None) -> str:
    """Name what stands still, as in `gateway TENANT1`; `problem` is a name of the one problem."""
    parts = [scope.destination or "everything", scope.tenant, problem]
    return " ".join(part for part in parts if part)


def _state(pause: Pause, now: datetime) -> str:
    if pause.cause is PauseCause.OPERATOR:
        return "paused"
    if pause.cause is PauseCause.ASKED:
        return "asked to wait"
    tried = pause.probe is not None and pause.probe.until is not None and pause.probe.until > now
    return "half-open" if tried else "open"


def _scope(uow: UnitOfWork, wanted: PauseScope) -> Scope:
    """Return the named scope as it is stored; raises NothingSuchError."""
    if wanted.destination is not None and wanted.destination not in DESTINATIONS:
        raise NothingSuchError(f"there is no destination {wanted.destination}", DESTINATIONS)
    if wanted.tenant is not None:
        check_tenant(uow, wanted.tenant)
    if wanted.problem is None:
        return Scope(wanted.destination, wanted.tenant)
    found = [
        problem
        for problem in view.find(uow, wanted.problem)
        if wanted.tenant in {None, problem.tenant}
    ]
    if len(found) != 1:
        many = f"{wanted.problem} stands for {len(found)} problems"
        text = many if found else f"there is no problem {wanted.problem}"
        known = [f"{each.reference}  {each.tenant}  {each.gateway_id}" for each in found]
        raise NothingSuchError(text, known)
    return Scope(wanted.destination, found[0].tenant, found[0].id)


def check_tenant(uow: UnitOfWork, tenant: str) -> None:
    """Raise NothingSuchError if no problem is of this tenant: its name may be mistyped."""
    if not ProblemRepository(uow).any_of(tenant):
        known = ProblemRepository(uow).tenants(KNOWN)
        raise NothingSuchError(f"tenant {tenant} has no problem", known)


def _of_operator(uow: UnitOfWork, scope: Scope, now: datetime) -> Pause | None:
    active = PauseRepository(uow).active(now)
    return next((p for p in active if p.scope == scope and p.cause is PauseCause.OPERATOR), None)


def _by_destination(scope: Scope) -> list[Scope]:
    names = [scope.destination] if scope.destination else DESTINATIONS
    return [Scope(name, scope.tenant, scope.problem_id) for name in names]


def _action(what: str, scope: Scope, who: str, reason: str, now: datetime) -> Action:
    return Action(
        at=now,
        who=who,
        action=f"delivery {what}",
        reason=reason,
        destination=scope.destination,
        tenant=scope.tenant,
        problem_id=scope.problem_id,
    )
