"""What web servers, workers and commands have in common: store, clocks and policy."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from supplier_api.backoffice.port import wanted_kinds
from supplier_api.clock import BusinessClock, MachineClock, SystemBusinessClock, SystemMachineClock
from supplier_api.contract import CONTRACT
from supplier_api.contract.codes import ProblemCode
from supplier_api.db import Store, migrate
from supplier_api.db.engine import PATIENCE
from supplier_api.ids import IdSource, SystemIdSource
from supplier_api.operations.installation import claim, stamp_of
from supplier_api.problems.services import DecisionDeadline, LifecyclePolicy, Services
from supplier_api.problems.work import OrderKind
from supplier_api.rules.model import Operation
from supplier_api.settings import Settings
from supplier_api.settings.deadlines import DecisionDeadlineSettings, DecisionDeadlinesSettings

LONGEST_NAME = 100  # of a process, as the column has it


@dataclass(frozen=True, slots=True)
class ClockPair:
    """Where time and ids come from; tests and the sandbox pass their own."""

    machine: MachineClock
    business: BusinessClock
    id_source: IdSource


def build_services(
    settings: Settings, clocks: ClockPair | None = None, patience: float = PATIENCE
) -> Services:
    """Return what every use case works with; connects to the database.

    `patience` is for how many seconds each answer of the database is waited for by work that has no
    deadline.

    Raises db.SchemaTooOld when the database must be upgraded first, and
    operations.installation.ForeignDatabase when it belongs to another installation.
    """
    services = open_services(settings, clocks, patience)
    with closed_on_error(services):
        claim_database(settings, services)
    return services


@contextmanager
def closed_on_error(services: Services) -> Iterator[None]:
    """Give the database back if what is made with it in the `with` block is not."""
    try:
        yield
    except BaseException:
        services.store.close()
        raise


@contextmanager
def reading(settings: Settings) -> Iterator[Services]:
    """Yield the services to a command that only reads, whosever database it is.

    Raises as `open_services` does.
    """
    services = open_services(settings)
    try:
        yield services
    finally:
        services.store.close()


@contextmanager
def changing(settings: Settings) -> Iterator[Services]:
    """Yield the services to a command that changes something in the settings' own database.

    Raises as `build_services` does.
    """
    with reading(settings) as services:
        claim_database(settings, services)
        yield services


def claim_database(settings: Settings, services: Services) -> None:
    """Put our stamp on an unused database; raises operations.installation.ForeignDatabase."""
    claim(services.store, stamp_of(settings), services.machine.now())


def open_services(
    settings: Settings, clocks: ClockPair | None = None, patience: float = PATIENCE
) -> Services:
    """Return the same, for those who only look, of whosever database.

    Raises db.SchemaTooOld when the database must be upgraded first, and db.StoreUnavailable when it
    cannot be reached, or only through a pooler that does not do.
    """
    policy = _policy(settings)
    host = clocks.machine if clocks else SystemMachineClock()
    database = settings.database
    store = Store(database.url, host, listen_url=database.listen_url, patience=patience)
    try:
        _check_database(store)
        clocks = clocks or _clocks(settings, store, host)
    except Exception:
        store.close()
        raise
    return Services(
        store=store,
        machine=clocks.machine,
        business=clocks.business,
        id_source=clocks.id_source,
        policy=policy,
        contract=CONTRACT.supplier_api,
        adapter=settings.backoffice.adapter,
        order_kinds=wanted_kinds(settings.backoffice),
        process=f"{socket.gethostname()}/{os.getpid()}"[-LONGEST_NAME:],
    )


def _check_database(store: Store) -> None:
    """Raise what `open_services` raises where the database does not do."""
    migrate.require(store.engine)
    if store.dialect == "postgresql":
        # With its driver, which takes 10 MB: an installation on SQLite does without.
        from supplier_api.db.postgresql import require_session

        require_session(store.listen_url)


def _policy(settings: Settings) -> LifecyclePolicy:
    lifecycle = settings.lifecycle
    return LifecyclePolicy(
        reference_prefix=lifecycle.reference_prefix,
        closure=timedelta(days=lifecycle.closure_days),
        notice=timedelta(hours=lifecycle.notice_hours),
        answer_budget=settings.server.answer_budget,
        settling=timedelta(milliseconds=settings.delivery.not_before_ms),
        deadlines=_deadlines(lifecycle.decision_deadline),
    )


def _deadlines(given: DecisionDeadlinesSettings) -> dict[OrderKind, DecisionDeadline]:
    """Return the deadlines that there are, by what is to be decided."""
    deadlines: dict[OrderKind, DecisionDeadline] = {}
    for operation in (Operation.PROBLEM, Operation.AMENDMENT, Operation.CANCELLATION):
        one: DecisionDeadlineSettings = getattr(given, operation)
        if one.hours is None:
            continue
        deadlines[operation] = DecisionDeadline(
            after=timedelta(hours=one.hours),
            remind=timedelta(hours=one.remind_hours) if one.remind_hours else None,
            fallback=one.fallback,
            code=ProblemCode(one.problem_code) if one.problem_code else None,
            text=one.text,
        )
    return deadlines


def _clocks(settings: Settings, store: Store, host: MachineClock) -> ClockPair:
    """Return the clocks and ids, which testers may have set: the database's, or the host's."""
    machine = host
    if store.dialect == "postgresql":
        from supplier_api.db.postgresql import DatabaseClock

        machine = DatabaseClock(store.engine, host)
    if settings.in_sandbox:
        from supplier_api.sandbox.tenant_settings import StoredBusinessClock, StoredIdSource

        return ClockPair(
            machine, StoredBusinessClock(store, machine), StoredIdSource(store, SystemIdSource())
        )
    return ClockPair(machine, SystemBusinessClock(machine), SystemIdSource())
