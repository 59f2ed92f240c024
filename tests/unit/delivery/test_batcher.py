"""Which thread completes the attempts that several threads have added."""

import threading
from typing import cast

from supplier_api.clock import ManualMachineClock
from supplier_api.delivery.dispatcher import Batcher
from supplier_api.delivery.model import Sent


def attempt() -> Sent:
    """Return an attempt that differs from others only by identity."""
    return cast("Sent", object())


def test_the_thread_that_adds_the_first_is_in_charge_until_nothing_waits() -> None:
    batcher, first, second = Batcher(ManualMachineClock()), attempt(), attempt()
    assert batcher.add(first)
    assert not batcher.add(second)
    assert batcher.take() == [first, second]
    third = attempt()
    assert not batcher.add(third)
    assert batcher.finish([])
    assert batcher.take() == [third]
    assert not batcher.finish([])
    assert batcher.add(first)


def test_what_could_not_be_completed_comes_first_the_next_time() -> None:
    batcher, first, second = Batcher(ManualMachineClock()), attempt(), attempt()
    batcher.add(first)
    batcher.take()
    batcher.add(second)
    assert batcher.finish([first])
    assert batcher.take() == [first, second]


def test_a_stuck_thread_in_charge_is_replaced_by_another() -> None:
    clock = ManualMachineClock()
    batcher, first, second = Batcher(clock), attempt(), attempt()
    batcher.add(first)
    batcher.take()
    batcher.add(second)
    clock.advance(45)
    assert not batcher.is_stuck(45)
    clock.advance(1)
    assert batcher.is_stuck(45)
    relief = threading.Thread(target=batcher.take)
    relief.start()
    relief.join()
    assert not batcher.is_stuck(45)
    # It wakes at last: the charge is no longer its own.
    assert not batcher.finish([first])
    assert not batcher.add(second)
