"""A loop goes on after a turn of any outcome."""

import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from supplier_api.clock import ManualMachineClock
from supplier_api.db import StoreUnavailable
from supplier_api.db.notify import WakeEvent
from supplier_api.delivery import threads
from supplier_api.delivery.threads import Loop

PATIENCE = 20.0


@pytest.fixture
def clock() -> ManualMachineClock:
    return ManualMachineClock()


def failing_once(error: Exception, again: threading.Event) -> Callable[[], float]:
    errors = [error]

    def turn() -> float:
        if errors:
            raise errors.pop()
        again.set()
        return PATIENCE

    return turn


@pytest.mark.parametrize(
    ("error", "event"),
    [(StoreUnavailable("gone"), "loop.no-database"), (ValueError("MARKER"), "loop.failed")],
)
def test_a_turn_that_fails_is_followed_by_another(
    error: Exception, event: str, clock: ManualMachineClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "AFTER_FAILURE", 0.001)
    again = threading.Event()
    looping = Loop("test", failing_once(error, again), WakeEvent(), clock)
    with capture_logs() as logs:
        looping.start()
        assert again.wait(PATIENCE)
        looping.stop(PATIENCE)

    assert [line["event"] for line in logs] == [event]


def test_a_set_event_starts_the_next_turn_at_once(
    clock: ManualMachineClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "LOOK_EVERY", 3600.0)
    turns, wake_event = threading.Semaphore(0), WakeEvent()

    def turn() -> float:
        turns.release()
        return 3600.0

    looping = Loop("test", turn, wake_event, clock)
    looping.start()
    assert turns.acquire(timeout=PATIENCE)
    wake_event.set()
    assert turns.acquire(timeout=PATIENCE)
    looping.stop(PATIENCE)


def test_it_is_healthy_while_it_takes_turns(clock: ManualMachineClock) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def turn() -> float:
        entered.set()
        go_on.wait(PATIENCE)
        return 3600.0

    looping = Loop("test", turn, WakeEvent(), clock)
    assert not looping.healthy()
    looping.start()
    assert entered.wait(PATIENCE)
    assert looping.healthy()
    clock.advance(61)
    assert not looping.healthy()
    go_on.set()
    looping.stop(PATIENCE)
    assert not looping.healthy()


def test_what_was_never_started_can_be_stopped(clock: ManualMachineClock) -> None:
    Loop("test", lambda: 1.0, WakeEvent(), clock).stop(PATIENCE)


def test_a_loop_rests_between_turns_whatever_wakes_it_but_not_from_being_stopped(
    clock: ManualMachineClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "LOOK_EVERY", 3600.0)
    turns, wake_event = threading.Semaphore(0), WakeEvent()

    def turn() -> float:
        turns.release()
        return 3600.0

    looping = Loop("test", turn, wake_event, clock, rest=3600.0)
    looping.start()
    assert turns.acquire(timeout=PATIENCE)
    wake_event.set()
    looping.stop(PATIENCE)

    assert not looping.healthy()
    assert not turns.acquire(blocking=False)
