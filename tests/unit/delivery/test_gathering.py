"""Who settles what several threads have brought."""

import threading
from typing import cast

from supplier_api.clock import ManualMachineClock
from supplier_api.delivery.batcher import Batcher
from supplier_api.delivery.model import Sent


def attempt() -> Sent:
    """Return an attempt that can only be told from others."""
    return cast("Sent", object())


def test_who_brings_the_first_is_in_charge_until_nothing_waits() -> None:
    gathering, first, second = Batcher(ManualMachineClock()), attempt(), attempt()
    assert gathering.bring(first)
    assert not gathering.bring(second)
    assert gathering.take() == [first, second]
    third = attempt()
    assert not gathering.bring(third)
    assert gathering.leave([])
    assert gathering.take() == [third]
    assert not gathering.leave([])
    assert gathering.bring(first)


def test_what_could_not_be_settled_comes_first_the_next_time() -> None:
    gathering, first, second = Batcher(ManualMachineClock()), attempt(), attempt()
    gathering.bring(first)
    gathering.take()
    gathering.bring(second)
    assert gathering.leave([first])
    assert gathering.take() == [first, second]


def test_who_is_stuck_in_charge_is_relieved_by_another() -> None:
    clock = ManualMachineClock()
    gathering, first, second = Batcher(clock), attempt(), attempt()
    gathering.bring(first)
    gathering.take()
    gathering.bring(second)
    clock.advance(45)
    assert not gathering.deserted(45)
    clock.advance(1)
    assert gathering.deserted(45)
    relief = threading.Thread(target=gathering.take)
    relief.start()
    relief.join()
    assert not gathering.deserted(45)
    # It wakes at last: the charge is no longer its own.
    assert not gathering.leave([first])
    assert not gathering.bring(second)
