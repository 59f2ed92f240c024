"""Each door is at its own listener: what another one has is an unknown path there."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient

from supplier_api.app.web import create_apps
from supplier_api.settings import load_settings
from supplier_api.settings.doors import Door
from tests.supplier import Supplier, manual_clocks, on_sqlite, refusal

pytestmark = on_sqlite
EVENTS = "/back-office/v1/problems/SP_1/events"
# A path of each door, with the status of a GET without a token.
GATEWAY = {"/service-problems": 405, "/service-problem-resolutions/SP_1": 405}
BACK_OFFICE = {"/back-office/v1/problems": 401, EVENTS: 405, "/back-office/v1/work-orders": 401}
TOKENS = {"/oauth2/token": 405, "/.well-known/jwks.json": 200}
DOCS = {"/openapi.json": 200, "/docs": 200}
HEALTH = {"/health/live": 200, "/health/ready": 200}
TESTERS = {"/admin/scenarios": 200}
CONSOLE = {"/": 302, "/console/": 302, "/console/overview/": 200}
ALL = GATEWAY | BACK_OFFICE | TOKENS | DOCS | HEALTH | TESTERS | CONSOLE


@dataclass(frozen=True)
class Apart:
    """The supplier's doors as applications of their own over one database."""

    gateway: Supplier
    back_office: FlaskClient
    operations: FlaskClient
    console: FlaskClient


@pytest.fixture
def apart(environ: dict[str, str]) -> Iterator[Apart]:
    machine, business, clocks = manual_clocks()
    doors = [[door] for door in (Door.GATEWAY, Door.BACK_OFFICE, Door.OPERATIONS, Door.CONSOLE)]
    apps = create_apps(load_settings(environ), doors, clocks)
    clients = [app.test_client() for app in apps]
    yield Apart(Supplier(apps[0], clients[0], machine, business), *clients[1:])
    apps[0].extensions["services"].store.close()


def found(client: FlaskClient) -> dict[str, int]:
    """Return the status of each path that there is."""
    statuses = {path: client.get(path).status_code for path in ALL}
    return {path: status for path, status in statuses.items() if status != 404}


def test_each_door_knows_its_own_paths_alone(apart: Apart) -> None:
    assert found(apart.gateway.client) == GATEWAY | TOKENS | DOCS | HEALTH | TESTERS
    assert found(apart.back_office) == BACK_OFFICE | TOKENS | DOCS | HEALTH
    assert found(apart.operations) == HEALTH
    assert found(apart.console) == HEALTH | CONSOLE


def test_a_path_of_another_door_is_answered_as_an_unknown_one(apart: Apart) -> None:
    headers = apart.gateway.headers()
    for client, path in (
        (apart.gateway.client, EVENTS),
        (apart.back_office, "/service-problems"),
        (apart.operations, "/oauth2/token"),
    ):
        answers = [client.post(each, json={}, headers=headers) for each in (path, "/nothing")]
        assert refusal(answers[0])[0] == 404
        assert refusal(answers[0]) == refusal(answers[1])


def test_a_known_path_keeps_its_rules(apart: Apart) -> None:
    assert refusal(apart.operations.post("/health/ready"))[:2] == (405, "INVALID_REQUEST")
    assert apart.back_office.get("//back-office/v1/problems").status_code == 404
    assert apart.back_office.get("/%62ack-office/v1/problems").status_code == 404


def test_the_back_office_works_with_what_the_gateways_door_took(apart: Apart) -> None:
    supplier = apart.gateway
    reference = supplier.opened().reference
    token = supplier.token("back-office", apart.back_office, scope="back-office")
    answer = apart.back_office.post(
        f"/back-office/v1/problems/{reference}/events",
        json={"id": "1", "event": "start"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert (answer.status_code, answer.get_json()["status"]) == (200, "IN_PROGRESS")


def test_each_door_describes_itself(apart: Apart) -> None:
    both = [
        client.get("/openapi.json").get_json()["paths"]
        for client in (apart.gateway.client, apart.back_office)
    ]
    assert "/service-problems" in both[0]
    assert not [path for path in both[0] if path.startswith("/back-office")]
    assert both[1]
    assert all(path.startswith("/back-office") for path in both[1])
    page = apart.back_office.get("/docs").text
    assert "back-office-secret" in page
    assert "gateway-secret" not in page
    assert "admin-secret" not in page


def test_testers_see_the_calls_of_both_doors(apart: Apart) -> None:
    apart.back_office.get("/back-office/v1/problems?state=none")
    apart.operations.get("/health/ready")
    apart.gateway.client.get("/service-problems")
    calls = apart.gateway.client.get("/admin/journal").get_json()["entries"]
    assert {call["url"].partition("?")[0] for call in calls} >= {
        "/back-office/v1/problems",
        "/service-problems",
    }
