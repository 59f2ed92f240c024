"""When a connection is used again, and what is taken for an answer, on both ways out.

The worker and the sandbox gateway call with clients of their own; both use the same connections.
"""

import socket
from collections.abc import Callable, Iterator

import pytest

from supplier_api.clock import SystemMachineClock
from supplier_api.http_client.calls import NETWORK_ERRORS
from supplier_api.http_client.connections import (
    Adapter,
    ConnectionLimits,
    KeptConnection,
    new_session,
)
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.sandbox.gateway.codes import GatewayErrorCode
from supplier_api.sandbox.gateway.config import SupplierAccount
from supplier_api.sandbox.gateway.supplier_client import NoSupplierAnswer, SupplierClient
from tests.integration.delivery.conftest import Clock
from tests.integration.delivery.sink import (
    Reaction,
    Request,
    Sink,
    answer,
    break_off,
    hang,
    raw,
)

NO_ANSWER = 0
DENIED = -1
UNANSWERED = (GatewayErrorCode.SUPPLIER_TIMED_OUT, GatewayErrorCode.SUPPLIER_FAULT)
PATIENCE = 20.0
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.fixture
def clock() -> Clock:
    return Clock()


# Calls once and returns the status, NO_ANSWER for none.
Caller = Callable[[], int]


def worker_calls(sink: Sink, clock: Clock) -> Iterator[Caller]:
    sessions = Sessions(limits=ConnectionLimits(idle=15, age=300), clock=clock)
    watchdog = Watchdog(SystemMachineClock())
    watchdog.start()

    def call() -> int:
        try:
            with (
                watchdog.limit(1.0 if hang in sink.kci_reactions else PATIENCE),
                sessions.post(
                    f"{sink.url}/kcis", data=b"{}", headers={}, read_timeout=PATIENCE
                ) as it,
            ):
                it.read(1000)
                return it.status
        except NETWORK_ERRORS:
            return NO_ANSWER

    yield call
    watchdog.stop()


def sandbox_calls(sink: Sink, clock: Clock) -> Iterator[Caller]:
    token_url = f"{sink.url}/access-token"
    supplier = SupplierAccount("S", "s", "s", sink.url, token_url, "gateway", "gateway-secret")
    session = new_session()
    session.mount("http://", Adapter(ConnectionLimits(idle=15, age=300), clock))
    client = SupplierClient(supplier, clock, 1.0, session)

    def call() -> int:
        try:
            return client.send("POST", "/service-problems", {}, {}, lambda *_: "request-1").status
        except NoSupplierAnswer as error:
            return NO_ANSWER if error.code in UNANSWERED else DENIED

    yield call
    client.close()


@pytest.fixture(params=[worker_calls, sandbox_calls])
def call(request: pytest.FixtureRequest, sink: Sink, clock: Clock) -> Iterator[Caller]:
    yield from request.param(sink, clock)


def connections(calls: list[Request]) -> int:
    return len({each.connection for each in calls})


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_an_interim_answer_is_skipped_and_the_next_call_gets_its_own_answer(
    call: Caller, sink: Sink, status: int
) -> None:
    early = f"HTTP/1.1 {status} Early Hints\r\nLink: </style.css>\r\n\r\n".encode()
    sink.kci_reactions.extend([raw(early + early, NO_CONTENT), answer(503)])

    assert [call(), call()] == [204, 503]
    # On a connection on which something unexpected was seen nothing more is sent.
    assert connections(sink.kcis) == 2


def test_interim_answers_without_end_are_no_answer(call: Caller, sink: Sink) -> None:
    sink.kci_reactions.append(raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100))

    assert [call(), call()] == [NO_ANSWER, 204]


@pytest.mark.parametrize(
    "reaction",
    [
        raw(NO_CONTENT + b"{}"),
        raw(NO_CONTENT + NO_CONTENT),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}and more"),
        answer(500),
        answer(503, Retry_After="5"),
        answer(408),
        answer(421),
    ],
    ids=["a body of 204", "two answers", "more than it says", "500", "503", "408", "421"],
)
def test_after_such_an_answer_the_connection_is_not_used_again(
    call: Caller, sink: Sink, reaction: Reaction
) -> None:
    sink.kci_reactions.append(reaction)
    call()

    assert call() == 204
    assert connections(sink.kcis) == 2


@pytest.mark.parametrize("reaction", [answer(204), answer(200, b"{}"), answer(422), answer(429)])
def test_after_any_other_answer_it_is(call: Caller, sink: Sink, reaction: Reaction) -> None:
    sink.kci_reactions.extend([reaction, reaction])

    assert call() == call()
    assert connections(sink.kcis) == 1


@pytest.mark.parametrize("reaction", [hang, break_off, raw(b"HTTP/1.1 2", b"hm\r\n\r\n")])
def test_after_no_answer_it_is_not(call: Caller, sink: Sink, reaction: Reaction) -> None:
    sink.kci_reactions.append(reaction)

    assert [call(), call()] == [NO_ANSWER, 204]
    assert connections(sink.kcis) == 2


@pytest.mark.parametrize(("pauses", "made"), [([14.0], 1), ([16.0], 2), ([14.0] * 22, 2)])
def test_neither_when_it_was_idle_for_long_nor_when_it_is_old(
    call: Caller, sink: Sink, clock: Clock, pauses: list[float], made: int
) -> None:
    call()
    for pause in pauses:
        clock.passed += pause
        call()

    assert connections(sink.kcis) == made


def test_a_thread_may_ask_for_a_new_connection(sink: Sink) -> None:
    sessions = Sessions()
    for _ in range(2):
        sessions.renew()
        with sessions.post(sink.url, data=b"", headers={}, read_timeout=PATIENCE) as it:
            it.read(1)

    assert connections(sink.kcis) == 2


def test_a_peer_that_is_gone_is_noticed(sink: Sink) -> None:
    connection = KeptConnection("127.0.0.1", sink.port)
    connection.connect()
    try:
        assert connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if option := getattr(socket, "TCP_KEEPIDLE", None):
            assert connection.sock.getsockopt(socket.IPPROTO_TCP, option) == 10
    finally:
        connection.close()


def test_the_caller_names_itself_and_its_version(call: Caller, sink: Sink) -> None:
    call()

    product, _, number = sink.kcis[0].headers["user-agent"].partition("/")
    assert product == "supplier_api"
    assert number[0].isdigit()
