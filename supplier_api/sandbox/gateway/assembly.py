"""Puts the gateway's parts together."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import requests

from supplier_api.audit import Audit
from supplier_api.clock import BusinessClock, MachineClock
from supplier_api.ids import Chance
from supplier_api.sandbox.gateway.access import PartyAuth
from supplier_api.sandbox.gateway.admin import AdminAuth
from supplier_api.sandbox.gateway.adopting import Adopting
from supplier_api.sandbox.gateway.clock import MovableClock
from supplier_api.sandbox.gateway.config import SandboxConfig
from supplier_api.sandbox.gateway.database import GatewayDatabase
from supplier_api.sandbox.gateway.identifiers import Identifiers
from supplier_api.sandbox.gateway.inbox import Inbox
from supplier_api.sandbox.gateway.intake import TenantRequests
from supplier_api.sandbox.gateway.outcome import SupplierOutcome
from supplier_api.sandbox.gateway.sender import Sender
from supplier_api.sandbox.gateway.supplier_client import SupplierClient
from supplier_api.sandbox.gateway.update_log import UpdateLog
from supplier_api.sandbox.gateway.webhook_sender import WebhookSender


@dataclass(frozen=True, slots=True)
class SandboxGateway:
    """The parts that the routes and the command need."""

    config: SandboxConfig
    chance: Chance
    database: GatewayDatabase
    access: PartyAuth
    audit: Audit
    intake: TenantRequests
    inbox: Inbox
    admin: AdminAuth
    clock: MovableClock
    sender: Sender
    postman: WebhookSender

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
) -> SandboxGateway:
    """Open the database and make every part. Nothing is sent until the gateway is started.

    Testers move business time unless a clock for it is given.
    """
    database = GatewayDatabase(config.database_url)
    clock = MovableClock(database, machine)
    ids = Identifiers(database, chance)
    update_log = UpdateLog(business or clock, ids)
    patience = timedelta(seconds=config.gap_patience)
    inbox = Inbox(database, machine, update_log, Adopting(config, update_log), patience)
    transports = {
        supplier.name: SupplierClient(
            supplier, machine, ids, config.supplier_timeout, session_factory
        )
        for supplier in config.suppliers
    }
    outcome = SupplierOutcome(update_log)
    sender = Sender(database, machine, inbox, outcome, transports, config.supplier_timeout)
    return SandboxGateway(
        config=config,
        chance=chance,
        database=database,
        access=PartyAuth(config, database, machine, chance),
        audit=Audit(machine),
        intake=TenantRequests(config, database, update_log, ids, sender.wake),
        inbox=inbox,
        admin=AdminAuth(config, database, update_log, ids),
        clock=clock,
        sender=sender,
        postman=WebhookSender(config.tenants, database, machine, update_log, ids, session_factory),
    )
