"""The order in which KCIs take effect."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from supplier_api.sandbox.gateway.inbox import ArrivalStep, steps

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
PATIENCE = timedelta(seconds=60)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def kept(*numbers: int) -> dict[int, datetime]:
    return dict.fromkeys(numbers, START)


def test_the_expected_number_has_its_turn_and_brings_those_that_waited() -> None:
    assert steps(2, kept(4, 2, 3), START, PATIENCE) == (
        ArrivalStep(2),
        ArrivalStep(3),
        ArrivalStep(4),
    )


def test_a_number_behind_a_missing_one_waits() -> None:
    assert steps(1, kept(2, 3), after(59.999), PATIENCE) == ()


def test_a_missing_number_is_given_up_when_its_wait_is_over() -> None:
    assert steps(1, kept(3, 4), after(60), PATIENCE) == (
        ArrivalStep(3, missing=range(1, 3)),
        ArrivalStep(4),
    )


def test_the_wait_begins_with_the_first_arrival_behind_the_gap() -> None:
    arrivals = {5: after(0), 3: after(50)}
    assert steps(2, arrivals, after(60), PATIENCE)[0] == ArrivalStep(3, missing=range(2, 3))


def test_a_second_gap_has_a_wait_of_its_own() -> None:
    arrivals = {2: after(0), 4: after(30)}
    assert steps(1, arrivals, after(60), PATIENCE) == (ArrivalStep(2, missing=range(1, 2)),)


def test_a_number_that_was_given_up_is_taken_late() -> None:
    assert steps(4, kept(2, 4), START, PATIENCE) == (ArrivalStep(2, late=True), ArrivalStep(4))


@given(st.sets(st.integers(1, 30)), st.integers(1, 30), st.integers(0, 120))
def test_turns_are_ascending_and_every_number_is_taken_missing_or_waiting(
    numbers: set[int], expected: int, seconds: int
) -> None:
    due = steps(expected, kept(*numbers), after(seconds), PATIENCE)

    taken = [step.number for step in due]
    assert taken == sorted(numbers)[: len(taken)]
    on_time = [step for step in due if not step.late]
    covered = [number for step in on_time for number in (*step.missing, step.number)]
    assert covered == list(range(expected, expected + len(covered)))
    if seconds >= PATIENCE.total_seconds():
        assert set(taken) == numbers
