"""The page /docs: a first Execute works and plays nothing; it shows no secret that is one."""

import pytest

from supplier_api.app.web import create_app
from supplier_api.sandbox.scenarios.source import ScenarioRepository
from supplier_api.settings import load_settings
from tests.pages import check_page, clients_of, execute
from tests.supplier import Supplier, on_sqlite

pytestmark = on_sqlite
CLIENT = "SUPPLIER_API__ACCESS__CLIENTS__GATEWAY__SECRET"


def test_a_first_try_works_and_plays_no_scenario(supplier: Supplier) -> None:
    answer, sent = execute(supplier.client, "/service-problems")
    assert answer.status_code == 201, answer.get_json()
    assert sent == ["Authorization", "X-Request-ID", "X-Conversation-ID", "Tenant"]
    problem = supplier.stored(answer.get_json()["id"])
    kept = supplier.services.store.read(
        lambda uow: ScenarioRepository(uow).kept(problem.tenant, "problem", problem.gateway_id)
    )
    assert kept == {}


def test_the_page_tries_a_client_for_each_door(supplier: Supplier) -> None:
    named = {client["path"]: client["id"] for client in clients_of(check_page(supplier.client))}
    assert named == {"/admin/": "admin", "/back-office/": "back-office", "/": "gateway"}


@pytest.mark.parametrize("more_settings", [{CLIENT: "a-secret-of-our-own"}])
def test_a_secret_that_not_everybody_knows_is_not_shown(supplier: Supplier) -> None:
    page = check_page(supplier.client)
    assert "a-secret-of-our-own" not in page
    assert "gateway" not in {client["id"] for client in clients_of(page)}


def test_it_can_be_switched_off(environ: dict[str, str]) -> None:
    app = create_app(load_settings(environ | {"SUPPLIER_API__SERVER__DOCS": "false"}))
    http = app.test_client()
    for path in ("/docs", "/openapi.json", "/docs/assets/swagger-ui.css"):
        answer = http.get(path)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "NOT_FOUND")
    app.extensions["services"].store.close()
