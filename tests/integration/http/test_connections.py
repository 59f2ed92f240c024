"""What an application can say about its connection, and how many there may be."""

import resource
from contextlib import ExitStack, closing, suppress
from typing import Any

import pytest

from supplier_api.clock import ManualMachineClock
from supplier_api.http.connection import WRITE_SECONDS
from supplier_api.http.server import SWEEP, connections_allowed
from supplier_api.http.wsgi import NO_ANSWER
from tests.serving import Caller, served


def test_an_answer_shorter_than_it_says_ends_with_the_connection() -> None:
    def broken(_: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "10"), ("Connection", "close")])
        return [b"{"]

    def none(_: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [NO_ANSWER])
        return []

    for application, told in ((broken, b"{"), (none, b"")):
        with served(application) as server, closing(Caller(server.address[1])) as caller:
            said = caller.send("GET / HTTP/1.1", "Host: x").rest()
            assert said.partition(b"\r\n\r\n")[2] == told


@pytest.mark.parametrize(
    ("servers", "limits", "raised", "allowed"),
    [
        (1, (1024, 1_048_576), (4352, 1_048_576), 4096),
        (1, (1024, 2048), (2048, 2048), 1792),
        (1, (20_000, 20_000), None, 4096),
        (1, (1024, resource.RLIM_INFINITY), (4352, resource.RLIM_INFINITY), 4096),
        (1, (resource.RLIM_INFINITY, resource.RLIM_INFINITY), None, 4096),
        (3, (1024, 1_048_576), (12_544, 1_048_576), 4096),
        (3, (1024, 8192), (8192, 8192), 2645),
        (3, (resource.RLIM_INFINITY, resource.RLIM_INFINITY), None, 4096),
    ],
)
def test_as_many_connections_as_the_descriptors_leave(
    monkeypatch: pytest.MonkeyPatch,
    servers: int,
    limits: tuple[int, int],
    raised: tuple[int, int] | None,
    allowed: int,
) -> None:
    said: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, to: said.append(to))
    assert connections_allowed(servers) == allowed
    assert said == ([raised] if raised else [])


def test_who_takes_no_answer_gets_no_further_one_and_is_left() -> None:
    answered: list[str] = []
    clock = ManualMachineClock()

    def large(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        answered.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return [b"x" * 8_000_000] if environ["PATH_INFO"] == "/large" else [b""]

    with served(large, clock) as server, ExitStack() as stack:

        def caller() -> Caller:
            return stack.enter_context(closing(Caller(server.address[1])))

        greedy = caller()
        for _ in range(5):
            greedy.send("GET /large HTTP/1.1", "Host: x")
        assert caller().send("GET /small HTTP/1.1", "Host: x").answer()[0] == 200
        assert caller().send("GET /small HTTP/1.1", "Host: x").answer()[0] == 200
        # Nor one that it asks for now, with nothing at work.
        greedy.send("GET /large HTTP/1.1", "Host: x")
        assert caller().send("GET /small HTTP/1.1", "Host: x").answer()[0] == 200
        assert answered.count("/large") == 1
        for _ in range(2):
            clock.advance(WRITE_SECONDS + 1)
            assert not caller().is_answered(3 * SWEEP)
        with suppress(ConnectionError):
            assert len(greedy.rest()) < 8_000_000
