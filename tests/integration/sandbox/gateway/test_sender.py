"""What the supplier hears of a problem, and what becomes of the problem by its answer."""

import json
import socket
import threading
from typing import Any

import pytest
from flask import Flask
from werkzeug.wrappers import Response

from supplier_api.clock import ManualMachineClock
from supplier_api.sandbox.gateway import SandboxGateway, Sender
from tests.integration.sandbox.gateway.conftest import TENANT_PROBLEM, KciMaker, MakeApp, Party
from tests.integration.sandbox.gateway.supplier_stub import (
    Answer,
    SupplierStub,
    answer,
    echo,
    error,
)
from tests.waiting import PATIENCE

Document = dict[str, Any]


def raise_and_send(tenant: Party, sender: Sender, **headers: str) -> Document:
    assert tenant.post("/service-problems", TENANT_PROBLEM, **headers).status_code == 201
    sender.run_due()
    return tenant.problem()


def test_the_supplier_gets_the_problem_as_its_contract_says(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    raise_and_send(tenant, sender)

    heard = supplier_stub.request
    assert heard.path == "/service-problems"
    assert heard.headers["Authorization"] == "Bearer token-1"
    assert heard.headers["Tenant"] == "TENANT1"
    assert heard.headers["X-Conversation-Id"] == "conversation-1"
    assert heard.headers["X-Request-Id"] != "request-1"
    gateways_own = ("externalIdentifier", "supplier", "address")
    passed_on = {key: value for key, value in TENANT_PROBLEM.items() if key not in gateways_own}
    assert heard.document == passed_on | {
        "id": 1,
        "address": {"id": "A00000031882", "type": "NAD"},
        "serviceId": "SI0000000000123",
        "serviceSpecification": {"id": "ftthl2r"},
        "serviceTestReference": "TEST_123",
        "appointmentReservationReference": "APPOINTMENT_345",
    }


def test_text_beyond_ascii_arrives_as_it_was_sent(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    contact = {"name": "Siân O\u2019Connor \U0001f600", "phoneNumber": "01234 567890"}
    tenant.post("/service-problems", TENANT_PROBLEM | {"primaryContact": contact})
    sender.run_due()
    assert supplier_stub.request.document["primaryContact"] == contact


def test_the_testers_headers_are_passed_on(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    chosen = {
        "X-Scenario": "SERVICE_PROBLEM_DELAYED?also=WARNING",
        "X-Problem-Code": "SITE_UNSAFE",
        "X-Kci-Delay": "1",
    }
    raise_and_send(tenant, sender, **chosen)
    heard = {name.lower(): value for name, value in supplier_stub.request.headers.items()}
    assert {name: heard[name.lower()] for name in chosen} == chosen


def test_a_parent_that_is_known_is_named_by_its_reference(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    raise_and_send(tenant, sender)
    tenant.post("/service-problems", TENANT_PROBLEM | {"parentServiceProblemId": 1})
    sender.run_due()
    assert "parentServiceProblemReference" not in supplier_stub.seen[0].document
    assert supplier_stub.seen[1].document["parentServiceProblemReference"] == "SP_7K2M9QX4"


def test_a_deferred_problem_waits_for_its_kcis(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    supplier_stub.answers.append(lambda _: answer(202))
    shown = raise_and_send(tenant, sender)
    assert shown["status"] == "SENT_TO_SUPPLIER"
    assert shown["updates"] == []
    assert "supplierIdentifier" not in shown


def test_a_refusal_is_told_with_the_suppliers_words(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    supplier_stub.answers.append(error(422, "INVALID_REQUEST", "the service is ceased", "x" * 1000))
    shown = raise_and_send(tenant, sender)

    assert shown["status"] == "REJECTED"
    (update,) = shown["updates"]
    assert update["updateType"] == "ERROR"
    assert update["error"]["code"] == "INVALID_REQUEST"
    prefix = "The supplier API returned the following message: "
    first, second = update["error"]["messages"]
    assert first == f"{prefix}the service is ceased"
    assert second == (prefix + "x" * 1000)[:1000]
    assert "sequenceNumber" not in update
    assert "issuedOn" not in update


def off_contract(**changed: Any) -> Answer:
    return echo(**changed)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (error(400, "MALFORMED_REQUEST", "x: missing"), "MALFORMED_REQUEST"),
        (error(403, "NOT_AUTHORISED", "no"), "NOT_AUTHORISED"),
        (lambda _: answer(403), "NOT_AUTHORISED"),
        (error(501, "NOT_IMPLEMENTED", "off"), "NOT_IMPLEMENTED"),
        (error(500, "SUPPLIER_FAULT", "broken"), "SUPPLIER_FAULT"),
        (lambda _: answer(503), "SUPPLIER_FAULT"),
        (lambda _: answer(200, {}), "SUPPLIER_FAULT"),
        (lambda _: answer(404), "SUPPLIER_FAULT"),
        (lambda _: answer(422), "SUPPLIER_FAULT"),
        (lambda _: answer(201), "SUPPLIER_FAULT"),
        (lambda _: Response(b'{"id": 1', 201), "SUPPLIER_FAULT"),
        (lambda _: Response(status=302, headers={"Location": "/elsewhere"}), "SUPPLIER_FAULT"),
        (off_contract(status="FIXED"), "SUPPLIER_FAULT"),
        (off_contract(status="RESOLVED"), "SUPPLIER_FAULT"),
        (off_contract(status="COMPLETED"), "SUPPLIER_FAULT"),
        (off_contract(status="CANCELLED"), "SUPPLIER_FAULT"),
        (off_contract(status="REJECTED"), "SUPPLIER_FAULT"),
        (off_contract(id=2), "SUPPLIER_FAULT"),
        (off_contract(supplierReference="lower"), "SUPPLIER_FAULT"),
    ],
)
def test_an_answer_that_helps_nobody_fails_the_problem(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub, said: Answer, code: str
) -> None:
    supplier_stub.answers.append(said)
    shown = raise_and_send(tenant, sender)

    assert shown["status"] == "FAILED_TO_SEND"
    (update,) = shown["updates"]
    assert update["error"]["code"] == code
    assert update["error"]["messages"]
    sender.run_due()
    assert len(supplier_stub.seen) == 1


def test_a_supplier_that_is_not_there_fails_the_problem(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr("urllib3.util.connection.create_connection", refuse)
    shown = raise_and_send(tenant, sender)
    assert shown["status"] == "FAILED_TO_SEND"
    assert shown["updates"][0]["error"]["code"] == "SUPPLIER_FAULT"
    assert supplier_stub.seen == []


def test_a_token_is_fetched_once_and_renewed_before_it_ends(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub, clock: ManualMachineClock
) -> None:
    raise_and_send(tenant, sender)
    raise_and_send(tenant, sender)
    assert len(supplier_stub.token_requests) == 1
    assert supplier_stub.token_requests[0].body == b"grant_type=client_credentials"
    assert supplier_stub.token_requests[0].headers["Authorization"].startswith("Basic ")

    clock.advance(3600 - 60)
    raise_and_send(tenant, sender)
    used = [request.headers["Authorization"] for request in supplier_stub.seen]
    assert used == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


def test_a_refused_token_is_renewed_once(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    supplier_stub.answers.append(error(401, "NOT_AUTHORISED", "expired"))
    assert raise_and_send(tenant, sender)["status"] == "ACKNOWLEDGED"
    ids = [request.headers["X-Request-Id"] for request in supplier_stub.seen]
    assert len(set(ids)) == 2


@pytest.mark.parametrize("body", [b"<!doctype html><p>Sorry", b'{"error": "down"}'])
def test_a_202_with_a_page_or_an_error_in_it_is_no_answer(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub, body: bytes
) -> None:
    supplier_stub.answers.append(lambda _: Response(body, 202, content_type="text/html"))

    assert raise_and_send(tenant, sender)["status"] == "FAILED_TO_SEND"


def test_a_403_to_an_old_token_is_tried_once_more_with_a_new_one(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub, clock: ManualMachineClock
) -> None:
    supplier_stub.answers.append(error(403, "UNAUTHORIZED", "old"))
    assert raise_and_send(tenant, sender)["status"] == "FAILED_TO_SEND"
    clock.advance(10)
    supplier_stub.answers.append(error(403, "UNAUTHORIZED", "old"))
    tenant.post("/service-problems", TENANT_PROBLEM)
    sender.run_due()

    assert tenant.problem(2)["status"] == "ACKNOWLEDGED"
    used = [seen.headers["Authorization"] for seen in supplier_stub.seen]
    assert used == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"access_token": "taken", "token_type": "BEARER", "expires_in": null}',
        b'{"access_token": "taken", "expires_in": "soon"}',
        b'\xef\xbb\xbf{"access_token": "taken", "expires_in": 0}',
    ],
)
def test_what_the_standard_leaves_open_is_taken_of_a_token(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub, body: bytes
) -> None:
    supplier_stub.tokens.append(Response(body, 201, content_type="application/json"))

    assert raise_and_send(tenant, sender)["status"] == "ACKNOWLEDGED"
    assert supplier_stub.request.headers["Authorization"] == "Bearer taken"


def test_a_second_refusal_of_the_token_fails_the_problem(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub
) -> None:
    supplier_stub.answers += [error(401, "NOT_AUTHORISED", "expired")] * 2
    shown = raise_and_send(tenant, sender)
    assert shown["status"] == "FAILED_TO_SEND"
    assert shown["updates"][0]["error"]["code"] == "NOT_AUTHORISED"


@pytest.mark.parametrize(
    ("granted", "code"),
    [
        (answer(401, {"error": "invalid_client"}), "NOT_AUTHORISED"),
        (answer(200, ["no object"]), "NOT_AUTHORISED"),
        (answer(503), "SUPPLIER_FAULT"),
    ],
)
def test_without_a_token_nothing_is_sent(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub, granted: Response, code: str
) -> None:
    supplier_stub.tokens.append(granted)
    shown = raise_and_send(tenant, sender)
    assert shown["status"] == "FAILED_TO_SEND"
    assert shown["updates"][0]["error"]["code"] == code
    assert supplier_stub.seen == []


def test_a_supplier_that_stays_silent_is_given_up_and_its_late_answer_changes_nothing(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub, clock: ManualMachineClock
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hang(request: Document) -> Response:
        asked.set()
        go_on.wait(PATIENCE)
        return echo()(request)

    supplier_stub.answers.append(hang)
    tenant.post("/service-problems", TENANT_PROBLEM)
    calling = threading.Thread(target=sender.run_due)
    calling.start()
    assert asked.wait(PATIENCE)
    clock.advance(9.9)
    sender.look_after()
    assert tenant.problem()["status"] == "SENT_TO_SUPPLIER"

    clock.advance(0.1)
    sender.look_after()
    shown = tenant.problem()
    assert shown["status"] == "FAILED_TO_SEND"
    assert shown["updates"][0]["error"]["code"] == "SUPPLIER_TIMED_OUT"

    go_on.set()
    calling.join()
    assert tenant.problem() == shown


def test_a_kci_that_overtakes_the_answer_takes_effect_after_it(
    tenant: Party,
    supplier: Party,
    sender: Sender,
    supplier_stub: SupplierStub,
    kci: KciMaker,
) -> None:
    def overtake(request: Document) -> Response:
        kept = supplier.post("/kcis", kci(1, "COMMITTED", "IN_PROGRESS"))
        assert kept.status_code == 204
        assert tenant.problem()["status"] == "SENT_TO_SUPPLIER"
        return echo()(request)

    supplier_stub.answers.append(overtake)
    shown = raise_and_send(tenant, sender)

    kinds = [update["information"]["type"] for update in shown["updates"]]
    assert kinds == ["ACKNOWLEDGED", "COMMITTED"]
    assert shown["status"] == "IN_PROGRESS"


def test_a_problem_that_never_left_is_sent_after_a_restart(
    tenant: Party, make_app: MakeApp, supplier_stub: SupplierStub
) -> None:
    tenant.post("/service-problems", TENANT_PROBLEM)

    again = make_app()
    restarted: SandboxGateway = again.extensions["sandbox"]
    restarted.sender.recover()
    restarted.sender.run_due()

    assert Party(again.test_client(), tenant.token).problem()["status"] == "ACKNOWLEDGED"
    assert json.loads(supplier_stub.request.body)["id"] == 1


def test_a_call_that_a_stop_cut_off_fails_its_problem(
    tenant: Party, sender: Sender, make_app: MakeApp, supplier_stub: SupplierStub
) -> None:
    seen_after_restart: list[Document] = []

    def restart_meanwhile(request: Document) -> Response:
        again = make_app()
        restarted: SandboxGateway = again.extensions["sandbox"]
        restarted.sender.recover()
        restarted.sender.run_due()
        seen_after_restart.append(Party(again.test_client(), tenant.token).problem())
        return echo()(request)

    supplier_stub.answers.append(restart_meanwhile)
    raise_and_send(tenant, sender)

    (shown,) = seen_after_restart
    assert shown["status"] == "FAILED_TO_SEND"
    assert shown["updates"][0]["error"]["code"] == "GATEWAY_FAULT"
    assert len(supplier_stub.seen) == 1


def test_the_started_sender_sends_by_itself(
    app: Flask, tenant: Party, supplier_stub: SupplierStub
) -> None:
    answered = threading.Event()

    def note(request: Document) -> Response:
        answered.set()
        return echo()(request)

    supplier_stub.answers.append(note)
    app.extensions["sandbox"].start()
    tenant.post("/service-problems", TENANT_PROBLEM)
    assert answered.wait(PATIENCE)
    app.extensions["sandbox"].close()  # waits for the call that is out
    assert tenant.problem()["status"] == "ACKNOWLEDGED"
