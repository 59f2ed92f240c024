"""The status derived from three fields, and the other properties of a state."""

import pytest

from supplier_api.problems.model import Awaits, Base, State, Waiting
from supplier_api.rules.model import Operation


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        (State(Base.UNDECIDED), None, "UNDECIDED"),
        (State(Base.ACKNOWLEDGED), "ACKNOWLEDGED", "ACKNOWLEDGED"),
        (State(Base.IN_PROGRESS, Waiting.HELD), "HELD", "HELD"),
        (
            State(Base.ACKNOWLEDGED, Waiting.PENDING, Awaits.INFORMATION, Operation.AMENDMENT),
            "PENDING_AMENDMENT",
            "PENDING_AMENDMENT over PENDING",
        ),
        (
            State(Base.IN_PROGRESS, asked=Operation.CANCELLATION),
            "PENDING_CANCELLATION",
            "PENDING_CANCELLATION over IN_PROGRESS",
        ),
    ],
)
def test_the_status_is_the_first_of_asked_waiting_and_base(
    state: State, status: str | None, words: str
) -> None:
    assert state.status == status
    assert str(state) == words


@pytest.mark.parametrize(
    ("base", "is_open", "terminal"),
    [
        (Base.UNDECIDED, False, False),
        (Base.ACKNOWLEDGED, True, False),
        (Base.IN_PROGRESS, True, False),
        (Base.RESOLVED, False, False),
        (Base.REJECTED, False, True),
        (Base.CANCELLED, False, True),
        (Base.COMPLETED, False, True),
    ],
)
def test_a_problem_is_open_while_we_work_on_it_and_terminal_when_it_is_over(
    base: Base, is_open: bool, terminal: bool
) -> None:
    assert State(base).open is is_open
    assert State(base).terminal is terminal
