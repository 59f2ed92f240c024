"""Calls that take too long are ended, and only those."""

import socket
from collections.abc import Iterator

import pytest

from supplier_api.clock import ManualMachineClock, SystemMachineClock
from supplier_api.http_client.watchdog import (
    CallTimedOutError,
    SocketHandle,
    TimedCall,
    Watchdog,
    seize,
)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        # So that a watchdog that sleeps makes a test fail, and not hang.
        ours.settimeout(10)
        yield ours, theirs


@pytest.fixture
def handle(pair: tuple[socket.socket, socket.socket]) -> Iterator[SocketHandle]:
    """Yield a handle on our end."""
    handle = SocketHandle(pair[0])
    yield handle
    handle.give_up()


@pytest.fixture
def call() -> TimedCall:
    return TimedCall(ManualMachineClock(), 30)


def test_a_thread_that_reads_wakes_when_its_time_is_up(
    pair: tuple[socket.socket, socket.socket], handle: SocketHandle
) -> None:
    watchdog = Watchdog(SystemMachineClock())
    watchdog.start()
    with watchdog.limit(0.05) as call:
        seize(handle)
        assert pair[0].recv(1) == b""
    assert call.timed_out
    watchdog.stop()
    assert not watchdog.alive()


def test_a_connection_that_comes_too_late_is_not_used(
    call: TimedCall, handle: SocketHandle
) -> None:
    call.cut()

    with pytest.raises(CallTimedOutError):
        call.seize(handle)


def test_after_its_end_a_call_leaves_the_connection_to_the_next_one(
    call: TimedCall, pair: tuple[socket.socket, socket.socket], handle: SocketHandle
) -> None:
    call.seize(handle)
    call.end()
    call.cut()
    pair[0].sendall(b"still open")

    assert pair[1].recv(100) == b"still open"


def test_a_call_knows_what_is_left() -> None:
    clock = ManualMachineClock()
    call = TimedCall(clock, 30)
    clock.advance(20)
    assert call.left() == 10
    clock.advance(20)
    assert call.left() == 0


def test_a_connection_that_its_owner_has_closed_is_shut_down_all_the_same(
    call: TimedCall, pair: tuple[socket.socket, socket.socket]
) -> None:
    handle = SocketHandle(pair[0])
    call.seize(handle)
    # As for an answer that is read to the end of the connection.
    handle.give_up()
    call.cut()

    assert pair[1].recv(1) == b""
    call.end()


def test_outside_a_call_nothing_is_watched(
    pair: tuple[socket.socket, socket.socket], handle: SocketHandle
) -> None:
    seize(handle)
    pair[0].sendall(b"open")

    assert pair[1].recv(100) == b"open"
