"""The tenant's word on a resolution: what the supplier hears, and what is shown meanwhile."""

from typing import Any

import pytest
from werkzeug.wrappers import Response

from supplier_api.sandbox.gateway import Sender
from tests.integration.sandbox.gateway.conftest import KciMaker, Party, token_for
from tests.integration.sandbox.gateway.supplier_stub import Answer, SupplierStub, answer, error

Document = dict[str, Any]

PATH = "/service-problem-resolutions/1"
RESOLUTION: Document = {
    "supplierReference": "SP_RES_0001",
    "status": "PENDING",
    "resolvedDate": "2026-01-05T12:00:00.000Z",
    "resolutionDetails": {"resolutionCode": "NETWORK_CABLING"},
}
REJECTION: Document = {"status": "REJECTED", "tenantNotes": "Still broken"}


def settled(code: int = 200, /, **changed: Any) -> Answer:
    """Return the supplier's answer, which repeats what was asked."""
    return lambda request: answer(code, RESOLUTION | request | changed)


def patch(party: Party, body: Document, path: str = PATH) -> tuple[int, Document]:
    answered = party.http.patch(path, json=body, headers=party.headers)
    return answered.status_code, answered.get_json()


def resolution(tenant: Party) -> Document:
    """Return the resolution as the last update about it shows it."""
    shown = [each for each in tenant.problem()["updates"] if "serviceProblemResolution" in each]
    document: Document = shown[-1]["serviceProblemResolution"]
    return document


@pytest.fixture
def resolved(raised: Document, supplier: Party, kci: KciMaker) -> Document:
    """Give a problem that is RESOLVED; its resolution has the gateway's id 1."""
    sent = kci(1, "RESOLVED", "RESOLVED", serviceProblemResolution=RESOLUTION)
    assert supplier.post("/kcis", sent).status_code == 204
    return raised


@pytest.mark.usefixtures("resolved")
def test_an_answer_is_taken_sent_and_settled(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    supplier_stub.answers.append(settled())
    status, answered = patch(tenant, REJECTION)
    assert status == 200
    assert answered == {
        "id": 1,
        "serviceProblemId": 1,
        "status": "REJECTED",
        "resolvedDate": "2026-01-05T12:00:00.000Z",
        "resolutionDetails": {
            "resolutionCode": "NETWORK_CABLING",
            "resolutionCategory": "NETWORK",
        },
        "tenantNotes": "Still broken",
    }
    assert resolution(tenant) == answered
    assert len(supplier_stub.seen) == 1

    sender.run_due()
    heard = supplier_stub.last
    assert (heard.method, heard.path) == ("PATCH", "/service-problem-resolutions/SP_RES_0001")
    assert heard.document == REJECTION
    assert resolution(tenant) == answered
    assert tenant.problem()["status"] == "RESOLVED"  # until a KCI says otherwise


@pytest.mark.usefixtures("resolved")
def test_the_suppliers_words_are_shown_and_its_kci_follows(
    tenant: Party, supplier: Party, sender: Sender, supplier_stub: SupplierStub, kci: KciMaker
) -> None:
    closed = {"status": "ACCEPTED", "closedDate": "2026-01-06T12:00:00.000Z"}

    def overtake(request: Document) -> Response:
        end = kci(2, "COMPLETED", "COMPLETED", serviceProblemResolution=RESOLUTION | closed)
        assert supplier.post("/kcis", end).status_code == 204
        assert tenant.problem()["status"] == "RESOLVED"
        return settled(**closed)(request)

    supplier_stub.answers.append(overtake)
    patch(tenant, {"status": "ACCEPTED"})
    sender.run_due()
    assert tenant.problem()["status"] == "COMPLETED"
    assert resolution(tenant)["closedDate"] == "2026-01-06T12:00:00.000Z"


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize(
    ("said", "code"),
    [
        (error(422, "INVALID_REQUEST", "already"), "INVALID_REQUEST"),
        (error(400, "MALFORMED_REQUEST", "x: missing"), "MALFORMED_REQUEST"),
        (lambda _: answer(403), "NOT_AUTHORISED"),
        (lambda _: answer(503), "SUPPLIER_FAULT"),
        (lambda _: answer(200), "SUPPLIER_FAULT"),
        (settled(201), "SUPPLIER_FAULT"),
        (settled(202), "SUPPLIER_FAULT"),
        (settled(status="PENDING"), "SUPPLIER_FAULT"),
        (settled(supplierReference="SP_RES_0002"), "SUPPLIER_FAULT"),
    ],
)
def test_an_answer_that_failed_is_pending_again(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub, said: Answer, code: str
) -> None:
    before = resolution(tenant)
    supplier_stub.answers.append(said)
    patch(tenant, REJECTION)
    assert resolution(tenant)["status"] == "REJECTED"
    sender.run_due()

    assert resolution(tenant) == before
    shown = tenant.problem()
    assert shown["status"] == "RESOLVED"
    assert shown["updates"][-1]["error"]["code"] == code
    supplier_stub.answers.append(settled())
    assert patch(tenant, {"status": "ACCEPTED"})[0] == 200
    sender.run_due()
    assert resolution(tenant)["status"] == "ACCEPTED"


@pytest.mark.usefixtures("resolved")
def test_of_two_answers_the_later_is_shown_until_it_is_settled(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    supplier_stub.answers += [settled(), error(422, "INVALID_REQUEST", "already REJECTED")]
    patch(tenant, REJECTION)
    patch(tenant, {"status": "ACCEPTED"})
    assert resolution(tenant)["status"] == "ACCEPTED"
    sender.run_due()
    assert resolution(tenant)["status"] == "REJECTED"
    assert [seen.document["status"] for seen in supplier_stub.seen[1:]] == ["REJECTED", "ACCEPTED"]


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"status": None}, 400),
        ({"status": "PENDING"}, 422),
        ({"status": "accepted"}, 422),
        (REJECTION | {"tenantNotes": "x" * 1001}, 422),
    ],
)
def test_what_is_wrong_with_an_answer(tenant: Party, body: Document, status: int) -> None:
    assert patch(tenant, body)[0] == status


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize("name", ["2", "0", "one", "SP_RES_0001", "9" * 19, "1" * 30])
def test_a_resolution_that_is_not_known(tenant: Party, name: str) -> None:
    status, refused = patch(tenant, REJECTION, f"/service-problem-resolutions/{name}")
    assert (status, refused["code"]) == (422, "NOT_FOUND")


@pytest.mark.usefixtures("resolved")
def test_a_resolution_of_another_tenant_is_not_known(tenant: Party, supplier: Party) -> None:
    foreign = Party(tenant.http, token_for(tenant.http, "tenant", "tenant2"))
    status, refused = patch(foreign, REJECTION)
    assert (status, refused["code"]) == (422, "NOT_FOUND")
    forbidden = supplier.http.patch(PATH, json=REJECTION, headers=supplier.headers)
    assert forbidden.status_code == 403
