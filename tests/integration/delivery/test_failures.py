"""Failures of the network, the gateway and the database: nothing is lost, the log has the cause."""

import socket
import sqlite3
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from supplier_api.clock import ManualMachineClock, SystemMachineClock
from supplier_api.db import Store, StoreUnavailable
from supplier_api.delivery import completer
from supplier_api.delivery.answers import AnswerTerms
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.delivery.transports import GatewayAddress, GatewayTransport
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.ids import SystemIdSource
from supplier_api.outbox.model import Message
from tests.certificates import self_signed
from tests.integration.delivery.conftest import (
    ALREADY,
    CONFLICT,
    PATIENCE,
    TAKEN,
    FakeTransport,
    RoundMaker,
)
from tests.integration.delivery.sink import (
    Handler,
    answer,
    break_off,
    cut_body,
    hang,
    nobody,
    raw,
    refusal,
    serving,
)
from tests.outbox import Outbox

SOON = 0.5  # seconds
on_sqlite = pytest.mark.parametrize("upgraded_url", ["sqlite_file"], indirect=True)


def reset(handler: Handler) -> None:
    """Reset the connection instead of an answer."""
    # With a linger of 0 s, a close is a reset.
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


class Way:
    """A gateway with a working token endpoint and KCI endpoint, until a test changes that."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self.sink = stack.enter_context(serving())
        self.kcis = self.sink.url
        self.tokens = self.sink.url
        self.sessions = Sessions()

    def tls(self, address: str = "127.0.0.1", *, ended: bool = False, known: bool = True) -> None:
        """Receive by TLS with such a certificate; `known`: it is among the authorities."""
        certificate = self_signed(self.folder, address, days=-1 if ended else 90)
        self.kcis = self.stack.enter_context(serving(tls=certificate)).url
        self.sessions = Sessions(ca_file=certificate if known else None)

    def react(self, reaction: Callable[[Handler], None]) -> None:
        """React like this to every KCI."""
        self.sink.kci_reactions.extend([reaction] * 2)

    def grant(self, reaction: Callable[[Handler], None]) -> None:
        """React like this to the request for a token."""
        self.sink.token_reactions.append(reaction)

    def lead(self, *, kcis: str | None = None, tokens: str | None = None) -> None:
        """Use other addresses."""
        self.kcis, self.tokens = kcis or self.kcis, tokens or self.tokens

    def refuse(self, leg: str) -> None:
        """Use addresses at which nobody listens."""
        self.lead(**{leg: self.stack.enter_context(nobody())})


@pytest.fixture
def way(tmp_path: Path) -> Iterator[Way]:
    with ExitStack() as stack:
        yield Way(stack, tmp_path)


def transport_on(way: Way, watchdog: Watchdog) -> GatewayTransport:
    address = GatewayAddress(
        kci_url=f"{way.kcis}/kcis",
        token_url=f"{way.tokens}/auth/supplier/access-token",
        client_id="supplier",
        client_secret="secret",
        answers=AnswerTerms(ALREADY),
    )
    return GatewayTransport(address, way.sessions, watchdog, SystemMachineClock(), SystemIdSource())


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
NOWHERE = "http://gateway.supplier-api.invalid"
UNTRUSTED = "certificate not trusted"
# What breaks; the cause that is logged.
FAILURES: dict[str, tuple[Callable[[Way], None], str]] = {
    "token endpoint down": (lambda way: way.refuse("tokens"), "token endpoint: connection refused"),
    "token endpoint fails": (lambda way: way.grant(answer(500)), "token endpoint: 500"),
    "token refused": (lambda way: way.grant(answer(401)), "token endpoint: 401"),
    "token is garbage": (lambda way: way.grant(answer(200, b"<html>")), "token endpoint: no token"),
    "no name of the token endpoint": (
        lambda way: way.lead(tokens=NOWHERE),
        "token endpoint: host name not found",
    ),
    "no name of the gateway": (lambda way: way.lead(kcis=NOWHERE), "host name not found"),
    "connection refused": (lambda way: way.refuse("kcis"), "connection refused"),
    "connection reset": (lambda way: way.react(reset), "connection reset"),
    "answer lost": (lambda way: way.react(break_off), "connection closed without an answer"),
    "no answer": (lambda way: way.react(hang), "no answer in time"),
    "TLS, unknown authority": (
        lambda way: way.tls(known=False),
        f"{UNTRUSTED}, not from a known authority",
    ),
    "TLS, another name": (lambda way: way.tls("127.0.0.2"), f"{UNTRUSTED}, for another name"),
    "TLS, expired": (lambda way: way.tls(ended=True), f"{UNTRUSTED}, expired"),
    "redirect": (lambda way: way.react(answer(302, Location="/elsewhere")), "302"),
    "401 twice": (lambda way: way.react(answer(401)), "401"),
    "forbidden": (lambda way: way.react(answer(403)), "403"),
    "not found, but not in the gateway's envelope": (lambda way: way.react(answer(404)), "404"),
    "proxy wants a password": (lambda way: way.react(answer(407)), "407"),
    "a page of what stands before the gateway": (
        lambda way: way.react(answer(200, b"<html>Sorry", Content_Type="text/html")),
        "200 with a page of HTML: not accepted",
    ),
    "an error in a 2xx": (
        lambda way: way.react(refusal(200, "INVALID_REQUEST", "no")),
        "200 with the error INVALID_REQUEST: not accepted",
    ),
    "a 2xx that breaks off": (lambda way: way.react(cut_body), "200 with a body that broke off"),
    "nothing but interim answers": (
        lambda way: way.react(raw(EARLY * 100)),
        "the answer is not proper HTTP",
    ),
    "server error after an interim answer": (
        lambda way: way.react(raw(EARLY, b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")),
        "503",
    ),
    "server error": (lambda way: way.react(refusal(500, "SERVER_ERROR", "no")), "500"),
}


@on_sqlite
@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_on_the_way_is_logged_by_its_cause_and_tried_again(
    way: Way,
    make_round: RoundMaker,
    outbox: Outbox,
    clock: ManualMachineClock,
    failure: str,
) -> None:
    breaks, cause = FAILURES[failure]
    breaks(way)
    watchdog = Watchdog(SystemMachineClock())
    watchdog.start()
    problem = outbox.problem(1)
    deadline = SOON if failure == "no answer" else PATIENCE
    with capture_logs() as logs:
        make_round(transport=transport_on(way, watchdog), deadline=deadline).turn()
    watchdog.stop()

    (line,) = (line for line in logs if line["event"].startswith("message."))
    assert (line["event"], line["log_level"]) == ("message.later", "warning")
    assert line["cause"].startswith(cause)
    (message,) = outbox.messages(problem)
    assert (message.state, message.attempts) == ("queued", 1)
    assert outbox.lane(problem).due_at == clock.now() + timedelta(seconds=5)
    assert way.sink.others == []


@on_sqlite
def test_what_was_said_before_one_answer_is_not_the_next_ones(
    way: Way, make_round: RoundMaker, outbox: Outbox
) -> None:
    no_content = b"HTTP/1.1 204 No Content\r\n\r\n"
    way.sink.kci_reactions.extend([raw(EARLY, no_content), answer(503)])
    first, second = outbox.problem(1), outbox.problem(1)
    watchdog = Watchdog(SystemMachineClock())
    watchdog.start()
    make_round(transport=transport_on(way, watchdog), threads=1, deadline=PATIENCE).turn()
    watchdog.stop()

    assert len(way.sink.kcis) == 2
    assert sorted([outbox.states(first), outbox.states(second)]) == [["delivered"], ["queued"]]


class LostStore:
    """Makes a store fail at will, as when its database is away."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failures = 0
        self.failed = threading.Event()
        write = store.write

        def lost(*given: Any, **named: Any) -> Any:
            if self.failures:
                self.failures -= 1
                self.failed.set()
                raise StoreUnavailable("the connection to the database was lost")
            return write(*given, **named)

        monkeypatch.setattr(store, "write", lost)


def test_a_database_that_is_away_when_the_answer_comes_is_waited_for(
    store: Store,
    outbox: Outbox,
    make_round: RoundMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(completer, "STORE_PAUSE", 0.0)
    lost, sent = LostStore(store, monkeypatch), []

    class Receiver:
        def send(self, message: Message, _seconds: float) -> Reply:
            sent.append(message.number)
            lost.failures = 3
            return TAKEN

    problem = outbox.problem(1)
    make_round(transport=Receiver()).turn()
    assert (sent, lost.failures) == ([1], 0)
    assert outbox.states(problem) == ["delivered"]


def test_a_database_that_stays_away_costs_a_repeat_and_no_message(
    store: Store,
    outbox: Outbox,
    transport: FakeTransport,
    make_round: RoundMaker,
    clock: ManualMachineClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(completer, "STORE_PAUSE", 0.0)
    lost = LostStore(store, monkeypatch)

    class Receiver:
        def send(self, _message: Message, _seconds: float) -> Reply:
            lost.failures = 1
            clock.advance(45)
            return TAKEN

    problem = outbox.problem(1)
    with capture_logs() as logs:
        make_round(transport=Receiver()).turn()
    assert [(line["event"], line["error"]) for line in logs] == [
        ("message.not-settled", "the connection to the database was lost")
    ]
    assert outbox.states(problem) == ["queued"]
    # Whoever takes the lane over does not know whether it arrived; the receiver does.
    transport.reply_with(problem, CONFLICT)
    make_round().turn()
    assert outbox.states(problem) == ["delivered"]


@on_sqlite
def test_a_locked_database_is_waited_for(
    store: Store, outbox: Outbox, transport: FakeTransport, make_round: RoundMaker
) -> None:
    problem = outbox.problem(1)
    transport.hold_up(problem)
    round_ = make_round()
    round_.dispatcher.turn()
    assert transport.entered.acquire(timeout=PATIENCE)
    with closing(sqlite3.connect(str(store.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        transport.let_go.set()
        assert not round_.dispatcher.finish(SOON)
        other.execute("ROLLBACK")
    assert round_.dispatcher.finish(PATIENCE)
    assert transport.sent == [(problem, 1)]
    assert outbox.states(problem) == ["delivered"]


class FullDisk:
    """Lets an SQLite file grow no more, until a number of transactions have failed for it."""

    def __init__(self, store: Store, failures: int) -> None:
        self.failures = failures
        self._full = False
        event.listen(store.engine, "checkout", self._limit)
        event.listen(store.engine, "rollback", self._failed)

    def fill(self) -> None:
        """Let it be full from now on."""
        self._full = True

    def _limit(self, connection: Any, *_: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        most = pages if self._full else 1 << 30
        connection.execute(f"PRAGMA max_page_count={most}")

    def _failed(self, _: object) -> None:
        self.failures -= 1
        self._full = self.failures > 0


@on_sqlite
def test_a_full_disk_is_waited_for(
    store: Store, outbox: Outbox, make_round: RoundMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completer, "STORE_PAUSE", 0.0)
    disk, sent = FullDisk(store, failures=3), []
    # More than there is room for on the pages that are there.
    wordy = Reply(Meaning.ACCEPTED, "204" * 20_000, 204)

    class Receiver:
        def send(self, message: Message, _seconds: float) -> Reply:
            sent.append(message.number)
            disk.fill()
            return wordy

    problem, other = outbox.problem(1), outbox.problem()
    make_round(transport=Receiver()).turn()
    assert (sent, disk.failures) == ([1], 0)
    assert outbox.states(problem) == ["delivered"]
    outbox.queue(other, 1)
