"""The whole chain: tenant, gateway, the real supplier over loopback, its KCIs back again."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask

from supplier_api.app.services import ClockPair
from supplier_api.app.web import create_app
from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.contract import field_table
from supplier_api.contract.field_table import AMENDED_BY_TENANT, FROM_TENANT, PROBLEM
from supplier_api.db import UnitOfWork
from supplier_api.delivery.answers import AnswerTerms
from supplier_api.delivery.model import Destination, Reply, RetryPolicy
from supplier_api.delivery.transports import GatewayAddress, GatewayTransport
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.ids import SeededIdSource
from supplier_api.outbox.model import Message
from supplier_api.problems.delivered_kcis import DeliveredKci, kci_delivered
from supplier_api.problems.services import GATEWAY
from supplier_api.sandbox.gateway import SandboxConfig, SandboxGateway, TenantAccount
from supplier_api.sandbox.gateway import create_app as create_gateway
from supplier_api.sandbox.gateway.messages import TENANT_PROBLEM_FIELDS
from supplier_api.sandbox.gateway.repository import Records
from supplier_api.settings import Settings
from tests import documents
from tests.delivering import LaneDelivery
from tests.field_examples import examples_of
from tests.integration.sandbox.gateway.conftest import TENANT_PROBLEM, Party, token_for
from tests.integration.sandbox.gateway.tenant_schema import check
from tests.serving import served, url_of
from tests.supplier import DEFERRED, LEASE, REPAIRED, Supplier, on_sqlite

Document = dict[str, Any]
# Suppliers are told less of these than tenants tell.
NARROWED = {"serviceSpecification", "address"}
REQUIRED_OF_TENANTS = [name for name, field in TENANT_PROBLEM_FIELDS.items() if field.required]
# What the published list shows of an amendment.
AMENDABLE = (
    "problemText",
    "characteristics",
    "hazards",
    "onSiteRestrictions",
    "notes",
    "primaryContact",
    "secondaryContact",
    "appointmentReservationId",
)

pytestmark = on_sqlite


def listening(app: Flask, stack: ExitStack) -> str:
    """Serve an application until the stack is closed; return its URL."""
    return url_of(stack.enter_context(served(app)))


class Chain:
    """A gateway and the supplier behind it; nothing moves until it is told to."""

    def __init__(self, gateway: Flask, supplier: Supplier) -> None:
        self._http = gateway.test_client()
        self._gateway: SandboxGateway = gateway.extensions["sandbox"]
        self.supplier = supplier
        self.party = self.tenant("tenant")

    def tenant(self, client_id: str) -> Party:
        self.party = Party(self._http, token_for(self._http, "tenant", client_id))
        return self.party

    @property
    def problem(self) -> Document:
        """The problem as its tenant sees it, which must be as it is published."""
        shown = self.party.problem()
        check(shown)
        return shown

    def ask(self, path: str, body: Document) -> Document:
        """Ask for something, and let the gateway send it and the supplier's KCIs come."""
        asked = self.party.post(path, body)
        assert asked.status_code == 201, asked.get_json()
        self.settle()
        document: Document = asked.get_json()
        return document

    def answer(self, resolution_id: int, **body: str) -> None:
        """Answer a resolution, and let that have its effect."""
        path = f"/service-problem-resolutions/{resolution_id}"
        answered = self._http.patch(path, json=body, headers=self.party.headers)
        assert answered.status_code == 200, answered.get_json()
        self.settle()

    def event(self, name: str, **fields: Any) -> None:
        """Say an event as the back office, and let its KCIs come."""
        said = self.supplier.event(1, name, **fields)
        assert said.status_code == 200, said.get_json()
        self.settle()

    def settle(self) -> None:
        """Send what waits at the gateway, then deliver what waits at the supplier."""
        self._gateway.sender.run_due()
        self.supplier.deliver()

    def deliver_updates(self) -> None:
        """Let the tenant's own URL have taken every update."""

        def work(records: Records) -> None:
            for update in records.updates(1):
                records.mark_delivered(update.id, "2026-01-05T12:00:00.000Z")

        self._gateway.services.write(work)

    def told(self) -> list[str]:
        """Return what each update says, the supplier's with their numbers."""
        return [told(update) for update in self.problem["updates"]]


def told(update: Document) -> str:
    said = update.get("information") or update.get("action") or update["error"]
    number = f"{update['sequenceNumber']} " if "sequenceNumber" in update else ""
    return number + str(said.get("type", said.get("code")))


class OverHttp(Supplier):
    """The supplier, whose KCIs go to a gateway over HTTP."""

    gateway = ""

    def _executor(self) -> LaneDelivery:
        services = self.services
        address = GatewayAddress(
            kci_url=f"{self.gateway}/kcis",
            token_url=f"{self.gateway}/auth/supplier/access-token",
            client_id="supplier",
            client_secret="supplier-secret",
            answers=AnswerTerms(re.compile("never")),
        )
        watchdog = Watchdog(services.machine)
        transport = GatewayTransport(
            address, Sessions(), watchdog, services.machine, services.id_source
        )

        def taken(uow: UnitOfWork, message: Message, _reply: Reply) -> None:
            told = DeliveredKci(message.problem_id, message.kind, message.subject)
            kci_delivered(services, uow, told)

        policy = RetryPolicy((timedelta(seconds=5),), 0, timedelta(hours=1), timedelta(hours=72))
        gateway = Destination(GATEWAY, transport, policy, on_delivered=taken)
        return LaneDelivery(gateway, services.store, services.machine, services.id_source, LEASE)


@pytest.fixture
def chain(
    settings: Settings,
    clocks: tuple[ManualMachineClock, ManualBusinessClock, ClockPair],
    config: SandboxConfig,
) -> Iterator[Chain]:
    """Give the chain, its clocks standing still."""
    machine, business, all_clocks = clocks
    with ExitStack() as stack:
        app = create_app(settings, all_clocks)
        stack.callback(app.extensions["services"].store.close)
        supplier = OverHttp(app, app.test_client(), machine, business)
        url = listening(app, stack)
        ours = replace(config.suppliers[0], url=url, token_url=f"{url}/oauth2/token")
        tenants = (*config.tenants, TenantAccount(DEFERRED, "deferred", "deferred-secret"))
        gateway = create_gateway(
            replace(config, tenants=tenants, suppliers=(ours,)),
            machine,
            SeededIdSource(2),
            business_clock=business,
        )
        stack.callback(gateway.extensions["sandbox"].close)
        supplier.gateway = listening(gateway, stack)
        yield Chain(gateway, supplier)


def amendment(**fields: Any) -> tuple[str, Document]:
    return "/service-problem-amendments", {"serviceProblemId": 1, **fields}


def cancellation() -> tuple[str, Document]:
    body = {"serviceProblemId": 1, "reasonCode": "ISSUE_RESOLVED", "text": "It works again."}
    return "/service-problem-cancellations", body


def resolution(problem: Document) -> Document:
    """Return the resolution of the last update that has one."""
    shown = [each for each in problem["updates"] if "serviceProblemResolution" in each]
    document: Document = shown[-1]["serviceProblemResolution"]
    return document


def test_a_supplier_that_decides_everything_later(chain: Chain) -> None:
    chain.tenant("deferred")
    chain.ask("/service-problems", TENANT_PROBLEM)
    assert chain.problem["status"] == "SENT_TO_SUPPLIER"
    chain.event("accept", commit=True)
    chain.event("ask-information", text="Which light blinks?", problemCode="INFORMATION_REQUIRED")
    assert chain.problem["status"] == "PENDING"
    contact = {"name": "Mary", "phoneNumber": "01234 000000"}
    chain.ask(*amendment(notes="The red one", escalationRequest=True, secondaryContact=contact))
    assert chain.problem["status"] == "PENDING_AMENDMENT"
    chain.event("accept-change", changeReference="1")
    assert chain.problem["notes"] == "The red one"
    chain.ask(*cancellation())
    assert chain.problem["status"] == "PENDING_CANCELLATION"
    chain.event(
        "reject-change",
        changeReference="2",
        text="The engineer is at the door.",
        problemCode="OTHER",
        supplierCodes=["313"],
    )
    chain.event("note", note={"note": "Opened the cabinet.", "type": "Engineer Note"})
    chain.event("resolve", resolution=REPAIRED | {"slaViolation": ["EXCEEDED_SLA"]})
    assert chain.problem["status"] == "RESOLVED"
    chain.answer(1, status="REJECTED", tenantNotes="It is not.")
    assert chain.problem["status"] == "IN_PROGRESS"
    chain.event("resolve", resolution=REPAIRED)
    chain.answer(2, status="ACCEPTED")

    shown = chain.problem
    assert shown["status"] == "COMPLETED"
    assert shown["supplierIdentifier"] == chain.supplier.stored(1, DEFERRED).reference
    assert chain.told() == [
        "1 ACKNOWLEDGED",
        "2 COMMITTED",
        "3 INFORMATION_REQUIRED",
        "4 AMENDED",
        "5 RESUBMIT",
        "6 UPDATE",
        "7 CONFIRM",
        "8 RESUMED",
        "9 CONFIRM",
        "10 COMPLETED",
    ]
    by_number = {update["sequenceNumber"]: update for update in shown["updates"]}
    assert by_number[4]["serviceProblemAmendment"]["escalationRequest"] is True
    assert by_number[4]["serviceProblemAmendment"]["status"] == "COMPLETED"
    assert by_number[5]["serviceProblemCancellation"]["status"] == "REJECTED"
    assert by_number[5]["action"]["supplierCodes"] == ["313"]
    assert by_number[7]["serviceProblemResolution"]["status"] == "REJECTED"
    assert by_number[7]["serviceProblemResolution"]["tenantNotes"] == "It is not."
    assert resolution(shown)["status"] == "ACCEPTED"
    assert "closedDate" in resolution(shown)


def paths(shown: Any, path: str = "") -> set[str]:
    """Return the path of every field that has a value, as the documents write them."""
    if isinstance(shown, list):
        return set().union(*(paths(each, path) for each in shown)) if shown else set()
    if not isinstance(shown, dict):
        return set()
    found: set[str] = set()
    for name, value in shown.items():
        here = f"{path}.{name}" if path else name
        if value not in (None, "", [], {}):
            found |= {here} | paths(value, here)
    return found


def test_every_field_of_the_published_list_is_seen_with_a_value(chain: Chain) -> None:
    chain.tenant("deferred")
    chain.ask("/service-problems", TENANT_PROBLEM)
    chain.event("accept", commit=True)
    chain.event("warn", text="Rain.", problemCode="ACCESS_ISSUE", supplierCodes=["R9", "313"])
    chain.event("note", note={"note": "Opened the cabinet.", "type": "Engineer Note"})
    sent = {name: TENANT_PROBLEM[name] for name in AMENDABLE}
    chain.ask(*amendment(**sent))
    chain.ask(*amendment(notes="One at a time."))  # refused: the first is not decided
    chain.event("accept-change", changeReference="1")
    chain.ask(*cancellation())
    chain.event(
        "reject-change",
        changeReference="3",
        text="The engineer is at the door.",
        problemCode="OTHER",
        supplierCodes=["313"],
    )
    chain.event("resolve", resolution=REPAIRED | {"slaViolation": ["EXCEEDED_SLA"]})
    chain.answer(1, status="ACCEPTED", tenantNotes="It works.")
    chain.deliver_updates()

    shown = chain.problem
    seen = paths(shown)
    listed = {field.name for field in documents.read("tenant-get") if field.part == "200"}
    assert listed - seen == set()
    warning = next(
        each["information"]
        for each in shown["updates"]
        if each.get("information", {}).get("type") == "WARNING"
    )
    assert (warning["supplierCodes"], warning["supplierCode"]) == (["R9", "313"], "R9")
    rejected = next(
        each["action"] for each in shown["updates"] if each.get("action", {}).get("supplierCodes")
    )
    assert rejected["supplierCode"] == "313"


def test_every_field_of_the_table_goes_to_the_supplier_and_back(chain: Chain) -> None:
    sent = examples_of(PROBLEM, FROM_TENANT) | TENANT_PROBLEM | {"serviceId": "SI0000000000123"}
    chain.ask("/service-problems", sent)
    stored = chain.supplier.stored(1).document
    assert stored.keys() == PROBLEM.keys() - {"parentServiceProblemReference"}  # none is known
    assert {name: stored[name] for name in FROM_TENANT if name not in NARROWED} == {
        name: sent[name] for name in FROM_TENANT if name not in NARROWED
    }
    assert chain.problem.keys() >= set(FROM_TENANT)


def test_every_field_that_may_be_amended_is_amended_on_both_sides(chain: Chain) -> None:
    chain.tenant("deferred")
    plain = {name: TENANT_PROBLEM[name] for name in REQUIRED_OF_TENANTS}
    chain.ask("/service-problems", plain)
    chain.event("accept", commit=True)
    supplied = examples_of(field_table.AMENDABLE, AMENDED_BY_TENANT)
    chain.ask(*amendment(**supplied))
    chain.event("accept-change", changeReference="1")
    stored, shown = chain.supplier.stored(1, DEFERRED).document, chain.problem
    told = next(
        each["serviceProblemAmendment"]
        for each in shown["updates"]
        if "serviceProblemAmendment" in each
    )
    assert {name: told[name] for name in AMENDED_BY_TENANT} == supplied
    kept = supplied.keys() & PROBLEM.keys() - {"characteristics"}  # which were merged
    assert {name: stored[name] for name in kept} == {name: supplied[name] for name in kept}
    assert {name: shown[name] for name in kept} == {name: supplied[name] for name in kept}
    assert supplied["characteristics"][0] in shown["characteristics"]
    assert stored["characteristics"] == shown["characteristics"]


def test_a_supplier_that_decides_at_once(chain: Chain) -> None:
    chain.ask("/service-problems", TENANT_PROBLEM)
    assert chain.problem["serviceSpecification"] == {"id": "ftthl2r", "name": "FTTH"}
    chain.event("ask-appointment", problemCode="ACCESS_ISSUE", text="Nobody was in.")
    chain.ask(*amendment(characteristics=[{"name": "24HR_ACCESS", "value": "true"}]))
    assert chain.problem["status"] == "PENDING"
    chain.ask(*amendment(appointmentReservationId=999))
    shown = chain.problem
    assert (shown["status"], shown["appointmentReservationId"]) == ("ACKNOWLEDGED", 999)
    assert {"name": "24HR_ACCESS", "value": "true"} in shown["characteristics"]
    chain.event("start")
    chain.event("resolve", resolution=REPAIRED)
    chain.ask(*cancellation())  # too late
    chain.answer(1, status="ACCEPTED")
    assert chain.told() == [
        "ACKNOWLEDGED",
        "1 REAPPOINT",
        "AMENDED",
        "AMENDED",
        "2 RESUMED",
        "3 COMMITTED",
        "4 CONFIRM",
        "INVALID_REQUEST",
        "5 COMPLETED",
    ]
    assert chain.problem["updates"][7]["serviceProblemCancellation"]["status"] == "REJECTED"


def test_a_cancellation_at_once_is_the_end(chain: Chain) -> None:
    chain.ask("/service-problems", TENANT_PROBLEM)
    chain.ask(*cancellation())
    assert chain.problem["status"] == "CANCELLED"
    assert chain.told() == ["ACKNOWLEDGED", "CANCELLED"]


def test_a_problem_can_be_cancelled_before_the_supplier_has_decided(chain: Chain) -> None:
    chain.tenant("deferred")
    chain.ask("/service-problems", TENANT_PROBLEM)
    chain.ask(*cancellation())
    assert chain.problem["status"] == "CANCELLED"
    assert chain.told() == ["CANCELLED"]


def test_an_answer_that_comes_after_the_closure_is_undone(chain: Chain) -> None:
    chain.ask("/service-problems", TENANT_PROBLEM)
    chain.event("resolve", resolution=REPAIRED)
    chain.supplier.pass_days(5)
    chain.answer(1, status="REJECTED")
    assert chain.problem["status"] == "COMPLETED"
    assert resolution(chain.problem)["status"] == "ACCEPTED"
    assert "INVALID_REQUEST" in chain.told()


def test_a_refusal_at_once(chain: Chain) -> None:
    chain.ask("/service-problems", TENANT_PROBLEM | {"serviceTestId": 1})
    assert chain.problem["status"] == "REJECTED"
    (update,) = chain.problem["updates"]
    assert "ceased" in update["error"]["messages"][0]


@pytest.mark.parametrize(
    "field",
    ["status", "serviceSpecification", "updates"],
)
def test_the_schema_can_refuse(chain: Chain, field: str) -> None:
    chain.ask("/service-problems", TENANT_PROBLEM)
    shown = chain.problem
    wrong: dict[str, Any] = {
        "status": "LOST",
        "serviceSpecification": {"id": "ftthl2r", "more": 1},
        "updates": [shown["updates"][0] | {"receivedOn": "yesterday"}],
    }
    with pytest.raises(jsonschema_rs.ValidationError):
        check(shown | {field: wrong[field]})
