"""Our own adapters keep the published contract, and the contract test finds those that do not."""

from collections.abc import Sequence
from unittest import SkipTest

import pytest

from supplier_api.backoffice.contract import BackOfficeContract, Failure, TicketSystem, settings_of
from supplier_api.backoffice.manual import ManualBackOffice
from supplier_api.backoffice.port import (
    BackOffice,
    OrderAnswer,
    OrderRefused,
    WorkOrder,
    version_from,
)
from supplier_api.sandbox.simulated_backoffice import SimulatedBackOffice

SETTINGS = settings_of("any")


def simulated() -> SimulatedBackOffice:
    return SimulatedBackOffice(SETTINGS, lambda _order: {})


@pytest.mark.parametrize("adapter", [ManualBackOffice(SETTINGS), simulated()])
def test_adapters_without_a_ticket_system_take_an_order_twice(adapter: BackOffice) -> None:
    BackOfficeContract().test_each_order_may_come_twice(adapter, TicketSystem())


class Forgetful:
    """An adapter that makes a ticket for every order, and fails in the wrong way."""

    def __init__(self) -> None:
        self.orders: list[WorkOrder] = []
        self.failing = False

    def submit(self, order: WorkOrder) -> OrderAnswer:
        self.orders.append(order)
        if self.failing:
            raise OrderRefused("503")
        return OrderAnswer(back_office_id=f"T-{len(self.orders)}", version=version_from(1))


class Ledger(TicketSystem):
    def __init__(self, adapter: Forgetful) -> None:
        self._adapter = adapter

    def effects(self) -> Sequence[object]:
        return list(self._adapter.orders)

    def fail(self, how: Failure) -> None:  # noqa: ARG002 - the contract's
        self._adapter.failing = True


def test_a_second_ticket_is_found() -> None:
    adapter = Forgetful()

    with pytest.raises(AssertionError, match="the order made another ticket"):
        BackOfficeContract().test_each_order_may_come_twice(adapter, Ledger(adapter))


def test_a_refusal_of_what_may_pass_is_found() -> None:
    adapter = Forgetful()

    with pytest.raises(AssertionError, match="what may pass was refused for good"):
        BackOfficeContract().test_a_broken_system_is_tried_again(adapter, Ledger(adapter))


def test_an_effect_of_a_refused_order_is_found() -> None:
    adapter = Forgetful()

    with pytest.raises(AssertionError, match="a refused order had an effect"):
        BackOfficeContract().test_a_refusal_is_final(adapter, Ledger(adapter))


def test_what_a_system_cannot_do_is_skipped() -> None:
    with pytest.raises(SkipTest, match="fail"):
        BackOfficeContract().test_a_slow_system_is_given_up(Forgetful(), TicketSystem())
