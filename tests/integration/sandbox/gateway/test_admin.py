"""The door for testers."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.integration.sandbox.gateway.conftest import Party, token_for

Document = dict[str, Any]

UPDATE: Document = {
    "problem": 1,
    "updateType": "ACTION_REQUIRED",
    "type": "CONTACT_CUSTOMER",
    "text": "Please ring the customer.",
}
ELSEWHERE: list[Document] = [
    {"REMOTE_ADDR": "192.0.2.7"},
    {"SERVER_NAME": "0.0.0.0"},
    {"HTTP_HOST": "rebound.example:8090"},
]


@pytest.mark.usefixtures("raised")
@pytest.mark.parametrize(
    ("kind", "said", "name"),
    [
        ("ACTION_REQUIRED", "action", "CONTACT_CUSTOMER"),
        ("ACTION_REQUIRED", "action", "CONTACT_REAPPOINT"),
        ("INFORMATIONAL", "information", "RESCHEDULED"),
        ("INFORMATIONAL", "information", "RESUBMIT"),
    ],
)
def test_an_update_that_no_supplier_can_make(
    http: FlaskClient, tenant: Party, kind: str, said: str, name: str
) -> None:
    made = http.post("/admin/updates", json=UPDATE | {"updateType": kind, "type": name})

    assert made.status_code == 201
    shown = tenant.problem()
    assert shown["status"] == "ACKNOWLEDGED"
    assert shown["updates"][-1] == {
        "id": made.get_json()["id"],
        "supplier": "DUMMY_SUPPLIER",
        "receivedOn": "2026-01-05T12:00:00.000Z",
        "deliveryStatus": "PENDING",
        "updateType": kind,
        said: {"type": name, "text": "Please ring the customer."},
    }


@pytest.mark.usefixtures("raised")
@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"problem": None}, 400, "MALFORMED_REQUEST"),
        ({"problem": 2}, 422, "NOT_FOUND"),
        ({"updateType": "ERROR"}, 422, "INVALID_REQUEST"),
        ({"type": "RESCHEDULED"}, 422, "INVALID_REQUEST"),
        ({"updateType": "INFORMATIONAL", "type": "DELAY"}, 422, "INVALID_REQUEST"),
        ({"text": ""}, 422, "INVALID_REQUEST"),
        ({"txt": "Misspelt."}, 422, "INVALID_REQUEST"),
    ],
)
def test_an_update_that_cannot_be_made(
    http: FlaskClient, tenant: Party, changed: Document, status: int, code: str
) -> None:
    before = tenant.problem()
    refused = http.post("/admin/updates", json=UPDATE | changed)
    assert (refused.status_code, refused.get_json()["code"]) == (status, code)
    assert tenant.problem() == before


@pytest.mark.usefixtures("raised")
@pytest.mark.parametrize("environ", ELSEWHERE)
def test_from_elsewhere_a_token_is_needed(
    http: FlaskClient, tenant: Party, environ: Document
) -> None:
    def post(token: str | None) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return http.post(
            "/admin/updates", json=UPDATE, headers=headers, environ_overrides=environ
        ).status_code

    assert post(None) == 401
    assert post(tenant.token) == 403
    assert post(token_for(http, "admin", "admin")) == 201


@pytest.mark.usefixtures("raised")
@pytest.mark.parametrize("host", ["127.0.0.1:8090", "localhost", "[::1]:8090"])
def test_this_machine_has_several_names(http: FlaskClient, host: str) -> None:
    made = http.post("/admin/updates", json=UPDATE, environ_overrides={"HTTP_HOST": host})
    assert made.status_code == 201


def test_a_page_cannot_ask_for_leave_nor_send_what_needs_none(http: FlaskClient) -> None:
    assert http.options("/admin/updates").status_code == 405
    assert http.post("/admin/updates", data='{"problem": 1}').status_code == 400


@pytest.mark.parametrize("path", ["clock", "updates", "reset"])
def test_a_parameter_is_refused_since_there_is_none(http: FlaskClient, path: str) -> None:
    answer = http.post(f"/admin/{path}?tenant=TENANT1", json={})
    assert answer.status_code == 422
    assert answer.get_json()["messages"] == ["tenant: unknown; expected none"]
