"""Connections: what stays open between two requests, and what does not."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from flask import Flask
from werkzeug.serving import make_server

from supplier_api.sandbox.server import BODY_MAX, Handler
from tests.integration.sandbox.conftest import TENANT_PROBLEM, Party


@pytest.fixture
def connection(app: Flask) -> Iterator[http.client.HTTPConnection]:
    """Give a connection to the gateway, as its own server serves it."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as made:
        yield made
    server.shutdown()
    thread.join()
    server.server_close()


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


@pytest.mark.parametrize(
    "headers",
    [
        {"Transfer-Encoding": "chunked"},
        {"Content-Length": str(BODY_MAX + 1)},
        {"Content-Length": "+2"},
        {"Connection": "close", "Content-Length": "2"},
    ],
    ids=["in chunks", "too long", "no number", "as asked"],
)
def test_a_connection_is_closed_behind_a_body_that_is_not_taken_at_its_word(
    connection: http.client.HTTPConnection, headers: dict[str, str]
) -> None:
    connection.putrequest("POST", "/nothing")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(b"2\r\n{}\r\n0\r\n\r\n" if "Transfer-Encoding" in headers else b"{}")
    if headers.get("Content-Length") == str(BODY_MAX + 1):
        connection.send(b" " * (BODY_MAX - 1))
    answer = connection.getresponse()
    assert answer.status in {404, 400}
    answer.read()
    assert connection.sock is None or connection.sock.recv(1) == b""


def test_two_lengths_are_none(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("POST", "/nothing")
    connection.putheader("Content-Length", "0")
    connection.putheader("Content-Length", "2")
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    assert connection.sock is None or connection.sock.recv(1) == b""
