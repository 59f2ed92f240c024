"""The list of faults, and which of a run's calls are struck."""

import pytest

from supplier_api.sandbox.fault_injection.catalogue import BY_NAME, DELIVERY, KINDS
from supplier_api.sandbox.fault_injection.model import Direction, InjectedFault, Place, is_struck
from supplier_api.sandbox.fault_injection.sending import SENDING


def test_names_are_unique_in_their_direction() -> None:
    assert len(BY_NAME) == len(KINDS)


def test_what_breaks_the_contract_says_which_clause_and_what_it_expects() -> None:
    for kind in KINDS:
        if kind.direction is Direction.OUT and kind.name != "delay":
            assert kind.breach is not None, kind.name
            told = InjectedFault(1, kind).plain()
            assert told["clause"].startswith(("Supplier Updates API", "Supplier API"))
            assert told["expected"]


def test_every_fault_of_sending_is_listed() -> None:
    assert set(SENDING) == {kind.name for kind in DELIVERY if kind.place is Place.WORKER}


def test_defaults_can_be_given() -> None:
    for kind in KINDS:
        for parameter in kind.parameters:
            assert parameter.read(parameter.default) == parameter.default


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_a_share_is_struck(share: float) -> None:
    struck = sum(is_struck(42, number, share) for number in range(1, 10_001))
    assert struck == pytest.approx(share * 10_000, abs=300)


def test_the_calls_follow_from_the_seed() -> None:
    def run(seed: int) -> list[bool]:
        return [is_struck(seed, number, 0.5) for number in range(1, 50)]

    assert run(1) == run(1)
    assert run(1) != run(2)
