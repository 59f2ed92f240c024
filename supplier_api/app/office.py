"""What web servers and workers have in common: store, clocks, sign of life."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from supplier_api.chance import Chance, SystemChance
from supplier_api.clock import BusinessClock, MachineClock, SystemBusinessClock, SystemMachineClock
from supplier_api.delivery.heartbeat import Heartbeat
from supplier_api.desk.model import Office, Policy
from supplier_api.desk.presence import MISSED, Deaths, Presence, Self
from supplier_api.desk.stamping import claim, stamp_of
from supplier_api.settings import Settings
from supplier_api.store import Store, migrate
from supplier_api.store.clock import DatabaseClock
from supplier_api.store.engine import PATIENCE
from supplier_api.store.pooler import require_session
from supplier_api.store.processes import Kind
from supplier_api.store.sandbox import StoredBusinessClock, StoredChance
from supplier_api.wire import CONTRACT

LONGEST_NAME = 100  # of a process, as the column has it


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where time and chance come from; tests and sandboxes hold them in their hands."""

    machine: MachineClock
    business: BusinessClock
    chance: Chance


def build_office(
    settings: Settings, clocks: Clocks | None = None, patience: float = PATIENCE
) -> Office:
    """Return what every use case works with; connects to the database.

    `patience` is for how many seconds each answer of the database is waited for by work that has no
    deadline.

    Raises store.SchemaTooOld when the database must be upgraded first, and
    desk.stamping.ForeignDatabase when it belongs to another installation.
    """
    office = open_office(settings, clocks, patience)
    with closed_on_error(office):
        claim_database(settings, office)
    return office


@contextmanager
def closed_on_error(office: Office) -> Iterator[None]:
    """Give the database back if what is made with the office in the `with` block is not."""
    try:
        yield
    except BaseException:
        office.store.close()
        raise


def claim_database(settings: Settings, office: Office) -> None:
    """Put our stamp on an unused database; raises desk.stamping.ForeignDatabase."""
    claim(office.store, stamp_of(settings), office.machine.now())


def open_office(
    settings: Settings, clocks: Clocks | None = None, patience: float = PATIENCE
) -> Office:
    """Return the same, for those who only look, of whosever database.

    Raises store.SchemaTooOld when the database must be upgraded first, and store.StoreUnavailable
    when it cannot be reached, or only through a pooler that does not do.
    """
    host = clocks.machine if clocks else SystemMachineClock()
    database = settings.database
    store = Store(database.url, host, listen_url=database.listen_url, patience=patience)
    machine = host
    try:
        migrate.require(store.engine)
        if store.dialect == "postgresql":
            require_session(store.listen_url)
        if clocks is None and store.dialect == "postgresql":
            machine = DatabaseClock(store.engine, host)
    except Exception:
        store.close()
        raise
    given = clocks or _clocks(settings, store, machine)
    lifecycle = settings.lifecycle
    return Office(
        store=store,
        machine=machine,
        business=given.business,
        chance=given.chance,
        policy=Policy(
            reference_prefix=lifecycle.reference_prefix,
            closure=timedelta(days=lifecycle.closure_days),
            notice=timedelta(hours=lifecycle.notice_hours),
            answer_budget=settings.server.answer_budget,
            settling=timedelta(milliseconds=settings.delivery.not_before_ms),
        ),
        contract=CONTRACT.supplier_api,
        process=f"{socket.gethostname()}/{os.getpid()}"[-LONGEST_NAME:],
    )


def _clocks(settings: Settings, store: Store, machine: MachineClock) -> Clocks:
    """Return time and chance: where testers set them, as they have."""
    if settings.in_sandbox:
        return Clocks(
            machine, StoredBusinessClock(store, machine), StoredChance(store, SystemChance())
        )
    return Clocks(machine, SystemBusinessClock(machine), SystemChance())


def heartbeat_of(settings: Settings, office: Office, me: Self) -> Heartbeat:
    """Return the sign of life of a process; a worker also looks for others that have died."""
    every = settings.status.heartbeat
    presence = Presence(office, me, stamp_of(settings), every)
    deaths = Deaths(office, timedelta(seconds=MISSED * every)) if me.kind is Kind.WORKER else None
    return Heartbeat(presence, office.machine, every, deaths)
