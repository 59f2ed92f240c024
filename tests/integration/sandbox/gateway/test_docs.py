"""The gateway's description as it is served."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from supplier_api.sandbox.gateway import SandboxConfig
from supplier_api.sandbox.gateway.access import Party
from supplier_api.sandbox.gateway.web import openapi_document
from tests.integration.sandbox.gateway.conftest import MakeApp
from tests.pages import check_page, clients_of, execute


def test_the_description_is_served(http: FlaskClient) -> None:
    assert http.get("/openapi.json").get_json() == openapi_document()


def test_the_page_needs_nothing_from_elsewhere(http: FlaskClient) -> None:
    assert clients_of(check_page(http)) == []


def test_a_file_that_is_not_there_is_not_found(http: FlaskClient) -> None:
    for name in ("nothing.js", "../__init__.py"):
        assert http.get(f"/docs/assets/{name}").status_code == 404


@pytest.fixture
def known(config: SandboxConfig, make_app: MakeApp) -> FlaskClient:
    """Return a gateway whose secrets everybody knows."""
    parties: list[Party] = [*config.tenants, *config.suppliers, *config.admins]
    secrets = frozenset(party.client_secret for party in parties)
    return make_app(replace(config, known_secrets=secrets)).test_client()


def test_a_first_try_works_and_plays_no_scenario(known: FlaskClient) -> None:
    answer, sent = execute(known, "/service-problems")
    assert answer.status_code == 201, answer.get_json()
    assert sent == ["Authorization", "X-Request-ID", "X-Conversation-ID"]


def test_the_page_tries_a_party_for_each_side(known: FlaskClient) -> None:
    named = {client["path"]: client["id"] for client in clients_of(check_page(known))}
    assert named == {"/kcis": "supplier", "/admin/": "admin", "/": "tenant"}


def test_it_can_be_switched_off(config: SandboxConfig, make_app: MakeApp) -> None:
    http = make_app(replace(config, docs=False)).test_client()
    assert [http.get(path).status_code for path in ("/docs", "/openapi.json")] == [404, 404]
