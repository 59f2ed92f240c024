"""KCIs: what is taken, in which order it takes effect, and what the tenant sees of it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from supplier_api.clock import ManualMachineClock
from supplier_api.sandbox.gateway import Sender
from tests.integration.sandbox.gateway.conftest import (
    TENANT_PROBLEM,
    KciMaker,
    MakeApp,
    Party,
    token_for,
)
from tests.integration.sandbox.gateway.supplier_stub import SupplierStub, answer, error

Document = dict[str, Any]

RESOLUTION: Document = {
    "supplierReference": "SP_RES_0001",
    "status": "PENDING",
    "resolvedDate": "2026-01-05T12:00:00.000Z",
    "resolutionDetails": {"resolutionCode": "CUSTOMER_FAULT_MODEM", "faultCode": ["MODEM"]},
}


def numbers(problem: Document) -> list[int]:
    return [update["sequenceNumber"] for update in problem["updates"][1:]]


@pytest.mark.usefixtures("raised")
def test_a_kci_moves_the_problem_and_is_shown(
    tenant: Party, supplier: Party, kci: KciMaker, clock: ManualMachineClock
) -> None:
    sent = kci(1, "DELAY", "HELD", problemCode="NETWORK_ISSUE", text="Resolving network issue")
    clock.advance(5)
    taken = supplier.post("/kcis", sent)

    assert (taken.status_code, taken.data) == (204, b"")
    shown = tenant.problem()
    assert shown["status"] == "HELD"
    assert shown["updated"] == "2026-01-05T12:00:05.000Z"
    assert shown["serviceSpecification"] == {"id": "ftthl2r", "name": "FTTH"}
    update = shown["updates"][-1]
    assert update.pop("id") != sent["id"]
    assert update == {
        "supplier": "DUMMY_SUPPLIER",
        "sequenceNumber": 1,
        "issuedOn": "2026-01-05T12:00:00.000Z",
        "receivedOn": "2026-01-05T12:00:05.000Z",
        "deliveryStatus": "PENDING",
        "updateType": "INFORMATIONAL",
        "information": {
            "type": "DELAY",
            "code": "NETWORK_ISSUE",
            "text": "Resolving network issue",
        },
    }


def test_a_kci_brings_the_reference_of_a_deferred_problem(
    tenant: Party, supplier: Party, sender: Sender, supplier_stub: SupplierStub, kci: KciMaker
) -> None:
    supplier_stub.answers.append(lambda _: answer(202))
    tenant.post("/service-problems", TENANT_PROBLEM)
    sender.run_due()
    assert supplier.post("/kcis", kci(1, "ACKNOWLEDGED")).status_code == 204
    assert tenant.problem()["supplierIdentifier"] == "SP_7K2M9QX4"


@pytest.mark.usefixtures("raised")
def test_the_same_id_again_changes_nothing(tenant: Party, supplier: Party, kci: KciMaker) -> None:
    sent = kci(1)
    assert supplier.post("/kcis", sent).status_code == 204
    before = tenant.problem()
    again = sent | {"id": sent["id"].upper(), "sequenceNumber": 2}
    assert supplier.post("/kcis", again).status_code == 204
    assert tenant.problem() == before


@pytest.mark.usefixtures("raised")
def test_twins_that_arrive_together_are_taken_once(
    app: Flask, tenant: Party, supplier: Party, kci: KciMaker
) -> None:
    sent = kci(1)

    def post(_: int) -> int:
        return Party(app.test_client(), supplier.token).post("/kcis", sent).status_code

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(post, range(16))) == {204}
    assert numbers(tenant.problem()) == [1]


@pytest.mark.usefixtures("raised")
def test_a_used_number_with_a_new_id_is_refused(
    tenant: Party, supplier: Party, kci: KciMaker
) -> None:
    supplier.post("/kcis", kci(1))
    before = tenant.problem()
    refused = supplier.post("/kcis", kci(1))
    assert refused.status_code == 422
    assert refused.get_json()["code"] == "INVALID_REQUEST"
    assert tenant.problem() == before


@pytest.mark.usefixtures("raised")
@pytest.mark.parametrize(
    ("reason", "status", "more"),
    [
        ("COMPLETED", "COMPLETED", {}),
        ("CANCELLED", "CANCELLED", {"problemCode": "NO_LONGER_REQUIRED"}),
        ("REJECTED", "REJECTED", {"problemCode": "OTHER", "text": "why"}),
    ],
)
def test_nothing_comes_after_the_last_kci(
    tenant: Party, supplier: Party, kci: KciMaker, reason: str, status: str, more: Document
) -> None:
    last = kci(2, reason, status, **more)
    assert supplier.post("/kcis", last).status_code == 204
    refused = supplier.post("/kcis", kci(3))
    assert refused.status_code == 422
    assert supplier.post("/kcis", kci(1)).status_code == 204  # it was only late
    assert supplier.post("/kcis", last).status_code == 204  # a repeat
    assert tenant.problem()["status"] == status
    assert numbers(tenant.problem()) == [1, 2]


@pytest.mark.usefixtures("raised")
def test_what_stands_in_for_a_withdrawn_update_does_not_end_the_problem(
    tenant: Party, supplier: Party, kci: KciMaker
) -> None:
    withdrawn = kci(1, "ADDITIONAL", "COMPLETED", text="update 1 was withdrawn: sent by mistake")
    for sent in (withdrawn, kci(2, "RESUMED", "IN_PROGRESS"), kci(3, "COMPLETED", "COMPLETED")):
        answer = supplier.post("/kcis", sent)
        assert answer.status_code == 204, answer.text
    assert numbers(tenant.problem()) == [1, 2, 3]
    assert tenant.problem()["status"] == "COMPLETED"
    assert supplier.post("/kcis", kci(4)).status_code == 422


@pytest.mark.usefixtures("raised")
def test_a_number_that_was_given_up_is_taken_as_more_information(
    tenant: Party, supplier: Party, sender: Sender, kci: KciMaker, clock: ManualMachineClock
) -> None:
    supplier.post("/kcis", kci(2, "COMMITTED", "IN_PROGRESS"))
    clock.advance(60)
    sender.run_due()
    late = kci(1, "ADDITIONAL", "IN_PROGRESS", text="update 1 (WARNING) comes late")
    assert supplier.post("/kcis", late).status_code == 204
    told = tenant.problem()["updates"][-1]
    assert told["sequenceNumber"] == 1
    assert told["information"] == {"type": "ADDITIONAL", "text": late["text"]}


def test_nothing_comes_after_a_synchronous_refusal(
    tenant: Party, supplier: Party, sender: Sender, supplier_stub: SupplierStub, kci: KciMaker
) -> None:
    supplier_stub.answers.append(error(422, "INVALID_REQUEST", "no such service"))
    tenant.post("/service-problems", TENANT_PROBLEM)
    sender.run_due()
    assert supplier.post("/kcis", kci(1)).status_code == 422


@pytest.mark.usefixtures("raised")
def test_kcis_take_effect_in_order_whatever_the_order_of_arrival(
    tenant: Party, supplier: Party, kci: KciMaker
) -> None:
    third = kci(3, "RESUMED", "IN_PROGRESS")
    second = kci(2, "DELAY", "HELD", problemCode="OTHER")
    first = kci(1, "COMMITTED", "IN_PROGRESS")
    for sent in (third, second):
        assert supplier.post("/kcis", sent).status_code == 204
        assert tenant.problem()["status"] == "ACKNOWLEDGED"
        assert numbers(tenant.problem()) == []
    assert supplier.post("/kcis", first).status_code == 204

    assert numbers(tenant.problem()) == [1, 2, 3]
    assert tenant.problem()["status"] == "IN_PROGRESS"


@pytest.mark.usefixtures("raised")
def test_a_missing_number_is_waited_for_then_passed_and_taken_late(
    tenant: Party, supplier: Party, sender: Sender, kci: KciMaker, clock: ManualMachineClock
) -> None:
    missing = kci(1, "COMMITTED", "IN_PROGRESS")
    supplier.post("/kcis", kci(2, "DELAY", "HELD", problemCode="OTHER"))
    clock.advance(59.9)
    sender.run_due()
    assert numbers(tenant.problem()) == []

    clock.advance(0.1)
    sender.run_due()
    assert numbers(tenant.problem()) == [2]
    assert tenant.problem()["status"] == "HELD"

    assert supplier.post("/kcis", missing).status_code == 204
    assert numbers(tenant.problem()) == [2, 1]
    assert tenant.problem()["status"] == "HELD"
    assert supplier.post("/kcis", kci(3, "RESUMED", "IN_PROGRESS")).status_code == 204
    assert tenant.problem()["status"] == "IN_PROGRESS"


@pytest.mark.usefixtures("raised")
def test_what_is_kept_outlives_a_restart(
    tenant: Party, supplier: Party, kci: KciMaker, make_app: MakeApp
) -> None:
    supplier.post("/kcis", kci(2))
    http = make_app().test_client()
    again = Party(http, token_for(http, "supplier", "supplier"))
    assert again.post("/kcis", kci(1)).status_code == 204
    assert numbers(Party(http, tenant.token).problem()) == [1, 2]


def test_a_kci_for_a_failed_problem_is_shown_and_moves_nothing(
    tenant: Party, supplier: Party, sender: Sender, supplier_stub: SupplierStub, kci: KciMaker
) -> None:
    supplier_stub.answers.append(lambda _: answer(500))
    tenant.post("/service-problems", TENANT_PROBLEM)
    sender.run_due()
    assert supplier.post("/kcis", kci(1, "COMMITTED", "IN_PROGRESS")).status_code == 204
    assert tenant.problem()["status"] == "FAILED_TO_SEND"
    assert numbers(tenant.problem()) == [1]


@pytest.mark.usefixtures("raised")
def test_a_resolution_keeps_the_gateways_id_and_shows_todays_words(
    tenant: Party, supplier: Party, kci: KciMaker
) -> None:
    supplier.post("/kcis", kci(1, "RESOLVED", "RESOLVED", serviceProblemResolution=RESOLUTION))
    (_, resolved) = tenant.problem()["updates"]
    assert resolved["updateType"] == "ACTION_REQUIRED"
    assert resolved["action"] == {"type": "CONFIRM"}
    assert resolved["serviceProblemResolution"] == {
        "id": 1,
        "serviceProblemId": 1,
        "status": "PENDING",
        "resolvedDate": "2026-01-05T12:00:00.000Z",
        "resolutionDetails": {
            "resolutionCode": "CUSTOMER_FAULT_MODEM",
            "resolutionCategory": "FAULTY_EQUIPMENT",
            "faultCode": ["MODEM"],
        },
    }

    closed = RESOLUTION | {"status": "ACCEPTED", "closedDate": "2026-01-06T12:00:00.000Z"}
    supplier.post("/kcis", kci(2, "COMPLETED", "COMPLETED", serviceProblemResolution=closed))
    shown = [update["serviceProblemResolution"] for update in tenant.problem()["updates"][1:]]
    assert [resolution["status"] for resolution in shown] == ["ACCEPTED", "ACCEPTED"]
    assert {resolution["id"] for resolution in shown} == {1}


@pytest.mark.usefixtures("raised")
def test_a_late_kci_brings_no_older_words_about_a_resolution(
    tenant: Party, supplier: Party, sender: Sender, kci: KciMaker, clock: ManualMachineClock
) -> None:
    closed = RESOLUTION | {"status": "ACCEPTED", "closedDate": "2026-01-06T12:00:00.000Z"}
    supplier.post("/kcis", kci(2, "COMPLETED", "COMPLETED", serviceProblemResolution=closed))
    clock.advance(60)
    sender.run_due()
    supplier.post("/kcis", kci(1, "RESOLVED", "RESOLVED", serviceProblemResolution=RESOLUTION))

    shown = [update["serviceProblemResolution"] for update in tenant.problem()["updates"][1:]]
    assert [resolution["status"] for resolution in shown] == ["ACCEPTED", "ACCEPTED"]
    assert tenant.problem()["status"] == "COMPLETED"


@pytest.mark.usefixtures("raised")
def test_a_new_resolution_has_a_new_id(tenant: Party, supplier: Party, kci: KciMaker) -> None:
    for number, reference in ((1, "SP_RES_0001"), (2, "SP_RES_0002")):
        resolution = RESOLUTION | {"supplierReference": reference}
        supplier.post(
            "/kcis", kci(number, "RESOLVED", "RESOLVED", serviceProblemResolution=resolution)
        )
    shown = [update["serviceProblemResolution"] for update in tenant.problem()["updates"][1:]]
    assert [resolution["id"] for resolution in shown] == [1, 2]


@pytest.mark.usefixtures("raised")
def test_the_tenant_sees_what_the_supplier_changed(
    tenant: Party, supplier: Party, kci: KciMaker
) -> None:
    sent = kci(1, "REAPPOINTED")
    sent["serviceProblem"]["appointmentReservationId"] = 999
    supplier.post("/kcis", sent)
    assert tenant.problem()["appointmentReservationId"] == 999


@pytest.mark.parametrize("problem_id", [1, 2])
def test_a_kci_about_a_problem_that_was_never_raised_is_not_found(
    supplier: Party, kci: KciMaker, problem_id: int
) -> None:
    sent = kci(1)
    sent["serviceProblem"]["id"] = problem_id
    refused = supplier.post("/kcis", sent)
    assert refused.status_code == 422
    assert refused.get_json()["code"] == "NOT_FOUND"


@pytest.mark.usefixtures("raised")
def test_a_kci_about_another_suppliers_problem_is_not_found(
    http: FlaskClient, kci: KciMaker
) -> None:
    other = Party(http, token_for(http, "supplier", "other"))
    refused = other.post("/kcis", kci(1))
    assert refused.status_code == 422
    assert refused.get_json()["code"] == "NOT_FOUND"


@pytest.mark.usefixtures("raised")
@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"sequenceNumber": "1"}, 400, "MALFORMED_REQUEST"),
        ({"text": None}, 400, "MALFORMED_REQUEST"),
        ({"serviceProblem": []}, 400, "MALFORMED_REQUEST"),
        ({"sequenceNumber": 0}, 422, "INVALID_REQUEST"),
        ({"id": "no-uuid"}, 422, "INVALID_REQUEST"),
        ({"reasonCode": "update"}, 422, "INVALID_REQUEST"),
        ({"issuedOn": "2026-01-05T12:00:00.000"}, 422, "INVALID_REQUEST"),
        ({"reasonCode": "INFORMATION_REQUIRED"}, 422, "INVALID_REQUEST"),
        ({"reasonCode": "COMMITTED"}, 422, "INVALID_REQUEST"),
    ],
)
def test_a_kci_off_the_contract_is_refused_with_reasons(
    tenant: Party, supplier: Party, kci: KciMaker, changed: Document, status: int, code: str
) -> None:
    refused = supplier.post("/kcis", kci(1) | changed)
    assert refused.status_code == status
    assert refused.get_json()["code"] == code
    assert refused.get_json()["messages"]
    assert numbers(tenant.problem()) == []


@pytest.mark.usefixtures("raised")
@pytest.mark.parametrize(
    "name", ["id", "sequenceNumber", "issuedOn", "reasonCode", "serviceProblem"]
)
def test_what_a_kci_must_have(supplier: Party, kci: KciMaker, name: str) -> None:
    sent = kci(1)
    del sent[name]
    refused = supplier.post("/kcis", sent)
    assert refused.status_code == 400
    assert refused.get_json()["messages"] == [f"{name}: missing"]


@pytest.mark.usefixtures("raised")
@pytest.mark.parametrize("name", ["X-Request-ID", "X-Conversation-ID"])
def test_a_kci_needs_its_headers(supplier: Party, kci: KciMaker, name: str) -> None:
    refused = supplier.post("/kcis", kci(1), **{name: ""})
    assert refused.status_code == 400
    assert refused.get_json()["messages"] == [f"{name}: missing"]


@pytest.mark.usefixtures("raised")
def test_kcis_of_other_problems_do_not_wait(
    tenant: Party, supplier: Party, sender: Sender, kci: KciMaker
) -> None:
    tenant.post("/service-problems", TENANT_PROBLEM)
    sender.run_due()
    supplier.post("/kcis", kci(2))  # 1 is missing
    of_second = kci(1, "COMMITTED", "IN_PROGRESS")
    of_second["serviceProblem"]["id"] = 2
    supplier.post("/kcis", of_second | {"id": str(uuid4())})
    assert tenant.problem(2)["status"] == "IN_PROGRESS"
