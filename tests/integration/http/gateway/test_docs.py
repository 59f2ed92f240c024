"""The description as it is served."""

from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient

from supplier_api.http.gateway.openapi import supplier_document
from tests.pages import check_page, clients_of


def test_the_description_is_served(client: FlaskClient) -> None:
    assert client.get("/openapi.json").get_json() == supplier_document()


def test_the_description_names_the_paths_below_the_prefix(make_app: Callable[..., Flask]) -> None:
    described = make_app(prefix="/supplier/v1").test_client().get("/openapi.json").get_json()
    assert [f"/supplier/v1{path}" for path in supplier_document()["paths"]] == list(
        described["paths"]
    )


def test_the_page_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    assert clients_of(check_page(client)) == []


def test_a_file_that_is_not_there_is_not_found(client: FlaskClient) -> None:
    for name in ("nothing.js", "../__init__.py", "%2e%2e/__init__.py"):
        assert client.get(f"/docs/assets/{name}").status_code == 404
