"""Puts the gateway's parts together."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import requests

from supplier_api.chance import Chance
from supplier_api.clock import BusinessClock, MachineClock
from supplier_api.sandbox.access import Access
from supplier_api.sandbox.config import SandboxConfig
from supplier_api.sandbox.courier import Courier
from supplier_api.sandbox.database import Database
from supplier_api.sandbox.inbox import Inbox
from supplier_api.sandbox.intake import Intake
from supplier_api.sandbox.outcome import Outcome
from supplier_api.sandbox.sender import Sender


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts that the routes and the command need."""

    config: SandboxConfig
    chance: Chance
    database: Database
    access: Access
    intake: Intake
    inbox: Inbox
    sender: Sender

    def close(self) -> None:
        """Stop the sender and give back what is open."""
        self.sender.stop()
        self.database.close()


def build_gateway(
    config: SandboxConfig,
    machine: MachineClock,
    business: BusinessClock,
    chance: Chance,
    session_factory: Callable[[], requests.Session],
) -> Gateway:
    """Open the database and make every part. Nothing is sent until the sender is started."""
    database = Database(config.database_url)
    patience = timedelta(seconds=config.gap_patience)
    inbox = Inbox(database, machine, business, chance, patience)
    couriers = {
        supplier.name: Courier(supplier, machine, chance, config.supplier_timeout, session_factory)
        for supplier in config.suppliers
    }
    outcome = Outcome(business, chance)
    sender = Sender(database, machine, inbox, outcome, couriers, config.supplier_timeout)
    return Gateway(
        config=config,
        chance=chance,
        database=database,
        access=Access(config, database, machine, chance),
        intake=Intake(config, database, business, sender.wake),
        inbox=inbox,
        sender=sender,
    )
