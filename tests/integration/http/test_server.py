"""What the server itself does with connections, and what it hands on as it came."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from typing import Any

import pytest
from flask import Flask

from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.http import server as http_server
from supplier_api.http.connection import BODY_SECONDS, HEADERS_SECONDS
from supplier_api.http.server import SWEEP, HttpServer
from tests.logs import Lines
from tests.samples import problem_request
from tests.serving import HOST, Caller, served
from tests.supplier import Supplier, on_sqlite

pytestmark = on_sqlite

PATH = "/service-problems"
PATIENCE = 3.0  # as long as the answer budget
Clocks = tuple[ManualMachineClock, ManualBusinessClock, Any]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Return what opens the way to the path /held; it is open in the end."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def at_gate() -> threading.Event:
    """Return what is set when a thread waits there."""
    return threading.Event()


@pytest.fixture
def listening(
    app: Flask, gate: threading.Event, at_gate: threading.Event, clocks: Clocks
) -> Iterator[HttpServer]:
    """Serve the supplier with one thread and room for one more request, on the tests' clock."""

    def gated(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/held":
            at_gate.set()
            gate.wait(60)
        return app(environ, start_response)

    with served(gated, clocks[0], threads=1, room=1, patience=PATIENCE) as server:
        yield server


Connect = Callable[[], Caller]


@pytest.fixture
def connect(listening: HttpServer) -> Iterator[Connect]:
    """Return what makes a caller."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Caller(listening.address[1])))


def head(
    supplier: Supplier, path: str = PATH, changes: Mapping[str, str | bytes] | None = None
) -> list[str | bytes]:
    """Return request line and headers of a good request, without its length."""
    headers: dict[str, str | bytes] = {
        "Host": HOST,
        "Content-Type": "application/json",
        **supplier.headers(),
        **(changes or {}),
    }
    lines = [
        f"{name}: ".encode() + (value if isinstance(value, bytes) else value.encode())
        for name, value in headers.items()
    ]
    return [f"POST {path} HTTP/1.1", *lines]


def problem() -> bytes:
    return json.dumps(problem_request()).encode()


def length(body: bytes) -> str:
    return f"Content-Length: {len(body)}"


def refused(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str, list[str]]:
    document = json.loads(answer[2])
    return answer[0], document["code"], document["messages"]


def passed_by(connect: Connect) -> None:
    """Return when what was sent before has been read: another caller has been answered."""
    assert connect().send("GET /health/live HTTP/1.1", "Host: x").answer()[0] == 200


# -- what a request says twice, or not in ASCII, or not literally


@pytest.mark.parametrize(
    "name", ["Tenant", "X-Request-ID", "X-Conversation-ID", "Authorization", "Content-Type"]
)
def test_a_header_that_stands_twice_is_named(
    supplier: Supplier, connect: Connect, name: str
) -> None:
    body = problem()
    told = [f"{name}: expected once, not twice"]
    lines = [*head(supplier), f"{name.lower()}: B", length(body)]
    answer = connect().send(*lines, body=body).answer()
    assert refused(answer) == (400, "MALFORMED_REQUEST", told)
    assert supplier.problems() == 0
    # Before access is looked at, behind paths and methods; the same at the back office's door.
    twice = [f"{name}: A", f"{name}: A"]
    events = "/back-office/v1/problems/SP_1/events"
    for line, status in (
        (f"POST {PATH} HTTP/1.1", 400),
        (f"POST {events} HTTP/1.1", 400),
        (f"PUT {PATH} HTTP/1.1", 405),
        ("POST /nothing HTTP/1.1", 404),
    ):
        assert connect().send(line, "Host: x", *twice).answer()[0] == status
    token = connect().send("POST /oauth2/token HTTP/1.1", "Host: x", *twice).answer()
    assert (token[0], json.loads(token[2])["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("name", ["Tenant", "X-Request-ID", "X-Conversation-ID"])
@pytest.mark.parametrize("value", [b"caf\xc3\xa9", b"\xe9", b"\xa0"])
def test_what_is_not_ascii_in_a_header_is_invalid_and_not_missing(
    supplier: Supplier, connect: Connect, name: str, value: bytes
) -> None:
    body = problem()
    answer = connect().send(*head(supplier, PATH, {name: value}), length(body), body=body).answer()
    expected = [f"{name}: expected 1 to 255 visible ASCII characters"]
    assert refused(answer) == (422, "INVALID_REQUEST", expected)


@pytest.mark.parametrize("name", ["X-Scenario", "X-Problem-Code", "X-Kci-Delay"])
@pytest.mark.parametrize("value", [b"\xe9", b"\xa0", b"5\xa0"])
def test_no_scenario_is_dropped_since_it_is_not_ascii(
    supplier: Supplier, connect: Connect, name: str, value: bytes
) -> None:
    body = problem()
    answer = connect().send(*head(supplier, PATH, {name: value}), length(body), body=body).answer()
    assert refused(answer) == (422, "INVALID_REQUEST", [f"{name}: expected ASCII characters"])


def test_a_path_is_judged_as_it_is_written(supplier: Supplier, connect: Connect) -> None:
    opened = supplier.opened()
    events = f"/back-office/v1/problems/{opened.reference}/events"
    token = {"Authorization": f"Bearer {supplier.token('back-office')}"}
    body = json.dumps({"id": "EV-1", "event": "start"}).encode()
    for path in (
        f"/{events}",
        f"//{events}",
        events.replace("back", "%62ack"),
        events.replace("/v1/", "%2Fv1/"),
        events.replace("events", "event%73"),
    ):
        answer = connect().send(*head(supplier, path, token), length(body), body=body).answer()
        assert refused(answer)[:2] == (404, "NOT_FOUND"), path
    assert connect().send(f"GET {events.replace('back', '%62ack')} HTTP/1.1").answer()[0] == 404
    # In a name that is not ours any character may be written so.
    encoded = events.replace("SP_", "%53P%5F")
    answer = connect().send(*head(supplier, encoded, token), length(body), body=body).answer()
    assert answer[0] == 200, answer


def test_a_name_with_an_underscore_is_no_header_of_ours(
    supplier: Supplier, connect: Connect
) -> None:
    body = problem()
    lines = [*head(supplier), "X_Request_ID: other", "X_Scenario: NO_SUCH", length(body)]
    assert connect().send(*lines, body=body).answer()[0] == 201


# -- age


def test_what_waited_too_long_for_a_thread_leaves_nothing(
    supplier: Supplier, connect: Connect, gate: threading.Event, clocks: Clocks
) -> None:
    connect().send("GET /held HTTP/1.1", "Host: x")
    passed_by(connect)
    body = problem()
    late = connect().send(*head(supplier), length(body), body=body)
    passed_by(connect)
    clocks[0].advance(PATIENCE + 0.1)
    gate.set()
    status, headers, _ = late.answer()
    assert (status, headers["retry-after"]) == (503, "1")
    assert supplier.problems() == 0


def test_an_age_counts_from_the_last_byte(
    supplier: Supplier,
    connect: Connect,
    gate: threading.Event,
    clocks: Clocks,
    logged: Lines,
) -> None:
    body = problem()
    supplier.headers()
    slow = connect().send(*head(supplier), length(body), body=body[:-1])
    passed_by(connect)
    clocks[0].advance(5.0)
    connect().send("GET /held HTTP/1.1", "Host: x")
    passed_by(connect)
    slow.write(body[-1:])
    passed_by(connect)
    clocks[0].advance(2.5)
    gate.set()
    assert slow.answer()[0] == 201
    (line,) = [line for line in logged() if line["event"] == "answered"]
    assert (line["milliseconds"], line["queued_ms"], line["since_headers_ms"]) == (2500, 2500, 7500)
    assert line["late"] is False


# -- what is bounded


def test_beyond_the_queue_it_is_full_and_health_answers_all_the_same(
    supplier: Supplier, connect: Connect, gate: threading.Event
) -> None:
    form = b"grant_type=client_credentials&client_id=gateway&client_secret=gateway-secret"
    held = [connect().send("GET /held HTTP/1.1", "Host: x") for _ in range(2)]
    passed_by(connect)
    body = problem()
    refused = connect().send(*head(supplier), length(body), body=body)
    status, headers, _ = refused.answer()
    assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
    assert refused.answer()[0] == 0
    passed_by(connect)
    content_type = "Content-Type: application/x-www-form-urlencoded"
    token = connect().send(
        "POST /oauth2/token HTTP/1.1", "Host: x", content_type, length(form), body=form
    )
    assert token.answer()[0] == 200
    gate.set()
    assert [each.answer()[0] for each in held] == [404, 404]


def test_who_is_slow_is_told_so_and_who_is_silent_is_left(
    supplier: Supplier, connect: Connect, clocks: Clocks
) -> None:
    silent, half = connect(), connect().write(b"GET /he")
    slow = connect().send(*head(supplier), "Content-Length: 1000", body=b"{")
    passed_by(connect)
    clocks[0].advance(BODY_SECONDS + 0.1)
    status, headers, _ = slow.answer()
    assert (status, headers["connection"]) == (408, "close")
    assert slow.answer()[0] == 0
    clocks[0].advance(HEADERS_SECONDS)
    assert silent.answer()[0] == 0
    assert half.answer()[0] == 408
    assert half.answer()[0] == 0


def test_more_connections_than_allowed_wait(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "CONNECTIONS", 2)
    live = ("GET /health/live HTTP/1.1", "Host: x")
    with served(app) as server, ExitStack() as stack:
        first, second = (stack.enter_context(closing(Caller(server.address[1]))) for _ in range(2))
        assert first.send(*live).answer()[0] == second.send(*live).answer()[0] == 200
        third = stack.enter_context(closing(Caller(server.address[1]))).send(*live)
        assert second.send(*live).answer()[0] == 200
        assert not third.is_answered(0.2)
        first.close()
        assert third.answer()[0] == 200


@pytest.mark.parametrize("more_settings", [{"SUPPLIER_API__SERVER__THREADS": "4"}])
def test_a_tester_who_waits_leaves_half_of_the_threads_to_others(
    app: Flask, clocks: Clocks
) -> None:
    line = "GET /admin/journal?tenant=NOBODY&wait=60s HTTP/1.1"
    with served(app, clocks[0], threads=4) as server, ExitStack() as stack:

        def connect() -> Caller:
            return stack.enter_context(closing(Caller(server.address[1])))

        polls = [connect().send(line, "Host: localhost") for _ in range(10)]
        # Eight are answered as if they did not wait; only two go on to wait.
        answered: list[Caller] = []
        for _ in range(60):
            answered = [poll for poll in polls if poll.is_answered(0.05)]
            if len(answered) == 8:
                break
        assert [each.answer()[0] for each in answered] == [408] * 8
        waiting = [poll for poll in polls if poll not in answered]
        assert connect().send("GET /openapi.json HTTP/1.1", "Host: x").answer()[0] == 200
        clocks[0].advance(61)
        assert [each.answer()[0] for each in waiting] == [408, 408]


# -- how connections are used


def test_requests_of_one_connection_are_answered_in_order(
    supplier: Supplier, connect: Connect
) -> None:
    body = problem()
    caller = connect()
    for _ in range(2):
        caller.send(*head(supplier), length(body), body=body)
        caller.send("HEAD /health/live HTTP/1.1", "Host: x")
        caller.send("GET /nothing HTTP/1.1", "Host: x")
    statuses = []
    for _ in range(2):
        statuses.append(caller.answer()[0])
        first = caller.line()
        while caller.line().strip():
            pass
        statuses += [int(first.split()[1]), caller.answer()[0]]
    assert statuses == [201, 200, 404] * 2
    assert supplier.problems() == 1


def test_half_a_request_behind_another_one_is_not_judged_before_its_turn(
    supplier: Supplier,
    connect: Connect,
    gate: threading.Event,
    at_gate: threading.Event,
    clocks: Clocks,
) -> None:
    half = b"\r\n".join(
        line if isinstance(line, bytes) else line.encode()
        for line in [*head(supplier), "Content-Length: 1000", b"", b"{"]
    )
    caller = connect().write(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n" + half)
    assert at_gate.wait(30)
    clocks[0].advance(BODY_SECONDS + 1)
    assert not caller.is_answered(3 * SWEEP)
    gate.set()
    assert caller.answer()[0] == 404
    passed_by(connect)
    clocks[0].advance(BODY_SECONDS + 1)
    assert caller.answer()[0] == 408


def test_a_body_in_chunks_and_one_that_waits_to_be_asked_for(
    supplier: Supplier, connect: Connect
) -> None:
    body = problem()
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    caller = connect()
    assert (
        caller.send(*head(supplier), "Transfer-Encoding: chunked", body=chunks).answer()[0] == 201
    )
    caller.send(*head(supplier), length(body), "Expect: 100-continue")
    assert caller.line() + caller.line() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert caller.write(body).answer()[0] == 201


def test_another_protocol_that_is_offered_is_not_taken_up(
    supplier: Supplier, connect: Connect
) -> None:
    body = problem()
    caller = connect()
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA")
    assert caller.send(*head(supplier), *offer, length(body), body=body).answer()[0] == 201
    assert caller.send("GET /health/live HTTP/1.1", "Host: x").answer()[0] == 200


@pytest.mark.parametrize(
    "lines",
    [
        ["PRI * HTTP/2.0", "", "SM"],
        [f"POST {PATH} HTTP/1.1", "Content-Length: 2", "Content-Length: 3"],
        [f"POST {PATH} HTTP/1.1", "Content-Length: 2", "Transfer-Encoding: chunked"],
        [f"POST {PATH} HTTP/1.1", "Tenant : A"],
        ["GET /\xe9 HTTP/1.1"],
    ],
    ids=["HTTP/2", "two lengths", "length and chunks", "space in a name", "path not in ASCII"],
)
def test_what_is_no_request_is_a_bare_400(connect: Connect, lines: list[str]) -> None:
    caller = connect().send(*lines, body=b"{}")
    status, headers, body = caller.answer()
    assert (status, headers["connection"], body) == (400, "close", b"")
    assert caller.answer()[0] == 0


def test_who_only_sends_no_more_is_answered_and_half_a_body_is_nothing(
    supplier: Supplier, connect: Connect, gate: threading.Event
) -> None:
    body = problem()
    assert (
        connect().send(*head(supplier), length(body), body=body[:-1]).stop_sending().answer()[0]
        == 0
    )
    assert supplier.problems() == 0
    caller = connect().send(*head(supplier), length(body), body=body).stop_sending()
    assert caller.answer()[0] == 201
    # That it will send no more is known here before it is answered.
    held = connect().send("GET /held HTTP/1.1", "Host: x").stop_sending()
    passed_by(connect)
    gate.set()
    status, headers, _ = held.answer()
    assert (status, headers["connection"]) == (404, "close")


def test_a_body_far_too_long_is_told_so(supplier: Supplier, connect: Connect) -> None:
    body = b" " * 1_000_000
    answer = connect().send(*head(supplier), length(body), body=body).answer()
    told = ["body: expected at most 262144 bytes"]
    assert refused(answer) == (400, "MALFORMED_REQUEST", told)


def test_a_server_that_ends_answers_what_is_complete_and_closes(
    supplier: Supplier, listening: HttpServer, connect: Connect, gate: threading.Event
) -> None:
    complete = connect().send("GET /held HTTP/1.1", "Host: x")
    half = connect().send(*head(supplier), "Content-Length: 1000", body=b"{")
    idle = connect()
    passed_by(connect)
    listening.stop()
    assert half.answer()[0] == 503
    assert idle.answer()[0] == 0
    gate.set()
    status, headers, _ = complete.answer()
    assert (status, headers["connection"]) == (404, "close")


def test_what_calls_a_server_that_has_ended_is_not_harmed(app: Flask) -> None:
    with served(app) as server:
        pass
    # A thread whose request took too long, or somebody in a hurry: the loop is closed by now.
    server.stop()
