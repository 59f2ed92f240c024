"""The whole chain in one process: a tenant, the sandbox gateway, the supplier, its back office.

The gateway calls the supplier over a real connection; the supplier's updates are handed to the
gateway's own door. Time moves only when told to, so nothing is ever waited for.
"""

import itertools
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from supplier_api.app.destinations import load_back_office
from supplier_api.app.web import create_app
from supplier_api.cli.sandbox import sandbox_config
from supplier_api.db import UnitOfWork, migrate
from supplier_api.delivery.model import Destination, Lease, Meaning, Reply, RetryPolicy
from supplier_api.delivery.transports import BackOfficeTransport
from supplier_api.ids import SeededIdSource
from supplier_api.outbox.model import Claim, Message
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.delivered_kcis import DeliveredKci, kci_delivered
from supplier_api.problems.incidents import Incidents
from supplier_api.problems.services import BACK_OFFICE, GATEWAY, Services
from supplier_api.problems.timers import DueTimerHandlers
from supplier_api.problems.work import OrderAnswer, WorkOrder
from supplier_api.sandbox.gateway import SandboxGateway
from supplier_api.sandbox.gateway import create_app as create_gateway
from supplier_api.settings import Settings, load_settings
from tests.delivering import LaneDelivery
from tests.supplier import manual_clocks

LEASE = 3600.0
POLICY = RetryPolicy((timedelta(seconds=5),), 0, timedelta(hours=1), timedelta(hours=72))
# What is due later than this is no step of a scenario but the closure by silence.
SOON = timedelta(days=1)
PROBLEM: dict[str, Any] = {
    "problemType": "STABILITY",
    "problemText": "The service keeps dropping between 6pm and 9pm every evening.",
    "supplier": "DUMMY_SUPPLIER",
    "characteristics": [{"name": "SERVICE_HAS_WORKED", "value": "false"}],
    "primaryContact": {"name": "John Smith", "phoneNumber": "01234 567890"},
    "notes": "Ring twice.",
}
Document = dict[str, Any]


class Caller:
    """Somebody who calls the gateway: its tenant, or its supplier."""

    def __init__(self, http: FlaskClient, side: str) -> None:
        self._http = http
        self._side = side
        self._ids = itertools.count(1)

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Document:
        """Return what is answered, which has to be good."""
        answer = self._http.open(
            path,
            method=method,
            json=body,
            headers={
                "Authorization": f"Bearer {self._token()}",
                "X-Request-ID": f"request-{next(self._ids)}",
                "X-Conversation-ID": "conversation-1",
                **(headers or {}),
            },
        )
        assert 200 <= answer.status_code < 300, answer.text
        shown: Document = answer.get_json() if answer.data else {}
        return shown

    def _token(self) -> str:
        answer = self._http.post(
            f"/auth/{self._side}/access-token",
            data={"grant_type": "client_credentials"},
            auth=(self._side, f"{self._side}-secret"),
        )
        return str(answer.get_json()["access_token"])


class ToGateway(Caller):
    """Hands the supplier's updates to the gateway, which has to take every one."""

    def send(self, message: Message, seconds: float) -> Reply:  # noqa: ARG002 - the port's
        """Hand it over."""
        self.call("POST", "/kcis", json.loads(message.body))
        return Reply(Meaning.ACCEPTED, "204", 204)


class Chain:
    """A tenant in front of it all. `wait` lets everything happen that is going to."""

    def __init__(self, settings: Settings) -> None:
        """Make supplier and gateway; `supplier` has to listen at the settings' port."""
        self._machine, self._business, clocks = manual_clocks()
        self.supplier: Flask = create_app(settings, clocks)
        self._services: Services = self.supplier.extensions["services"]
        gateway = create_gateway(
            sandbox_config(settings),
            self._machine,
            SeededIdSource(2),
            business_clock=self._business,
        )
        self._gateway: SandboxGateway = gateway.extensions["sandbox"]
        self._tenant = Caller(gateway.test_client(), "tenant")
        self._serial = itertools.count(1)
        self._progress = BackOfficeEvents(self._services)
        self._timers = DueTimerHandlers(self._services, self._progress, Incidents(self._services))
        adapter = BackOfficeTransport(load_back_office(settings, self._services.store))
        self._carriers = {
            each.name: self._executor(each)
            for each in (
                Destination(BACK_OFFICE, adapter, POLICY, on_delivered=self._answered),
                Destination(
                    GATEWAY,
                    ToGateway(gateway.test_client(), "supplier"),
                    POLICY,
                    on_delivered=self._taken,
                ),
            )
        }

    def close(self) -> None:
        """Give back what is open."""
        self._gateway.close()
        self._services.store.close()

    # -- the tenant

    def raise_problem(self, headers: Mapping[str, str] | None = None, **changes: Any) -> int:
        """Raise a problem on a service of its own; return the gateway's id."""
        body = {**PROBLEM, "serviceTestId": 1000 + next(self._serial), **changes}
        return int(self._tenant.call("POST", "/service-problems", body, headers)["id"])

    def amend(self, problem: int, headers: Mapping[str, str] | None = None, **fields: Any) -> None:
        """Ask for these fields to be amended."""
        body = {"serviceProblemId": problem, **fields}
        self._tenant.call("POST", "/service-problem-amendments", body, headers)

    def cancel(self, problem: int, headers: Mapping[str, str] | None = None) -> None:
        """Ask for the problem to be cancelled."""
        body = {"serviceProblemId": problem, "reasonCode": "OTHER"}
        self._tenant.call("POST", "/service-problem-cancellations", body, headers)

    def shown(self, problem: int) -> Document:
        """Return the problem as the tenant is shown it."""
        return self._tenant.call("GET", f"/service-problems/{problem}")

    # -- time

    def send(self) -> None:
        """Let the gateway pass on what it was asked, and no time go by."""
        self._gateway.sender.run_due()

    def wait(self) -> float:
        """Let everything happen that follows within days; return the seconds it took."""
        began = self._business.now("")
        for _ in range(1000):
            self.send()
            self._machine.advance(1)  # a KCI stays a moment behind the answer it follows
            self._carry(BACK_OFFICE)
            self._timers.run_due()
            self._carry(GATEWAY)
            due = self._timers.next_due()
            if due is None or due > self._machine.now() + SOON:
                return (self._business.now("") - began).total_seconds()
            self._business.advance(max(0.0, (due - self._machine.now()).total_seconds()))
        raise AssertionError("it never comes to rest")

    # -- the supplier's worker

    def _carry(self, destination: str) -> None:
        now = self._machine.now()
        until = now + timedelta(seconds=LEASE)

        def claim(uow: UnitOfWork) -> list[Claim]:
            return LaneRepository(uow).claim(destination, "test", now, until, limit=100, failed=100)

        for claimed in self._services.store.write(claim):
            self._carriers[destination].deliver_lane(
                Lease(claimed, self._machine.monotonic() + LEASE)
            )

    def _executor(self, destination: Destination) -> LaneDelivery:
        services = self._services
        return LaneDelivery(
            destination, services.store, services.machine, services.id_source, LEASE
        )

    def _taken(self, uow: UnitOfWork, message: Message, _reply: Reply) -> None:
        told = DeliveredKci(message.problem_id, message.kind, message.subject)
        kci_delivered(self._services, uow, told)

    def _answered(self, uow: UnitOfWork, message: Message, reply: Reply) -> None:
        assert isinstance(reply.answer, OrderAnswer)
        order = WorkOrder.from_body(message.uuid, message.body)
        self._progress.order_answered(uow, message.problem_id, order, reply.answer)


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Chain]:
    """Yield a chain whose data is in `folder`; `settings` are the environment's."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it tells each request otherwise
    # The port is known before the application is: the gateway's settings name it.
    server = make_server("127.0.0.1", 0, _not_yet, threaded=True)
    made = load_settings(
        {
            "SUPPLIER_API_DATA_DIR": str(folder),
            "SUPPLIER_API__SERVER__PORT": str(server.port),
            **settings,
        }
    )
    migrate.upgrade(made.database.url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    with closing(Chain(made)) as chain:
        server.app = chain.supplier
        thread.start()
        yield chain
        server.shutdown()
        thread.join()
    server.server_close()


def _not_yet(_environ: object, _start: object) -> list[bytes]:
    raise AssertionError("called before it was made")
