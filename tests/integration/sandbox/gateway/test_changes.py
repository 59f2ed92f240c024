"""Amendments and cancellations: what the supplier hears, and what becomes of them."""

import threading
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.wrappers import Response

from supplier_api.clock import ManualMachineClock
from supplier_api.sandbox.gateway import SandboxGateway, Sender
from tests.integration.sandbox.gateway.conftest import (
    TENANT_PROBLEM,
    KciMaker,
    MakeApp,
    Party,
    token_for,
)
from tests.integration.sandbox.gateway.supplier_stub import (
    Answer,
    SupplierStub,
    answer,
    applied,
    echo,
    error,
)
from tests.waiting import PATIENCE

Document = dict[str, Any]

AMENDMENT: Document = {"serviceProblemId": 1, "notes": "Ring twice"}
CANCELLATION: Document = {
    "serviceProblemId": 1,
    "reasonCode": "CUSTOMER_NETWORK_ISSUE",
    "text": "Issue appears to have rectified itself.",
}


@dataclass(frozen=True)
class Change:
    """A kind of change: how it is asked for, and how it is shown."""

    path: str
    body: Document
    name: str
    done: str
    asked: str
    refused: str


AMEND = Change(
    "/service-problem-amendments",
    AMENDMENT,
    "serviceProblemAmendment",
    "AMENDED",
    "PENDING_AMENDMENT",
    "AMENDMENT_REJECTED",
)
CANCEL = Change(
    "/service-problem-cancellations",
    CANCELLATION,
    "serviceProblemCancellation",
    "CANCELLED",
    "PENDING_CANCELLATION",
    "CANCELLATION_REJECTED",
)
each_change = pytest.mark.parametrize("change", [AMEND, CANCEL], ids=["amendment", "cancellation"])


def ask(tenant: Party, sender: Sender, change: Change, **more: Any) -> Document:
    """Ask for a change, let it be sent, and return the problem."""
    assert tenant.post(change.path, change.body | more).status_code == 201
    sender.run_due()
    return tenant.problem()


# ---- what the tenant is answered


@each_change
@pytest.mark.usefixtures("raised")
def test_a_change_is_received_before_the_supplier_hears_of_it(
    tenant: Party, supplier_stub: SupplierStub, change: Change
) -> None:
    before = tenant.problem()
    answered = tenant.post(change.path, change.body)

    assert answered.status_code == 201
    assert answered.get_json() == {"id": 1, "status": "RECEIVED_BY_GATEWAY", **change.body}
    assert tenant.problem() == before
    assert len(supplier_stub.seen) == 1


@pytest.mark.usefixtures("raised")
@pytest.mark.parametrize(
    ("change", "body", "status", "path"),
    [
        (AMEND, {"notes": "Ring twice"}, 400, "serviceProblemId"),
        (AMEND, {"serviceProblemId": "1", "notes": "x"}, 400, "serviceProblemId"),
        (AMEND, {"serviceProblemId": 1, "escalationRequest": "true"}, 400, "escalationRequest"),
        (AMEND, {"serviceProblemId": 1, "primaryContact": {"name": "x"}}, 400, "primaryContact"),
        (AMEND, {"serviceProblemId": 1}, 422, "body"),
        (AMEND, {"serviceProblemId": 1, "appointmentReservationReference": "A"}, 422, "body"),
        (AMEND, {"serviceProblemId": 0, "notes": "x"}, 422, "serviceProblemId"),
        (AMEND, {"serviceProblemId": 1, "problemText": "short"}, 422, "problemText"),
        (AMEND, {"serviceProblemId": 1, "characteristics": []}, 422, "characteristics"),
        (CANCEL, {"serviceProblemId": 1}, 400, "reasonCode"),
        (CANCEL, {"serviceProblemId": 1, "reasonCode": "other"}, 422, "reasonCode"),
        (CANCEL, CANCELLATION | {"text": ""}, 422, "text"),
    ],
)
def test_what_is_wrong_with_a_change(
    tenant: Party, change: Change, body: Document, status: int, path: str
) -> None:
    refused = tenant.post(change.path, body)
    assert refused.status_code == status
    (message,) = refused.get_json()["messages"]
    assert message.startswith(path)


@each_change
@pytest.mark.usefixtures("raised")
def test_a_problem_that_is_not_known_cannot_be_changed(tenant: Party, change: Change) -> None:
    foreign = Party(tenant.http, token_for(tenant.http, "tenant", "tenant2"))
    for party, problem_id in ((tenant, 2), (foreign, 1)):
        refused = party.post(change.path, change.body | {"serviceProblemId": problem_id})
        assert refused.status_code == 422
        assert refused.get_json()["code"] == "NOT_FOUND"


@each_change
def test_what_the_supplier_does_not_have_cannot_be_changed(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub, change: Change
) -> None:
    supplier_stub.answers.append(lambda _: answer(500))
    tenant.post("/service-problems", TENANT_PROBLEM)
    for status in ("RECEIVED_BY_GATEWAY", "FAILED_TO_SEND"):
        refused = tenant.post(change.path, change.body)
        assert refused.status_code == 422
        assert refused.get_json()["code"] == "INVALID_REQUEST"
        assert status in refused.get_json()["messages"][0]
        sender.run_due()
    assert len(supplier_stub.seen) == 1


@each_change
@pytest.mark.usefixtures("raised")
def test_a_change_needs_a_tenants_token_and_its_headers(
    tenant: Party, supplier: Party, change: Change
) -> None:
    assert supplier.post(change.path, change.body).status_code == 403
    assert tenant.post(change.path, change.body, Authorization="").status_code == 401
    assert tenant.post(change.path, change.body, **{"X-Request-ID": ""}).status_code == 400


# ---- what the supplier hears


@pytest.mark.usefixtures("raised")
def test_the_supplier_gets_an_amendment_as_its_contract_says(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    supplier_stub.answers.append(applied())
    fields = {
        "problemText": "The service drops all day long now.",
        "escalationRequest": True,
        "characteristics": [{"name": "END_USER_CPE", "value": "Zyxel"}],
        "primaryContact": {"name": "Siân", "phoneNumber": "01234 567890"},
        "appointmentReservationId": 999,
        "hazards": "A dog",
    }
    headers = {"X-Conversation-ID": "conversation-2", "X-Scenario": "AMENDMENT_ACCEPTED"}
    tenant.post(AMEND.path, {"serviceProblemId": 1, **fields}, **headers)
    sender.run_due()

    heard = supplier_stub.last
    assert (heard.method, heard.path) == ("POST", "/service-problem-amendments")
    assert heard.headers["Tenant"] == "TENANT1"
    assert heard.headers["X-Conversation-Id"] == "conversation-2"
    assert heard.headers["X-Scenario"] == "AMENDMENT_ACCEPTED"
    assert heard.document == fields | {
        "id": 1,
        "serviceProblemId": 1,
        "supplierServiceProblemReference": "SP_7K2M9QX4",
        "appointmentReservationReference": "APPOINTMENT_999",
    }


@pytest.mark.usefixtures("raised")
def test_the_supplier_gets_a_cancellation_as_its_contract_says(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    supplier_stub.answers.append(applied())
    ask(tenant, sender, CANCEL)
    heard = supplier_stub.last
    assert (heard.method, heard.path) == ("POST", "/service-problem-cancellations")
    assert heard.document == CANCELLATION | {
        "id": 1,
        "supplierServiceProblemReference": "SP_7K2M9QX4",
    }


def test_a_reference_that_is_not_known_yet_is_left_out_or_unknown(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    supplier_stub.answers += [lambda _: answer(202), applied(), applied()]
    tenant.post("/service-problems", TENANT_PROBLEM)
    sender.run_due()
    ask(tenant, sender, AMEND)
    assert "supplierServiceProblemReference" not in supplier_stub.last.document
    assert ask(tenant, sender, CANCEL)["status"] == "CANCELLED"
    assert supplier_stub.last.document["supplierServiceProblemReference"] == "UNKNOWN"


def test_a_reference_that_a_kci_brings_meanwhile_is_used(
    tenant: Party, supplier: Party, sender: Sender, supplier_stub: SupplierStub, kci: KciMaker
) -> None:
    def defer(_: Document) -> Response:
        assert tenant.post(CANCEL.path, CANCEL.body).status_code == 201
        assert supplier.post("/kcis", kci(1, "ACKNOWLEDGED")).status_code == 204
        return answer(202)

    supplier_stub.answers += [defer, applied()]
    tenant.post("/service-problems", TENANT_PROBLEM)
    sender.run_due()
    assert supplier_stub.last.document["supplierServiceProblemReference"] == "SP_7K2M9QX4"


def test_calls_about_one_problem_are_made_one_after_the_other(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hang(request: Document) -> Response:
        asked.set()
        assert go_on.wait(PATIENCE)
        return echo()(request)

    supplier_stub.answers += [hang, echo(), applied(), applied()]
    tenant.post("/service-problems", TENANT_PROBLEM)
    calling = threading.Thread(target=sender.run_due)
    calling.start()
    assert asked.wait(PATIENCE)
    tenant.post(AMEND.path, AMEND.body)
    tenant.post(CANCEL.path, CANCEL.body)
    tenant.post("/service-problems", TENANT_PROBLEM)
    sender.run_due()
    assert tenant.problem(2)["status"] == "ACKNOWLEDGED"  # another problem does not wait
    assert [seen.path for seen in supplier_stub.seen] == ["/service-problems"] * 2

    go_on.set()
    calling.join()
    paths = [seen.path for seen in supplier_stub.seen]
    assert paths == ["/service-problems"] * 2 + [AMEND.path, CANCEL.path]
    assert tenant.problem()["status"] == "CANCELLED"


# ---- what becomes of it


@pytest.mark.usefixtures("raised")
def test_an_amendment_that_is_applied_at_once(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub, clock: ManualMachineClock
) -> None:
    supplier_stub.answers.append(applied())
    clock.advance(5)
    before = tenant.problem()
    shown = ask(
        tenant,
        sender,
        AMEND,
        characteristics=[{"name": "string", "value": "new"}, {"name": "CPE", "value": "x"}],
        primaryContact={"name": "Mary", "phoneNumber": "01234 000000"},
        appointmentReservationId=999,
    )

    assert shown["status"] == "ACKNOWLEDGED"
    assert shown["updated"] == "2026-01-05T12:00:05.000Z"
    assert shown["notes"] == "Ring twice"
    assert shown["hazards"] == before["hazards"]
    assert shown["characteristics"] == [
        {"name": "string", "value": "new"},
        {"name": "CPE", "value": "x"},
    ]
    assert shown["primaryContact"] == {
        "name": "Mary",
        "email": "john@smith.com",
        "phoneNumber": "01234 000000",
    }
    assert shown["appointmentReservationId"] == 999
    update = shown["updates"][-1]
    assert update["information"] == {"type": "AMENDED"}
    assert update["serviceProblemAmendment"]["status"] == "COMPLETED"
    assert update["serviceProblemAmendment"]["appointmentReservationId"] == 999
    assert update.keys().isdisjoint({"sequenceNumber", "issuedOn"})


@pytest.mark.usefixtures("raised")
def test_a_cancellation_that_is_applied_at_once_is_the_end(
    tenant: Party, supplier: Party, sender: Sender, supplier_stub: SupplierStub, kci: KciMaker
) -> None:
    supplier.post("/kcis", kci(1))
    supplier.post("/kcis", kci(3))  # kept: 2 is missing
    supplier_stub.answers.append(applied())
    shown = ask(tenant, sender, CANCEL)

    assert shown["status"] == "CANCELLED"
    update = shown["updates"][-1]
    assert update["information"] == {"type": "CANCELLED"}
    assert update["serviceProblemCancellation"] == {"id": 1, "status": "COMPLETED", **CANCELLATION}
    assert supplier.post("/kcis", kci(4)).status_code == 422
    assert supplier.post("/kcis", kci(2, "COMMITTED", "IN_PROGRESS")).status_code == 204
    assert [each.get("sequenceNumber") for each in tenant.problem()["updates"]] == [
        None,
        1,
        None,
        2,
        3,
    ]
    assert tenant.problem()["status"] == "CANCELLED"


def outcome(change: Change, status: str) -> Document:
    """Return the change as a KCI carries it."""
    return {
        change.name: {"id": 1, "status": status, "supplierReference": "SP_CHANGE_1"} | change.body
    }


@pytest.mark.usefixtures("raised")
@pytest.mark.parametrize(
    ("change", "status", "code"),
    [(AMEND, "IN_PROGRESS", {}), (CANCEL, "CANCELLED", {"problemCode": "NETWORK_ISSUE"})],
)
def test_a_change_that_is_decided_later_and_done(
    tenant: Party,
    supplier: Party,
    sender: Sender,
    supplier_stub: SupplierStub,
    kci: KciMaker,
    change: Change,
    status: str,
    code: Document,
) -> None:
    supplier_stub.answers.append(applied(202))
    before = len(tenant.problem()["updates"])
    shown = ask(tenant, sender, change)
    assert shown["status"] == change.asked
    assert len(shown["updates"]) == before

    sent = kci(1, change.done, status, **code, **outcome(change, "COMPLETED"))
    assert supplier.post("/kcis", sent).status_code == 204
    shown = tenant.problem()
    assert shown["status"] == status
    assert shown["updates"][-1]["information"]["type"] == change.done
    assert shown["updates"][-1][change.name] == {"id": 1, "status": "COMPLETED", **change.body}


@each_change
@pytest.mark.usefixtures("raised")
def test_a_change_that_is_decided_later_and_refused(
    tenant: Party,
    supplier: Party,
    sender: Sender,
    supplier_stub: SupplierStub,
    kci: KciMaker,
    change: Change,
) -> None:
    supplier_stub.answers.append(applied(202))
    ask(tenant, sender, change)
    why = {"text": "Too late", "problemCode": "OTHER"}
    supplier.post("/kcis", kci(1, change.refused, **why, **outcome(change, "REJECTED")))

    shown = tenant.problem()
    assert shown["status"] == "ACKNOWLEDGED"
    update = shown["updates"][-1]
    assert update["action"] == {"type": "RESUBMIT", "code": "OTHER", "text": "Too late"}
    assert update[change.name] == {"id": 1, "status": "REJECTED", **change.body}


@each_change
@pytest.mark.usefixtures("raised")
def test_the_suppliers_refusal_rejects_the_change_and_leaves_the_problem(
    tenant: Party,
    supplier: Party,
    sender: Sender,
    supplier_stub: SupplierStub,
    kci: KciMaker,
    change: Change,
) -> None:
    supplier.post("/kcis", kci(1, "DELAY", "HELD", problemCode="OTHER"))
    supplier_stub.answers.append(error(422, "INVALID_REQUEST", "not now"))
    shown = ask(tenant, sender, change)

    assert shown["status"] == "HELD"
    update = shown["updates"][-1]
    assert update["updateType"] == "ERROR"
    assert update["error"]["code"] == "INVALID_REQUEST"
    assert update["error"]["messages"] == [
        "The supplier API returned the following message: not now"
    ]
    assert update[change.name] == {"id": 1, "status": "REJECTED", **change.body}


@each_change
@pytest.mark.usefixtures("raised")
@pytest.mark.parametrize(
    ("said", "code"),
    [
        (error(400, "MALFORMED_REQUEST", "x: missing"), "MALFORMED_REQUEST"),
        (lambda _: answer(403), "NOT_AUTHORISED"),
        (error(501, "NOT_IMPLEMENTED", "off"), "NOT_IMPLEMENTED"),
        (error(500, "SUPPLIER_FAULT", "broken"), "SUPPLIER_FAULT"),
        (lambda _: answer(503), "SUPPLIER_FAULT"),
        (lambda _: answer(200, {}), "SUPPLIER_FAULT"),
        (lambda _: answer(202), "SUPPLIER_FAULT"),
        (lambda _: answer(201), "SUPPLIER_FAULT"),
        (applied(id=2), "SUPPLIER_FAULT"),
        (applied(serviceProblemId=2), "SUPPLIER_FAULT"),
        (applied(supplierReference="lower"), "SUPPLIER_FAULT"),
    ],
)
def test_an_answer_that_helps_nobody_fails_the_change_only(
    tenant: Party,
    sender: Sender,
    supplier_stub: SupplierStub,
    change: Change,
    said: Answer,
    code: str,
) -> None:
    supplier_stub.answers.append(said)
    shown = ask(tenant, sender, change)

    assert shown["status"] == "ACKNOWLEDGED"
    update = shown["updates"][-1]
    assert update["error"]["code"] == code
    assert update[change.name] == {"id": 1, "status": "FAILED_TO_SEND", **change.body}
    sender.run_due()
    assert len(supplier_stub.seen) == 2


@pytest.mark.usefixtures("raised")
def test_a_supplier_that_stays_silent_fails_the_change_and_the_next_is_sent(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub, clock: ManualMachineClock
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hang(request: Document) -> Response:
        asked.set()
        assert go_on.wait(PATIENCE)
        return applied()(request)

    supplier_stub.answers += [hang, applied()]
    tenant.post(AMEND.path, AMEND.body)
    tenant.post(CANCEL.path, CANCEL.body)
    calling = threading.Thread(target=sender.run_due)
    calling.start()
    assert asked.wait(PATIENCE)
    clock.advance(10)
    sender.look_after()
    failed = tenant.problem()
    assert failed["status"] == "ACKNOWLEDGED"
    assert failed["updates"][-1]["error"]["code"] == "SUPPLIER_TIMED_OUT"

    sender.run_due()
    assert tenant.problem()["status"] == "CANCELLED"
    go_on.set()
    calling.join()
    assert tenant.problem()["notes"] == TENANT_PROBLEM["notes"]


def test_a_change_of_a_problem_that_could_not_be_sent_is_not_sent_either(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    def amend_and_fail(_: Document) -> Response:
        assert tenant.post(AMEND.path, AMEND.body).status_code == 201
        return answer(500)

    supplier_stub.answers.append(amend_and_fail)
    tenant.post("/service-problems", TENANT_PROBLEM)
    sender.run_due()

    shown = tenant.problem()
    assert shown["status"] == "FAILED_TO_SEND"
    assert [update["error"]["code"] for update in shown["updates"]] == [
        "SUPPLIER_FAULT",
        "INVALID_REQUEST",
    ]
    assert shown["updates"][1]["serviceProblemAmendment"]["status"] == "FAILED_TO_SEND"
    assert len(supplier_stub.seen) == 1


@pytest.mark.usefixtures("raised")
def test_a_kci_that_overtakes_the_answer_to_a_change_takes_effect_after_it(
    tenant: Party, supplier: Party, sender: Sender, supplier_stub: SupplierStub, kci: KciMaker
) -> None:
    def overtake(request: Document) -> Response:
        assert supplier.post("/kcis", kci(1, "RESUMED", "IN_PROGRESS")).status_code == 204
        return applied()(request)

    supplier_stub.answers.append(overtake)
    shown = ask(tenant, sender, AMEND)
    kinds = [update["information"]["type"] for update in shown["updates"]]
    assert kinds == ["ACKNOWLEDGED", "AMENDED", "RESUMED"]
    assert shown["status"] == "IN_PROGRESS"


@pytest.mark.usefixtures("raised")
def test_a_change_that_never_left_is_sent_after_a_restart(
    tenant: Party, make_app: MakeApp, supplier_stub: SupplierStub
) -> None:
    supplier_stub.answers.append(applied())
    tenant.post(AMEND.path, AMEND.body)
    again = make_app()
    restarted: SandboxGateway = again.extensions["sandbox"]
    restarted.sender.recover()
    restarted.sender.run_due()
    assert Party(again.test_client(), tenant.token).problem()["notes"] == "Ring twice"


@pytest.mark.usefixtures("raised")
def test_a_change_that_a_stop_cut_off_has_failed(
    tenant: Party, sender: Sender, make_app: MakeApp, supplier_stub: SupplierStub
) -> None:
    def restart_meanwhile(request: Document) -> Response:
        restarted: SandboxGateway = make_app().extensions["sandbox"]
        restarted.sender.recover()
        restarted.sender.run_due()
        return applied()(request)

    supplier_stub.answers.append(restart_meanwhile)
    shown = ask(tenant, sender, AMEND)
    assert shown["status"] == "ACKNOWLEDGED"
    update = shown["updates"][-1]
    assert update["error"]["code"] == "GATEWAY_FAULT"
    assert update["serviceProblemAmendment"]["status"] == "FAILED_TO_SEND"
    assert len(supplier_stub.seen) == 2
