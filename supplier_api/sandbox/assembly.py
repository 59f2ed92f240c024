"""Puts the gateway's parts together."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import requests

from supplier_api.audit import Audit
from supplier_api.chance import Chance
from supplier_api.clock import BusinessClock, MachineClock
from supplier_api.sandbox.access import Access
from supplier_api.sandbox.admin import Admin
from supplier_api.sandbox.adopting import Adopting
from supplier_api.sandbox.clock import MovableClock
from supplier_api.sandbox.config import SandboxConfig
from supplier_api.sandbox.courier import Courier
from supplier_api.sandbox.database import Database
from supplier_api.sandbox.identifiers import Identifiers
from supplier_api.sandbox.inbox import Inbox
from supplier_api.sandbox.intake import Intake
from supplier_api.sandbox.outcome import Outcome
from supplier_api.sandbox.postman import Postman
from supplier_api.sandbox.sender import Sender
from supplier_api.sandbox.telling import Teller


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts that the routes and the command need."""

    config: SandboxConfig
    chance: Chance
    database: Database
    access: Access
    audit: Audit
    intake: Intake
    inbox: Inbox
    admin: Admin
    clock: MovableClock
    sender: Sender
    postman: Postman

    def start(self) -> None:
        """Begin to call suppliers and tenants, in the background."""
        self.audit.start()
        self.sender.start()
        self.postman.start()

    def close(self) -> None:
        """Stop what runs in the background and give back what is open."""
        self.sender.stop()
        self.postman.stop()
        self.audit.stop()
        self.database.close()


def build_gateway(
    config: SandboxConfig,
    machine: MachineClock,
    business: BusinessClock | None,
    chance: Chance,
    session_factory: Callable[[], requests.Session],
) -> Gateway:
    """Open the database and make every part. Nothing is sent until the gateway is started.

    Testers move business time unless a clock for it is given.
    """
    database = Database(config.database_url)
    clock = MovableClock(database, machine)
    ids = Identifiers(database, chance)
    teller = Teller(business or clock, ids)
    patience = timedelta(seconds=config.gap_patience)
    inbox = Inbox(database, machine, teller, Adopting(config, teller), patience)
    couriers = {
        supplier.name: Courier(supplier, machine, ids, config.supplier_timeout, session_factory)
        for supplier in config.suppliers
    }
    outcome = Outcome(teller)
    sender = Sender(database, machine, inbox, outcome, couriers, config.supplier_timeout)
    return Gateway(
        config=config,
        chance=chance,
        database=database,
        access=Access(config, database, machine, chance),
        audit=Audit(machine),
        intake=Intake(config, database, teller, ids, sender.wake),
        inbox=inbox,
        admin=Admin(config, database, teller, ids),
        clock=clock,
        sender=sender,
        postman=Postman(config.tenants, database, machine, teller, ids, session_factory),
    )
