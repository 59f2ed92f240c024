"""Who got a token, who was let in and who was not stands in the log, with client and address."""

from typing import Any

from flask.testing import FlaskClient

from tests.logs import Lines
from tests.supplier import Supplier, on_sqlite

FORM = {"grant_type": "client_credentials", "client_id": "gateway"}
FROM = {"REMOTE_ADDR": "192.0.2.7"}
pytestmark = on_sqlite


def told(logged: Lines, *events: str) -> list[dict[str, Any]]:
    return [line for line in logged() if line["event"] in events]


def test_a_token_that_is_given_and_one_that_is_not(client: FlaskClient, logged: Lines) -> None:
    for secret, name in (("gateway-secret", "gateway"), ("wrong", "gateway"), ("wrong", "Joan")):
        form = {**FORM, "client_id": name, "client_secret": secret}
        client.post("/oauth2/token", data=form, environ_overrides=FROM)
    granted, refused, unknown = told(logged, "token.granted", "token.refused")
    assert (granted["client"], granted["address"]) == ("gateway", "192.0.2.7")
    assert "service-problems" in granted["scope"]
    assert (refused["client"], refused["address"]) == ("gateway", "192.0.2.7")
    assert (refused["status"], refused["why"]) == (401, "invalid_client")
    assert unknown["client"] == "unknown"
    assert "Joan" not in str(unknown)


def test_who_is_not_let_in(supplier: Supplier, logged: Lines) -> None:
    headers = supplier.headers()
    wrong = {
        "/service-problems": supplier.token("back-office"),
        "/back-office/v1/problems/SP_1/events": supplier.token(),
    }
    logged()
    for path, token in wrong.items():
        for bearer, status in ((token, 403), ("nonsense", 401)):
            given = {**headers, "Authorization": f"Bearer {bearer}"}
            answer = supplier.client.post(path, json={}, headers=given, environ_overrides=FROM)
            assert answer.status_code == status
    lines = told(logged, "access.refused")
    assert [(line["client"], line["status"]) for line in lines] == [
        ("back-office", 403),
        ("unknown", 401),
        ("gateway", 403),
        ("unknown", 401),
    ]
    assert {line["address"] for line in lines} == {"192.0.2.7"}
    assert len({line["route"] for line in lines}) == 2


def test_a_stranger_at_the_testers_door(client: FlaskClient, logged: Lines) -> None:
    asked = client.get("/admin/scenarios", headers={"Host": "evil.example"}, environ_overrides=FROM)
    assert asked.status_code == 403
    (line,) = told(logged, "access.refused")
    assert (line["address"], line["status"], line["why"]) == ("192.0.2.7", 403, "Host")


def test_what_the_back_office_says(supplier: Supplier, logged: Lines) -> None:
    problem = supplier.opened()
    logged()
    supplier.event(problem.reference, "start")
    supplier.event(problem.reference, "accept")
    supplier.event(problem.reference, "sing")
    supplier.event("SP_UNKNOWN1", "hold")
    lines = told(logged, "back-office.event")
    assert [(line["status"], line.get("kind"), line.get("reference")) for line in lines] == [
        (200, "start", problem.reference),
        (409, "accept", None),
        (422, None, None),
        (404, "hold", None),
    ]
    assert {(line["client"], line["address"]) for line in lines} == {("back-office", "127.0.0.1")}
