"""A sandbox gateway with a tenant in front of it and a supplier behind it."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from supplier_api.clock import ManualMachineClock, to_wire
from supplier_api.ids import SeededIdSource
from supplier_api.sandbox.gateway import (
    AdminAccount,
    SandboxConfig,
    SandboxGateway,
    Sender,
    SupplierAccount,
    TenantAccount,
    create_app,
)
from tests.integration.sandbox.gateway.supplier_stub import SupplierStub

Document = dict[str, Any]

# The example request of *tenant-create*.
TENANT_PROBLEM: Document = {
    "externalIdentifier": "DS-2345432345345",
    "problemType": "PERFORMANCE",
    "problemText": "The service keeps dropping between 6pm and 9pm every evening.",
    "address": {
        "id": "A00000031882",
        "type": "NAD",
        "additionalIdentifiers": [{"id": "A00000031882", "type": "NAD"}],
    },
    "supplier": "DUMMY_SUPPLIER",
    "serviceTestId": 123,
    "characteristics": [{"name": "string", "value": "string"}],
    "primaryContact": {
        "name": "John Smith",
        "email": "john@smith.com",
        "phoneNumber": "01234 567890",
    },
    "secondaryContact": {
        "name": "John Smith",
        "email": "john@smith.com",
        "phoneNumber": "01234 567890",
    },
    "appointmentReservationId": 345,
    "parentServiceProblemId": 2443435345,
    "hazards": "Hazardous materials stored on site",
    "onSiteRestrictions": "Restricted access",
    "notes": "Lorem ipsum dolor sit amet...",
}
HEADERS = {"X-Request-ID": "request-1", "X-Conversation-ID": "conversation-1"}


@dataclass
class Party:
    """A tenant or a supplier with a token, in front of one of the gateway's faces."""

    http: FlaskClient
    token: str

    def post(self, path: str, document: Any, **headers: str) -> TestResponse:
        return self.http.post(path, json=document, headers=self.headers | headers)

    def get(self, path: str) -> TestResponse:
        return self.http.get(path, headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        return HEADERS | {"Authorization": f"Bearer {self.token}"}

    def problem(self, problem_id: int = 1) -> Document:
        shown = self.get(f"/service-problems/{problem_id}")
        assert shown.status_code == 200
        document: Document = shown.get_json()
        return document


MakeApp = Callable[..., Flask]


@pytest.fixture(scope="module")
def listening_supplier() -> Iterator[SupplierStub]:
    # Werkzeug's server tells each request otherwise.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    stub = SupplierStub()
    stop = stub.start()
    yield stub
    stop()


@pytest.fixture
def supplier_stub(listening_supplier: SupplierStub) -> SupplierStub:
    """Give a supplier that knows nothing of earlier tests."""
    for memory in (
        listening_supplier.answers,
        listening_supplier.tokens,
        listening_supplier.seen,
        listening_supplier.token_requests,
        listening_supplier.documents,
    ):
        memory.clear()
    return listening_supplier


@pytest.fixture
def config(tmp_path: Path, supplier_stub: SupplierStub) -> SandboxConfig:
    def supplier(name: str, client_id: str) -> SupplierAccount:
        return SupplierAccount(
            name=name,
            client_id=client_id,
            client_secret=f"{client_id}-secret",
            url=supplier_stub.url,
            token_url=f"{supplier_stub.url}/oauth2/token",
            gateway_client_id="gateway",
            gateway_client_secret="gateway-secret",
        )

    return SandboxConfig(
        database_url=f"sqlite:///{tmp_path}/sandbox.db",
        tenants=(
            TenantAccount("TENANT1", "tenant", "tenant-secret"),
            TenantAccount("TENANT2", "tenant2", "tenant2-secret"),
        ),
        suppliers=(supplier("DUMMY_SUPPLIER", "supplier"), supplier("OTHER_SUPPLIER", "other")),
        admins=(AdminAccount("admin", "admin", "admin-secret"),),
    )


@pytest.fixture
def make_app(config: SandboxConfig, clock: ManualMachineClock) -> Iterator[MakeApp]:
    """Give what starts a gateway on the test's file; once more is a restart."""
    gateways: list[SandboxGateway] = []

    def make(settings: SandboxConfig = config) -> Flask:
        app = create_app(settings, clock, SeededIdSource(len(gateways)))
        gateways.append(app.extensions["sandbox"])
        return app

    yield make
    for gateway in gateways:
        gateway.close()


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app()


@pytest.fixture
def http(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def sender(app: Flask) -> Sender:
    gateway: SandboxGateway = app.extensions["sandbox"]
    return gateway.sender


def token_for(http: FlaskClient, side: str, client_id: str) -> str:
    answer = http.post(
        f"/auth/{side}/access-token",
        data={"grant_type": "client_credentials"},
        auth=(client_id, f"{client_id}-secret"),
    )
    token: str = answer.get_json()["access_token"]
    return token


@pytest.fixture
def tenant(http: FlaskClient) -> Party:
    return Party(http, token_for(http, "tenant", "tenant"))


@pytest.fixture
def supplier(http: FlaskClient) -> Party:
    return Party(http, token_for(http, "supplier", "supplier"))


@pytest.fixture
def raised(tenant: Party, sender: Sender) -> Document:
    """Give a problem, id 1, that the supplier has answered 201 ACKNOWLEDGED."""
    assert tenant.post("/service-problems", TENANT_PROBLEM).status_code == 201
    sender.run_due()
    return tenant.problem()


@dataclass
class KciMaker:
    """Makes KCIs about problem 1."""

    clock: ManualMachineClock

    def __call__(
        self, number: int, reason: str = "UPDATE", status: str = "ACKNOWLEDGED", **more: Any
    ) -> Document:
        return {
            "id": str(uuid4()),
            "sequenceNumber": number,
            "issuedOn": to_wire(self.clock.now()),
            "reasonCode": reason,
            "serviceProblem": {
                "id": 1,
                "status": status,
                "supplierReference": "SP_7K2M9QX4",
                "problemType": "PERFORMANCE",
                "problemText": TENANT_PROBLEM["problemText"],
                "serviceId": "SI0000000000123",
                "serviceSpecification": {"id": "ftthl2r", "name": "FTTH"},
                "characteristics": TENANT_PROBLEM["characteristics"],
                "primaryContact": TENANT_PROBLEM["primaryContact"],
                "notes": TENANT_PROBLEM["notes"],
            },
            **more,
        }


@pytest.fixture
def kci(clock: ManualMachineClock) -> KciMaker:
    return KciMaker(clock)
