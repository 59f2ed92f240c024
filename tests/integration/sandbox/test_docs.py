"""The gateway's description as it is served."""

import re

from flask.testing import FlaskClient

from supplier_api.sandbox.openapi import document


def test_the_description_is_served(http: FlaskClient) -> None:
    assert http.get("/openapi.json").get_json() == document()


def test_swagger_ui_needs_nothing_from_elsewhere(http: FlaskClient) -> None:
    page = http.get("/docs").get_data(as_text=True)
    files = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(files) >= 3
    for file in files:
        assert file.startswith("/docs/assets/")
        with http.get(file) as answer:
            assert answer.status_code == 200
    assert 'url: "/openapi.json"' in page


def test_a_file_that_is_not_there_is_not_found(http: FlaskClient) -> None:
    for name in ("nothing.js", "../__init__.py"):
        assert http.get(f"/docs/assets/{name}").status_code == 404
