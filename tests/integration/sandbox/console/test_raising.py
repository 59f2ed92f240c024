"""What a tester does as a tenant: calls of the gateway, with its refusals."""

from typing import Any

from supplier_api.console.access import Role
from supplier_api.db.tables import operator_action
from tests.integration.sandbox.console.conftest import SandboxPages
from tests.integration.sandbox.console.tenants_gateway import TenantsGateway
from tests.supplier import Supplier

FORM = {
    "tenant": "TENANT1",
    "service_test": "1234567",
    "problem_type": "OUTAGE",
    "text": "No light at all.",
    "delay": "2",
    "scenario": "",
}


def actions(supplier: Supplier) -> list[tuple[str, str, str, Any]]:
    """Return what is in the audit trail."""
    of = operator_action.c
    query = operator_action.select().order_by(of.id)
    rows = supplier.services.store.read(lambda uow: uow.connection.execute(query).all())
    return [(row.who, row.action, row.tenant, row.detail) for row in rows]


def test_a_problem_is_raised_at_the_gateway(
    supplier: Supplier, pages: SandboxPages, gateway: TenantsGateway
) -> None:
    page = pages.done("raise", **FORM)

    assert "TENANT1 has raised service problem 7: watch it travel." in page
    [(method, path, body, headers)] = gateway.calls
    assert (method, path) == ("POST", "/service-problems")
    assert (body["serviceTestId"], body["problemType"]) == (1234567, "OUTAGE")
    assert body["problemText"] == "No light at all."
    assert headers["authorization"] == "Bearer a-token"
    assert headers["x-kci-delay"] == "2"
    assert "x-scenario" not in headers
    assert actions(supplier) == [("ann", "sandbox-raise", "TENANT1", {"id": 7, "scenario": None})]


def test_one_click_plays_a_scenario(pages: SandboxPages, gateway: TenantsGateway) -> None:
    assert 'value="SERVICE_PROBLEM_DELAYED"' in pages.html("")

    pages.done("raise", **{**FORM, "scenario": "SERVICE_PROBLEM_DELAYED"})

    assert gateway.calls[0][3]["x-scenario"] == "SERVICE_PROBLEM_DELAYED"


def test_the_gateways_refusal_is_told_in_its_words(
    supplier: Supplier, pages: SandboxPages, gateway: TenantsGateway
) -> None:
    said = {"code": "INVALID_REQUEST", "messages": ["serviceTestId: expected a number"]}
    gateway.answers.append((422, said))

    page = pages.refused(422, "raise", **{**FORM, "service_test": "x"})

    assert "the gateway answers 422 INVALID_REQUEST" in page
    assert "serviceTestId: expected a number" in page
    assert actions(supplier) == []


def test_a_tenant_amends_and_cancels(pages: SandboxPages, gateway: TenantsGateway) -> None:
    gateway.answers += [
        (201, {"id": 8, "status": "RECEIVED_BY_GATEWAY"}),
        (201, {"id": 9, "status": "RECEIVED_BY_GATEWAY"}),
    ]

    amended = pages.done("TENANT1/7/amend", notes="Green.", scenario="AMENDMENT_PENDING")
    cancelled = pages.done("TENANT1/7/cancel", reason_code="OTHER", text="Gone.")

    assert "amendment 8 is RECEIVED_BY_GATEWAY" in amended
    assert "cancellation 9 is RECEIVED_BY_GATEWAY" in cancelled
    amendment, cancellation = gateway.calls
    assert amendment[1:3] == (
        "/service-problem-amendments",
        {"serviceProblemId": 7, "notes": "Green."},
    )
    assert amendment[3]["x-scenario"] == "AMENDMENT_PENDING"
    assert cancellation[1:3] == (
        "/service-problem-cancellations",
        {"serviceProblemId": 7, "reasonCode": "OTHER", "text": "Gone."},
    )
    assert "name something to amend" in pages.refused(422, "TENANT1/7/amend")


def test_a_tenant_answers_the_resolution_that_waits(
    pages: SandboxPages, gateway: TenantsGateway
) -> None:
    refused = pages.refused(409, "TENANT1/7/answer", status="ACCEPTED")
    assert "no resolution of service problem 7 waits for you; it is RECEIVED_BY_GATEWAY" in refused

    update = {
        "sequenceNumber": 1,
        "receivedOn": "2026-01-05T12:00:00.000Z",
        "updateType": "ACTION_REQUIRED",
        "action": {"type": "CONFIRM"},
        "serviceProblemResolution": {
            "id": 5,
            "status": "PENDING",
            "resolutionDetails": {"resolutionCode": "OTHER"},
        },
    }
    gateway.problem = {"id": 7, "status": "RESOLVED", "updates": [update]}
    gateway.answers.append((200, {"id": 5, "status": "REJECTED"}))

    page = pages.done("TENANT1/7/answer", status="REJECTED", notes="It still drops.")

    assert "resolution 5 is REJECTED" in page
    assert gateway.calls[0][:3] == (
        "PATCH",
        "/service-problem-resolutions/5",
        {"status": "REJECTED", "tenantNotes": "It still drops."},
    )


def test_a_viewer_only_looks(pages: SandboxPages, gateway: TenantsGateway) -> None:
    pages.be(Role.VIEWER)

    page = pages.html("")

    assert pages.refused(403, "raise", **FORM)
    assert "<button" not in page
    assert gateway.calls == []
