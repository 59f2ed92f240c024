"""Connections: what stays open between two requests, and what does not."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from flask import Flask

from tests.integration.sandbox.gateway.conftest import TENANT_PROBLEM, Party
from tests.serving import served
from tests.waiting import PATIENCE


@pytest.fixture
def connection(app: Flask) -> Iterator[http.client.HTTPConnection]:
    """Give a connection to the gateway, as its own server serves it."""
    with (
        served(app) as server,
        closing(
            http.client.HTTPConnection("127.0.0.1", server.address[1], timeout=PATIENCE)
        ) as made,
    ):
        yield made


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    **headers: str,
) -> tuple[int, bytes]:
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_a_connection_stays_open(connection: http.client.HTTPConnection, tenant: Party) -> None:
    connection.connect()
    socket = connection.sock
    body = json.dumps(TENANT_PROBLEM).encode()
    headers = tenant.headers | {"Content-Type": "application/json"}
    # 404, 401 and 405 are answered without a look at the body: it must not be taken for a request.
    for method, path, bearer, status in (
        ("POST", "/service-problems", headers, 201),
        ("POST", "/nothing", headers, 404),
        ("POST", "/kcis", {}, 401),
        ("PUT", "/kcis", headers, 405),
        ("POST", "/service-problems", headers, 201),
    ):
        assert exchange(connection, method, path, body, **bearer)[0] == status
    assert exchange(connection, "HEAD", "/health/live") == (200, b"")
    assert exchange(connection, "GET", "/health/live")[0] == 200
    assert connection.sock is socket


def refusals(connection: http.client.HTTPConnection) -> tuple[int, list[str]]:
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())["messages"]


@pytest.mark.parametrize("name", ["X-Request-ID", "X-Conversation-ID", "Authorization"])
def test_a_header_that_stands_twice_is_named(
    connection: http.client.HTTPConnection, tenant: Party, name: str
) -> None:
    connection.putrequest("POST", "/service-problems")
    for known, value in {"Content-Length": "0", name: "A", **tenant.headers}.items():
        connection.putheader(known, value)
    connection.putheader(name.upper(), "B")
    connection.endheaders()
    assert refusals(connection) == (400, [f"{name}: expected once, not twice"])


@pytest.mark.parametrize("name", ["X-Request-ID", "X-Conversation-ID", "X-Scenario"])
def test_what_is_not_ascii_in_a_header_is_invalid(
    connection: http.client.HTTPConnection, tenant: Party, name: str
) -> None:
    headers = {**tenant.headers, "Content-Type": "application/json", name: "\xa0"}
    connection.request("POST", "/service-problems", json.dumps(TENANT_PROBLEM), headers)
    status, messages = refusals(connection)
    assert (status, len(messages)) == (422, 1)
    assert messages[0].startswith(f"{name}: expected ")


@pytest.mark.parametrize("path", ["//kcis", "/%6Bcis", "/service-problems%2F1"])
def test_a_path_is_judged_as_it_is_written(
    connection: http.client.HTTPConnection, path: str
) -> None:
    connection.request("POST", path, b"{}")
    assert refusals(connection)[0] == 404


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 400), ("0.0.0.0", 401)])
def test_testers_need_a_token_where_others_could_call_too(
    app: Flask, host: str, status: int
) -> None:
    with (
        served(app, host=host) as server,
        closing(
            http.client.HTTPConnection("127.0.0.1", server.address[1], timeout=PATIENCE)
        ) as caller,
    ):
        assert exchange(caller, "POST", "/admin/updates", b"{}")[0] == status
