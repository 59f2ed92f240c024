"""How long data is kept, and the chore that removes the rest, a little at a time.

Personal data goes first (contract/personal.py). The key part of a record (tenant, operation, id,
fingerprint, code and reference) stays as long as its problem does: a repeated request is
recognised. Nothing that still waits to be delivered is touched, and no problem that is not over.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Self

from sqlalchemy import Select, Table

from supplier_api.db import UnitOfWork
from supplier_api.db.tables import (
    console_session,
    decision,
    inbox,
    journal,
    operator_action,
    pause,
    process,
    sign_in_failure,
    sign_in_link,
    ticket_apart,
)
from supplier_api.logging import get_logger
from supplier_api.operations.retention_repository import (
    WHOLE_DECISION,
    WHOLE_PROBLEM,
    RetentionRepository,
)
from supplier_api.problems.services import Services
from supplier_api.problems.timer_repository import BusinessClockRepository
from supplier_api.settings import Settings

# Short, so that a worker that is restarted often runs it all the same.
FIRST = 300.0  # seconds
PAUSE = 0.2  # seconds between two batches: others write too
# Seconds until the next try to empty the -wal, while a reader still uses old pages.
AGAIN = 10.0
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How long data is kept, and how much is removed in one transaction.

    `bodies` and `problems` count from the last change of a problem that is over, in business time;
    `actions` is for operators' actions, pauses and processes, `inbox` for webhooks and for what
    tickets of no problem said. A round runs every `every` seconds.
    """

    bodies: timedelta
    problems: timedelta
    actions: timedelta
    journal: timedelta
    inbox: timedelta
    batch: int
    every: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say."""
        retention = settings.retention
        return cls(
            bodies=timedelta(days=retention.thin_after_days),
            problems=timedelta(days=retention.prune_after_days),
            actions=timedelta(days=retention.actions_days),
            journal=timedelta(days=settings.sandbox.journal_days),
            inbox=timedelta(days=retention.inbox_days),
            batch=retention.batch,
            every=retention.every,
        )


@dataclass(frozen=True, slots=True)
class _Step:
    """One kind of data that is removed: the query for what is due, and how a batch of it goes."""

    name: str
    due: Callable[[RetentionRepository], Select[Any]]
    remove: Callable[[RetentionRepository, Select[Any], int], int]


class RetentionChore:
    """Removes old data, batch by batch; any number of workers may do so at once."""

    def __init__(self, services: Services, keep: RetentionPolicy) -> None:
        """Work with `services`."""
        self._services = services
        self._keep = keep
        self._steps = _steps(keep)
        self._next = services.machine.monotonic() + min(FIRST, keep.every)
        self._round = _Round()

    def turn(self) -> float:
        """Do a piece of work if one is due; return how many seconds later the next one is."""
        now = self._services.machine.monotonic()
        if now < self._next:
            return self._next - now
        step = self._steps[self._round.at]
        done = self._do(step)
        self._round.done[step.name] = self._round.done.get(step.name, 0) + done
        if done >= self._keep.batch:
            self._next = now + PAUSE
        elif self._round.at + 1 < len(self._steps):
            self._round.at += 1
        else:
            self._finish(now)
        return max(0.0, self._next - now)

    def run(self) -> dict[str, int]:
        """Remove all that is due now; return how many there were of each kind."""
        done = {step.name: self._all(step) for step in self._steps}
        self._services.store.drop_old_pages()
        return done

    def due(self) -> dict[str, int]:
        """Return how many of each kind `run` would remove."""
        return self._services.store.read(
            lambda uow: {step.name: self._count(uow, step) for step in self._steps}
        )

    def _finish(self, now: float) -> None:
        done = {name: count for name, count in self._round.done.items() if count}
        if done:
            log.info("retention.done", **done)
        # Also of what was erased by hand while somebody read.
        emptied = self._services.store.drop_old_pages()
        self._round = _Round()
        self._next = now + (self._keep.every if emptied else min(AGAIN, self._keep.every))

    def _all(self, step: _Step) -> int:
        total = done = self._do(step)
        while done >= self._keep.batch:
            done = self._do(step)
            total += done
        return total

    def _do(self, step: _Step) -> int:
        def work(uow: UnitOfWork) -> int:
            old = self._old(uow)
            return step.remove(old, step.due(old), self._keep.batch)

        return self._services.store.write(work)

    def _count(self, uow: UnitOfWork, step: _Step) -> int:
        old = self._old(uow)
        return old.count(step.due(old))

    def _old(self, uow: UnitOfWork) -> RetentionRepository:
        scales = {
            tenant: clock.scale
            for tenant, clock in BusinessClockRepository(uow).by_tenant().items()
        }
        return RetentionRepository(uow.connection, self._services.machine.now(), scales)


@dataclass(slots=True)
class _Round:
    """How far a round has come, and what it has removed."""

    at: int = 0
    done: dict[str, int] = field(default_factory=dict)


def _steps(keep: RetentionPolicy) -> list[_Step]:
    by_age = {
        "actions": (operator_action, keep.actions),
        "pauses": (pause, keep.actions),
        "processes": (process, keep.actions),
        "journal": (journal, keep.journal),
        "webhooks": (inbox, keep.inbox),
        "tickets_apart": (ticket_apart, keep.inbox),
        # By the end that their rows name.
        "sessions": (console_session, timedelta()),
        "sign_in_links": (sign_in_link, timedelta()),
        "sign_in_failures": (sign_in_failure, timedelta()),
    }
    # What is stored of a problem that was thinned before.
    late = {"actions": operator_action, "pauses": pause, "tickets_apart": ticket_apart}
    old = RetentionRepository
    return [
        _Step("thinned", lambda r: r.problems(keep.bodies, WHOLE_PROBLEM), old.thin),
        _Step("pruned", lambda r: r.problems(keep.problems), old.prune),
        _Step(
            "refused_thinned", lambda r: r.refused(keep.bodies, WHOLE_DECISION), old.thin_refused
        ),
        _Step("refused_pruned", lambda r: r.refused(keep.problems), _delete_from(decision)),
        _Step("incidents_thinned", lambda r: r.incidents(keep.bodies), old.thin_incidents),
        *(
            _Step(
                f"late_{name}", partial(old.late, table=table, age=keep.bodies), _thin_late(table)
            )
            for name, table in late.items()
        ),
        *(
            _Step(name, partial(old.rows, table=table, age=age), _delete_from(table))
            for name, (table, age) in by_age.items()
        ),
    ]


def _delete_from(table: Table) -> Callable[[RetentionRepository, Select[Any], int], int]:
    return lambda old, found, limit: old.delete(table, found, limit)


def _thin_late(table: Table) -> Callable[[RetentionRepository, Select[Any], int], int]:
    return lambda old, found, limit: old.thin_late(table, found, limit)
