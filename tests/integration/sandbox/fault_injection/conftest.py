"""A supplier whose KCIs go wrong on purpose: to a gateway that keeps them, or to the sandbox's."""

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from supplier_api.app.services import ClockPair as AppClocks
from supplier_api.app.web import create_app
from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.db import UnitOfWork
from supplier_api.delivery.answers import AnswerTerms
from supplier_api.delivery.model import Destination, Reply, RetryPolicy
from supplier_api.delivery.transports import GatewayAddress
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.ids import SeededIdSource
from supplier_api.outbox.model import Message
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.delivered_kcis import DeliveredKci, kci_delivered
from supplier_api.problems.services import GATEWAY
from supplier_api.sandbox.fault_injection.sending import CopyingTransport
from supplier_api.sandbox.fault_injection.transport import FaultyTransport
from supplier_api.sandbox.gateway import SandboxConfig
from supplier_api.sandbox.gateway import create_app as create_gateway
from supplier_api.sandbox.gateway.config import SupplierAccount as SupplierOfSandbox
from supplier_api.sandbox.gateway.config import TenantAccount
from supplier_api.settings import Settings
from tests.delivering import LaneDelivery
from tests.integration.delivery.sink import Sink
from tests.integration.sandbox.gateway.test_with_supplier import Chain, listening
from tests.integration.standing import app, clocks, sqlite_file
from tests.supplier import LEASE, TENANT, Problem, Supplier, manual_clocks

__all__ = ["app", "clocks", "sqlite_file"]

Clocks = tuple[ManualMachineClock, ManualBusinessClock, AppClocks]
WAIT = 5.0  # seconds after a failure, without jitter


class Faulty(Supplier):
    """The supplier with its real courier, and the door at which faults are set."""

    def __init__(
        self,
        app: Flask,
        client: FlaskClient,
        clocks: Clocks,
        gateway: str,
    ) -> None:
        machine, business, _ = clocks
        super().__init__(app, client, machine, business)
        services = self.services
        address = GatewayAddress(
            kci_url=f"{gateway}/kcis",
            token_url=f"{gateway}/auth/supplier/access-token",
            client_id="supplier",
            client_secret="supplier-secret",
            answers=AnswerTerms(re.compile("never")),
        )
        transport = CopyingTransport(
            address, Sessions(), Watchdog(services.machine), services.machine, services.id_source
        )
        self.serial = itertools.count(1)
        self._transport = FaultyTransport(transport, services.store, services.machine)

    def put(self, kind: str, direction: str = "out", **more: Any) -> TestResponse:
        """Set a fault; for the next call, unless said otherwise."""
        limit = {} if {"calls", "forSeconds"} & more.keys() else {"calls": 1}
        whose = {} if "conversation" in more else {"tenant": TENANT}
        body = {"direction": direction, "kind": kind, **whose, **limit, **more}
        return self.client.put("/admin/faults", json=body)

    def set(self, kind: str, direction: str = "out", **more: Any) -> None:
        """Set a fault, which has to be possible."""
        answer = self.put(kind, direction, **more)
        assert answer.status_code == 200, answer.get_json()

    def fault(self) -> dict[str, Any]:
        """Return the only fault that is set."""
        (fault,) = self.client.get("/admin/faults").get_json()["faults"]
        shown: dict[str, Any] = fault
        return shown

    def messages(self, problem: Problem) -> list[dict[str, Any]]:
        """Return the messages about a problem, as they are stored."""
        problem_id = self.stored(problem.id, problem.tenant).id
        rows = self.services.store.read(lambda uow: LaneRepository(uow).messages_of(problem_id))
        return [row for row in rows if "reasonCode" in row["body"]]

    def states(self, problem: Problem) -> list[str]:
        """Return what has become of the KCIs about a problem."""
        return [row["state"] for row in self.messages(problem)]

    def _executor(self) -> LaneDelivery:
        services = self.services

        def taken(uow: UnitOfWork, message: Message, _reply: Reply) -> None:
            told = DeliveredKci(message.problem_id, message.kind, message.subject)
            kci_delivered(services, uow, told)

        policy = RetryPolicy((timedelta(seconds=WAIT),), 0, timedelta(hours=1), timedelta(hours=72))
        gateway = Destination(GATEWAY, self._transport, policy, on_delivered=taken)
        return LaneDelivery(gateway, services.store, services.machine, services.id_source, LEASE)


def numbers(sink: Sink) -> list[int]:
    """Return the numbers of the KCIs that came, in order."""
    return [json.loads(kci.body)["sequenceNumber"] for kci in sink.kcis]


@pytest.fixture
def faulty(
    app: Flask,
    client: FlaskClient,
    clocks: Clocks,
    sink: Sink,
) -> Faulty:
    """Return the supplier in front of that gateway."""
    return Faulty(app, client, clocks, sink.url)


@pytest.fixture
def chain(settings: Settings, tmp_path: Path) -> Iterator[Chain]:
    """Yield the supplier behind the sandbox gateway, in front of a tenant."""
    # Its server goes by the host's monotonic time, which those of the session may have overtaken.
    clocks = machine, business, all_clocks = manual_clocks()
    with ExitStack() as stack:
        app = create_app(settings, all_clocks)
        stack.callback(app.extensions["services"].store.close)
        url = listening(app, stack)
        ours = SupplierOfSandbox(
            name="DUMMY_SUPPLIER",
            client_id="supplier",
            client_secret="supplier-secret",
            url=url,
            token_url=f"{url}/oauth2/token",
            gateway_client_id="gateway",
            gateway_client_secret="gateway-secret",
        )
        config = SandboxConfig(
            database_url=f"sqlite:///{tmp_path}/sandbox.db",
            tenants=(
                TenantAccount(TENANT, "tenant", "tenant-secret"),
                TenantAccount("TENANT2", "tenant2", "tenant2-secret"),
            ),
            suppliers=(ours,),
        )
        gateway = create_gateway(config, machine, SeededIdSource(2), business_clock=business)
        stack.callback(gateway.extensions["sandbox"].close)
        supplier = Faulty(app, app.test_client(), clocks, listening(gateway, stack))
        yield Chain(gateway, supplier)
