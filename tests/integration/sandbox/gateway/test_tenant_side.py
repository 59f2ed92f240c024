"""What a tenant sends and sees."""

from typing import Any

import pytest

from supplier_api.clock import ManualMachineClock
from supplier_api.sandbox.gateway import Sender
from tests.integration.sandbox.gateway.conftest import HEADERS, TENANT_PROBLEM, Party, token_for
from tests.integration.sandbox.gateway.supplier_stub import SupplierStub, echo

Document = dict[str, Any]


def without(name: str) -> Document:
    return {key: value for key, value in TENANT_PROBLEM.items() if key != name}


def test_a_problem_is_received_before_the_supplier_hears_of_it(
    tenant: Party, supplier_stub: SupplierStub
) -> None:
    answer = tenant.post("/service-problems", TENANT_PROBLEM)

    assert answer.status_code == 201
    assert answer.get_json() == TENANT_PROBLEM | {
        "id": 1,
        "status": "RECEIVED_BY_GATEWAY",
        "created": "2026-01-05T12:00:00.000Z",
        "updated": "2026-01-05T12:00:00.000Z",
        "updates": [],
        "serviceId": "SI0000000000123",
        "serviceSpecification": {"id": "ftthl2r"},
    }
    assert tenant.problem() == answer.get_json()
    assert supplier_stub.seen == []


def test_ids_count_up(tenant: Party) -> None:
    ids = [tenant.post("/service-problems", TENANT_PROBLEM).get_json()["id"] for _ in range(3)]
    assert ids == [1, 2, 3]


def test_a_service_that_the_tenant_names_is_taken(tenant: Party) -> None:
    named = {"serviceId": "SCENARIO_X", "serviceSpecification": {"id": "g.fast", "name": "Fast"}}
    shown = tenant.post("/service-problems", TENANT_PROBLEM | named).get_json()
    assert {key: shown[key] for key in named} == named


def test_the_three_letter_problem_type_is_taken(tenant: Party) -> None:
    answer = tenant.post("/service-problems", TENANT_PROBLEM | {"problemType": "CPE"})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "name",
    [
        "problemType",
        "problemText",
        "supplier",
        "serviceTestId",
        "characteristics",
        "primaryContact",
        "notes",
    ],
)
def test_what_is_required(tenant: Party, name: str) -> None:
    answer = tenant.post("/service-problems", without(name))

    assert answer.status_code == 400
    refused = answer.get_json()
    assert refused.keys() == {"uuid", "code", "messages"}
    assert refused["code"] == "MALFORMED_REQUEST"
    assert refused["messages"] == [f"{name}: missing"]


@pytest.mark.parametrize(
    "name",
    [
        "externalIdentifier",
        "address",
        "secondaryContact",
        "appointmentReservationId",
        "parentServiceProblemId",
        "hazards",
        "onSiteRestrictions",
    ],
)
def test_what_is_optional_is_left_out_of_the_view(tenant: Party, name: str) -> None:
    answer = tenant.post("/service-problems", without(name))
    assert answer.status_code == 201
    assert name not in answer.get_json()


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"externalIdentifier": ""}, "externalIdentifier"),
        ({"externalIdentifier": "x" * 65}, "externalIdentifier"),
        ({"problemType": "FOUR"}, "problemType"),
        ({"problemType": "WITH-DASH"}, "problemType"),
        ({"problemText": "too short"}, "problemText"),
        ({"problemText": "x" * 81}, "problemText"),
        ({"supplier": "X" * 21}, "supplier"),
        ({"supplier": "NOBODY"}, "supplier"),
        ({"serviceTestId": 0}, "serviceTestId"),
        ({"serviceTestId": 10**13}, "serviceTestId"),
        ({"serviceTestId": 2**63}, "serviceTestId"),
        ({"characteristics": []}, "characteristics"),
        ({"appointmentReservationId": 0}, "appointmentReservationId"),
        ({"hazards": "x" * 1001}, "hazards"),
        ({"notes": ""}, "notes"),
        ({"serviceId": "x" * 51}, "serviceId"),
    ],
)
def test_what_breaks_a_constraint(tenant: Party, changed: Document, path: str) -> None:
    answer = tenant.post("/service-problems", TENANT_PROBLEM | changed)

    assert answer.status_code == 422
    assert answer.get_json()["code"] == "INVALID_REQUEST"
    (message,) = answer.get_json()["messages"]
    assert message.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"serviceTestId": "123"}, "serviceTestId"),
        ({"notes": None}, "notes"),
        ({"characteristics": {}}, "characteristics"),
        ({"characteristics": [{"name": "X"}]}, "characteristics[0].value"),
        ({"address": {"id": "A00000031882"}}, "address.type"),
        ({"secondaryContact": {"name": "John"}}, "secondaryContact.phoneNumber"),
        ({"serviceSpecification": {}}, "serviceSpecification.id"),
    ],
)
def test_what_has_a_wrong_type_or_misses_a_part(
    tenant: Party, changed: Document, path: str
) -> None:
    answer = tenant.post("/service-problems", TENANT_PROBLEM | changed)

    assert answer.status_code == 400
    (message,) = answer.get_json()["messages"]
    assert message.startswith(f"{path}: ")


def test_headers_and_body_are_refused_together(tenant: Party) -> None:
    answer = tenant.post("/service-problems", without("notes"), **{"X-Request-ID": " "})
    assert answer.status_code == 400
    assert answer.get_json()["messages"] == ["X-Request-ID: missing", "notes: missing"]


def test_a_header_that_is_too_long_is_invalid(tenant: Party) -> None:
    answer = tenant.post("/service-problems", TENANT_PROBLEM, **{"X-Conversation-ID": "x" * 256})
    assert answer.status_code == 422
    assert answer.get_json()["messages"][0].startswith("X-Conversation-ID: ")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"{}", "text/plain"),
        (b"{" + b" " * 262_144 + b"}", "application/json"),
    ],
    ids=["empty", "broken", "array", "content type", "too long"],
)
def test_a_body_that_cannot_be_read(tenant: Party, body: bytes, content_type: str) -> None:
    answer = tenant.http.post(
        "/service-problems", data=body, content_type=content_type, headers=tenant.headers
    )
    assert answer.status_code == 400
    assert answer.get_json()["code"] == "MALFORMED_REQUEST"


@pytest.mark.parametrize("problem_id", ["2", "0", "-1", "one", "1" * 30, "\u0661"])
def test_a_problem_that_is_not_known_is_not_found(
    tenant: Party, raised: Document, problem_id: str
) -> None:
    answer = tenant.get(f"/service-problems/{problem_id}")
    assert raised["id"] == 1
    assert answer.status_code == 404
    assert answer.get_json()["code"] == "NOT_FOUND"


def test_a_problem_is_shown_to_its_tenant_only(tenant: Party, raised: Document) -> None:
    other = Party(tenant.http, token_for(tenant.http, "tenant", "tenant2"))
    assert other.get(f"/service-problems/{raised['id']}").status_code == 404


def test_a_look_needs_its_headers_too(tenant: Party, raised: Document) -> None:
    answer = tenant.http.get(
        f"/service-problems/{raised['id']}", headers={"Authorization": f"Bearer {tenant.token}"}
    )
    assert answer.status_code == 400
    assert answer.get_json()["messages"] == [f"{name}: missing" for name in HEADERS]


def test_an_acknowledged_problem_shows_what_the_gateway_says_itself(raised: Document) -> None:
    (update,) = raised["updates"]
    assert update.pop("id")
    assert update == {
        "supplier": "DUMMY_SUPPLIER",
        "receivedOn": "2026-01-05T12:00:00.000Z",
        "updateType": "INFORMATIONAL",
        "information": {"type": "ACKNOWLEDGED"},
        "deliveryStatus": "PENDING",
    }
    assert raised["status"] == "ACKNOWLEDGED"
    assert raised["supplierIdentifier"] == "SP_7K2M9QX4"


def test_a_problem_that_is_committed_at_once_shows_both_steps(
    tenant: Party, sender: Sender, supplier_stub: SupplierStub, clock: ManualMachineClock
) -> None:
    supplier_stub.answers.append(
        echo("IN_PROGRESS", serviceSpecification={"id": "ftthl2r", "name": "FTTH"})
    )
    tenant.post("/service-problems", TENANT_PROBLEM)
    clock.advance(2)
    sender.run_due()

    shown = tenant.problem()
    kinds = [update["information"]["type"] for update in shown["updates"]]
    assert kinds == ["ACKNOWLEDGED", "COMMITTED"]
    assert shown["status"] == "IN_PROGRESS"
    assert shown["updated"] == "2026-01-05T12:00:02.000Z"
    assert shown["serviceSpecification"] == {"id": "ftthl2r", "name": "FTTH"}
