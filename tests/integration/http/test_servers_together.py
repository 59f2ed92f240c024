"""Several servers in one process: each with threads of its own, and one end for all."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from supplier_api.http import server as http_server
from supplier_api.http.server import GRACE, HttpServer, ServerLimits
from supplier_api.http.serving import run_together, serving
from tests.logs import Lines
from tests.serving import HOST, LIMITS, Caller
from tests.waiting import PATIENCE


class Gated:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()

    def __call__(self, _: dict[str, Any], start_response: Any) -> list[bytes]:
        self.entered.set()
        self.gate.wait(PATIENCE)
        start_response("200 OK", [])
        return [b"{}"]


def server(application: Any) -> HttpServer:
    limits = ServerLimits(**{**LIMITS, "threads": 1, "room": 0, "reserved": {}})
    return HttpServer(application, limits, HOST, 0)


@contextmanager
def running(*servers: HttpServer) -> Iterator[threading.Thread]:
    """Run servers in a thread while the block runs; what they raise is raised at its end."""
    loop, ready, raised = asyncio.new_event_loop(), threading.Event(), list[Exception]()

    def run() -> None:
        try:
            loop.run_until_complete(run_together(servers, ready.set))
        except Exception as error:  # noqa: BLE001 - raised again
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield thread
    finally:
        servers[0].stop()
        thread.join(PATIENCE)
        loop.close()
    if raised:
        raise raised[0]


def get(to: HttpServer) -> int:
    with closing(Caller(to.address[1])) as caller:
        return caller.send("GET / HTTP/1.1", "Host: x").answer()[0]


def test_one_without_a_free_thread_leaves_the_others_theirs() -> None:
    busy, free = Gated(), Gated()
    free.gate.set()
    first, second = server(busy), server(free)
    with running(first, second), closing(Caller(first.address[1])) as held:
        held.send("GET / HTTP/1.1", "Host: x")
        assert busy.entered.wait(PATIENCE)
        assert get(first) == 503
        assert get(second) == 200
        busy.gate.set()
        assert held.answer()[0] == 200


def test_they_end_together() -> None:
    application = Gated()
    application.gate.set()
    first, second = server(application), server(application)
    with running(first, second) as thread:
        assert [get(each) for each in (first, second)] == [200, 200]
        second.stop()
        thread.join(GRACE)
        assert not thread.is_alive()
        for each in (first, second):
            with pytest.raises(ConnectionRefusedError):
                get(each)
        # The block's own end finds nothing left to end.
        thread.join()


def failing_when_set(made: HttpServer, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Return what makes a server fail."""
    failing = threading.Event()

    async def fail() -> None:
        while not failing.is_set():
            await asyncio.sleep(0.01)
        raise RuntimeError("nothing accepted")

    monkeypatch.setattr(made, "_accept", fail)
    return failing


def test_one_that_fails_ends_the_others_and_is_told(
    monkeypatch: pytest.MonkeyPatch, logged: Lines
) -> None:
    application = Gated()
    application.gate.set()
    first, second = server(application), server(application)
    failing = failing_when_set(second, monkeypatch)

    def serve_until_it_fails() -> None:
        with running(first, second) as thread:
            assert get(first) == 200
            failing.set()
            thread.join(PATIENCE)
            assert not thread.is_alive()

    with pytest.raises(RuntimeError, match="nothing accepted"):
        serve_until_it_fails()
    (line,) = logged()
    assert (line["event"], line["port"]) == ("server.failed", second.address[1])
    assert line["error"] == "builtins.RuntimeError"


def test_one_in_a_thread_of_its_own_raises_what_keeps_it_from_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_descriptors(_: int) -> int:
        raise OSError("too many open files")

    monkeypatch.setattr(http_server, "connections_allowed", no_descriptors)
    made = server(Gated())
    with pytest.raises(OSError, match="too many open files"), serving(made):
        pass
    with pytest.raises(ConnectionRefusedError):
        get(made)


def test_one_in_a_thread_of_its_own_tells_that_it_has_ended(
    monkeypatch: pytest.MonkeyPatch, logged: Lines
) -> None:
    made = server(Gated())
    failing = failing_when_set(made, monkeypatch)
    with serving(made) as alive:
        assert alive()
        failing.set()
        (thread,) = (each for each in threading.enumerate() if each.name == "listener")
        thread.join(PATIENCE)
        assert not alive()
    assert [line["event"] for line in logged()] == ["server.failed"]


def test_a_thread_that_an_application_ends_is_there_for_the_next_request() -> None:
    def leaving(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/leave":
            raise SystemExit
        start_response("200 OK", [])
        return [b"{}"]

    made = server(leaving)
    with running(made):
        with closing(Caller(made.address[1])) as caller:
            assert caller.send("GET /leave HTTP/1.1", "Host: x").answer()[0] == 500
        assert get(made) == 200
