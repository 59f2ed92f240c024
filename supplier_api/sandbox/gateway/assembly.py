"""Puts the gateway's parts together, and serves it: requests, and calls to suppliers and tenants.

The server is the supplier's.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import requests
from flask import Flask

from supplier_api.audit import Audit
from supplier_api.clock import BusinessClock, MachineClock
from supplier_api.http.server import HttpServer, ServerLimits
from supplier_api.http.serving import serve as serve_http
from supplier_api.ids import IdSource
from supplier_api.logging import get_logger
from supplier_api.sandbox.gateway.access import PartyAuth
from supplier_api.sandbox.gateway.clock_and_ids import Identifiers, MovableClock
from supplier_api.sandbox.gateway.config import SandboxConfig
from supplier_api.sandbox.gateway.database import open_database
from supplier_api.sandbox.gateway.inbox import Inbox
from supplier_api.sandbox.gateway.repository import GatewayServices
from supplier_api.sandbox.gateway.sender import Sender
from supplier_api.sandbox.gateway.supplier_client import SupplierClient
from supplier_api.sandbox.gateway.tenant_requests import TenantRequests, TesterRequests
from supplier_api.sandbox.gateway.webhook_sender import WebhookSender

log = get_logger(__name__)

THREADS = 16  # for requests, and as many that call suppliers
QUEUE = 512  # requests that may wait for a thread
PATIENCE = 10.0  # seconds that they may wait
# Paths that are answered while every thread for requests is busy.
RESERVED = {"health": ("/health/",), "token": ("/auth/",)}
# Seconds between looks at what nobody announces: late answers, numbers that were waited for,
LOOK_AFTER = 1.0
# and updates that wait for their tenants.
DELIVER = 0.5


class BackgroundThreads:
    """The threads that call others, until the process stops."""

    def __init__(self, machine: MachineClock) -> None:
        """Run nothing yet; whoever works in a thread ends soon after `stopping` is set."""
        self._machine = machine
        self.stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, work: Callable[[], None]) -> None:
        """Run `work` in a thread."""
        # A daemon: who answers drop by drop must not keep the process from ending.
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def repeat(self, work: Callable[[], None], seconds: float, event: str, **fields: str) -> None:
        """Run `work` in a thread every so many seconds; log an error as `event`, and go on."""

        def run() -> None:
            while not self.stopping.wait(seconds):
                try:
                    work()
                except Exception:
                    log.exception(event, **fields)

        self.start(run)

    def join(self, patience: float = 3.0) -> None:
        """Wait `patience` seconds for the answers that are still out."""
        until = self._machine.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, until - self._machine.monotonic()))


@dataclass(frozen=True, slots=True)
class SandboxGateway:
    """The parts that the routes and the command need."""

    services: GatewayServices
    id_source: IdSource
    access: PartyAuth
    audit: Audit
    tenant_requests: TenantRequests
    inbox: Inbox
    tester_requests: TesterRequests
    clock: MovableClock
    sender: Sender
    webhook_sender: WebhookSender
    background: BackgroundThreads

    def start(self) -> None:
        """Begin to call suppliers and tenants, in the background."""
        self.audit.start()
        self.sender.recover()
        for _ in range(THREADS):
            self.background.start(self.sender.send_when_woken)
        self.background.repeat(self.sender.look_after, LOOK_AFTER, "sandbox sender failed")
        for tenant in self.webhook_sender.tenants:
            deliver = partial(self.webhook_sender.deliver, tenant)
            event = "delivery to tenant failed"
            self.background.repeat(deliver, DELIVER, event, tenant=tenant.name)
        self.sender.wake()

    def close(self) -> None:
        """Stop what runs in the background and give back what is open."""
        self.background.stopping.set()
        for _ in range(THREADS):
            self.sender.wake()
        self.background.join()
        self.sender.close()
        self.webhook_sender.close()
        self.audit.stop()
        self.services.database.close()


def build_gateway(
    config: SandboxConfig,
    machine: MachineClock,
    business: BusinessClock | None,
    id_source: IdSource,
    session_factory: Callable[[], requests.Session],
) -> SandboxGateway:
    """Open the database and make every part. Nothing is sent until the gateway is started.

    Testers move business time unless a clock for it is given. Raises DatabaseUnusable.
    """
    database = open_database(config.database_url, machine)
    clock, background = MovableClock(database, machine), BackgroundThreads(machine)
    ids = Identifiers(database, id_source)
    services = GatewayServices(config, database, machine, business or clock, ids)
    inbox = Inbox(services)
    clients = {
        supplier.name: SupplierClient(supplier, machine, config.supplier_timeout, session_factory())
        for supplier in config.suppliers
    }
    sender = Sender(services, inbox, clients, background.stopping)
    return SandboxGateway(
        services=services,
        id_source=id_source,
        access=PartyAuth(services, id_source),
        audit=Audit(machine),
        tenant_requests=TenantRequests(services, sender.wake),
        inbox=inbox,
        tester_requests=TesterRequests(services),
        clock=clock,
        sender=sender,
        webhook_sender=WebhookSender(services, session_factory, background.stopping),
        background=background,
    )


def build_server(app: Flask, host: str, port: int) -> HttpServer:
    """Return what listens for the gateway; raises OSError when it cannot listen there."""
    gateway: SandboxGateway = app.extensions["sandbox"]
    limits = ServerLimits(THREADS, QUEUE, PATIENCE, gateway.services.config.max_body, RESERVED)
    return HttpServer(app, limits, host, port)


def serve(app: Flask, host: str, port: int) -> None:
    """Answer requests, call suppliers and tenants until SIGTERM or SIGINT; then end in order.

    Raises OSError when the address cannot be listened on. For the main thread only.
    """
    gateway: SandboxGateway = app.extensions["sandbox"]
    server = build_server(app, host, port)
    gateway.start()
    bound, chosen = server.address
    try:
        serve_http([server], lambda: log.info("sandbox gateway ready", host=bound, port=chosen))
    finally:
        gateway.close()
