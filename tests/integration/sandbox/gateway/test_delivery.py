"""Updates on their way to a tenant's own URL."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from structlog.testing import capture_logs

from supplier_api.clock import ManualMachineClock
from supplier_api.sandbox.gateway import SandboxConfig, SandboxGateway, Sender, WebhookSender
from tests.integration.sandbox.gateway.conftest import (
    TENANT_PROBLEM,
    KciMaker,
    MakeApp,
    Party,
    token_for,
)
from tests.integration.sandbox.gateway.supplier_stub import SupplierStub, answer

Document = dict[str, Any]


@pytest.fixture(scope="module")
def listening_tenant() -> Iterator[SupplierStub]:
    stub = SupplierStub()
    stop = stub.start()
    yield stub
    stop()


@pytest.fixture
def own_url(listening_tenant: SupplierStub) -> SupplierStub:
    """Give what listens at the tenant's own URL and takes everything."""
    listening_tenant.answers.clear()
    listening_tenant.seen.clear()
    return listening_tenant


@pytest.fixture
def config(config: SandboxConfig, own_url: SupplierStub) -> SandboxConfig:
    with_url = replace(config.tenants[0], url=f"{own_url.url}/updates")
    return replace(config, tenants=(with_url, *config.tenants[1:]))


@pytest.fixture
def webhook_sender(app: Flask) -> WebhookSender:
    gateway: SandboxGateway = app.extensions["sandbox"]
    return gateway.webhook_sender


def statuses(problem: Document) -> list[str]:
    return [update["deliveryStatus"] for update in problem["updates"]]


@pytest.mark.usefixtures("raised")
def test_an_update_is_delivered_with_its_problem(
    tenant: Party,
    supplier: Party,
    webhook_sender: WebhookSender,
    own_url: SupplierStub,
    kci: KciMaker,
    clock: ManualMachineClock,
) -> None:
    supplier.post("/kcis", kci(1, "DELAY", "HELD", problemCode="OTHER"))
    clock.advance(2)
    before = tenant.problem()
    assert statuses(before) == ["PENDING", "PENDING"]
    webhook_sender.run_due()

    shown = tenant.problem()
    assert statuses(shown) == ["DELIVERED", "DELIVERED"]
    assert shown["updates"][1]["deliveredOn"] == "2026-01-05T12:00:02.000Z"
    heard = own_url.last
    assert (heard.method, heard.path) == ("POST", "/updates/kcis")
    assert heard.headers["X-Conversation-Id"] == "conversation-1"
    assert heard.headers["X-Request-Id"] != own_url.seen[0].headers["X-Request-Id"]
    sent = heard.document
    about = sent.pop("serviceProblem")
    assert about == {name: value for name, value in before.items() if name != "updates"}
    assert sent | {"deliveryStatus": "PENDING"} == before["updates"][1]


@pytest.mark.usefixtures("raised")
def test_what_is_delivered_is_not_delivered_again(
    webhook_sender: WebhookSender, own_url: SupplierStub, make_app: MakeApp
) -> None:
    webhook_sender.run_due()
    webhook_sender.run_due()
    restarted: SandboxGateway = make_app().extensions["sandbox"]
    restarted.webhook_sender.run_due()
    assert len(own_url.seen) == 1


@pytest.mark.usefixtures("raised")
def test_a_tenant_that_fails_is_tried_again_later_and_in_order(
    tenant: Party,
    supplier: Party,
    webhook_sender: WebhookSender,
    own_url: SupplierStub,
    kci: KciMaker,
    clock: ManualMachineClock,
) -> None:
    supplier.post("/kcis", kci(1))
    own_url.answers += [lambda _: answer(503)] * 3
    for wait in (0.0, 1.0, 5.0):
        clock.advance(wait)
        with capture_logs() as lines:
            webhook_sender.run_due()
            webhook_sender.run_due()  # it is not time yet
        (line,) = lines
        assert line["code"] == "TENANT_FAULT"
        assert line["failure"] == "503"
    assert statuses(tenant.problem()) == ["PENDING", "PENDING"]
    assert len({seen.document["id"] for seen in own_url.seen}) == 1

    clock.advance(29.9)
    webhook_sender.run_due()
    assert len(own_url.seen) == 3
    clock.advance(0.1)
    webhook_sender.run_due()
    assert statuses(tenant.problem()) == ["DELIVERED", "DELIVERED"]
    assert [seen.document.get("sequenceNumber") for seen in own_url.seen[3:]] == [None, 1]


@pytest.mark.usefixtures("raised")
def test_problems_do_not_wait_for_each_other(
    tenant: Party, sender: Sender, webhook_sender: WebhookSender, own_url: SupplierStub
) -> None:
    own_url.answers.append(lambda _: answer(400))
    webhook_sender.run_due()
    tenant.post("/service-problems", TENANT_PROBLEM)
    sender.run_due()
    webhook_sender.run_due()
    assert statuses(tenant.problem(1)) == ["PENDING"]
    assert statuses(tenant.problem(2)) == ["DELIVERED"]


@pytest.mark.usefixtures("raised")
def test_a_redirect_is_no_delivery(
    tenant: Party, webhook_sender: WebhookSender, own_url: SupplierStub
) -> None:
    redirect = answer(302)
    redirect.headers["Location"] = f"{own_url.url}/elsewhere"
    own_url.answers.append(lambda _: redirect)
    webhook_sender.run_due()
    assert statuses(tenant.problem()) == ["PENDING"]
    assert len(own_url.seen) == 1


def test_a_tenant_without_a_url_is_not_called(
    tenant: Party, sender: Sender, webhook_sender: WebhookSender, own_url: SupplierStub
) -> None:
    other = Party(tenant.http, token_for(tenant.http, "tenant", "tenant2"))
    other.post("/service-problems", TENANT_PROBLEM)
    sender.run_due()
    webhook_sender.run_due()
    assert own_url.seen == []
    assert statuses(other.problem()) == ["PENDING"]
