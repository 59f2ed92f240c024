"""The page /docs as a browser would use it."""

import json
import re
from html import unescape
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

Schema = dict[str, Any]


def check_page(http: FlaskClient) -> str:
    """Check that the page runs nothing but files of ours, and return it."""
    answer = http.get("/docs")
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    page = answer.get_data(as_text=True)
    assert re.findall(r"<script(?! src=)|<style|\son\w+=|style=", page) == []
    files = re.findall(r'(?:src|href)="(/[^"]+)"', page)
    assert len(files) == 3
    for file in ["/docs", "/openapi.json", *files]:
        with http.get(file) as served:
            assert served.status_code == 200
            assert served.headers["X-Content-Type-Options"] == "nosniff"
    assert re.findall(r'(?:src|href)="(?!/docs/assets/|data:,)', page) == []
    return page


def clients_of(page: str) -> list[dict[str, str]]:
    """Return the clients that the page tries."""
    found = re.search(r'data-clients="([^"]*)"', page)
    assert found
    clients: list[dict[str, str]] = json.loads(unescape(found[1]))
    return clients


def execute(http: FlaskClient, path: str, method: str = "post") -> tuple[TestResponse, list[str]]:
    """Do what Execute does at first: everything as the examples have it, the token by the page.

    Returns the answer and the names of the headers that were sent.
    """
    api = http.get("/openapi.json").get_json()
    client = next(c for c in clients_of(check_page(http)) if path.startswith(c["path"]))
    form = {"grant_type": "client_credentials"}
    granted = http.post(client["tokenUrl"], data=form, auth=(client["id"], client["secret"]))
    headers = {"Authorization": f"Bearer {granted.get_json()['access_token']}"}
    described = api["paths"][path]
    operation = described[method]
    for given in (*described.get("parameters", []), *operation["parameters"]):
        example = given.get("example", given["schema"].get("example"))
        if example is not None:
            headers[given["name"]] = str(example)
        assert example is not None or not given["required"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    body = example_of(api, schema)
    return http.open(path, method=method, json=body, headers=headers), list(headers)


def example_of(api: Schema, schema: Schema) -> Any:
    """Return the example of a schema, made of those of its fields."""
    while "$ref" in schema or "allOf" in schema:
        if "example" in schema:
            return schema["example"]
        reference = schema.get("$ref") or schema["allOf"][0]["$ref"]
        schema = api["components"]["schemas"][reference.rpartition("/")[2]]
    if "example" in schema:
        return schema["example"]
    if schema["type"] == "array":
        return [example_of(api, schema["items"])]
    return {name: example_of(api, field) for name, field in schema["properties"].items()}
