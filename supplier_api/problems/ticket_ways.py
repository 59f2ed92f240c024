"""Which events lead a problem to the state that its ticket stands for.

Pure: the ways are searched in the lifecycle's table, the shortest first. A ticket is compared with
`base` and `waiting`: an undecided change, and a network incident that the problem waits for, are no
matter of the ticket's state.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from supplier_api.problems.lifecycle import Event, IllegalMove, plan
from supplier_api.problems.model import Awaits, Base, State, Waiting
from supplier_api.problems.snapshot import TicketState, Wanted


class Apart(StrEnum):
    """Why a ticket's snapshot cannot be followed."""

    UNMAPPED = "unmapped"
    INVALID = "invalid"
    INCOMPLETE = "incomplete"
    BACKWARDS = "backwards"
    OVER = "over"
    DECIDED = "decided"
    NO_WAY = "no-way"
    UNKNOWN_REFERENCE = "unknown-reference"
    SEVERAL = "several"
    OTHER_TICKET = "other-ticket"


class NotFollowed(Exception):
    """A snapshot cannot be followed; the text says why, for operators, with nothing personal."""

    def __init__(self, cause: Apart, reason: str) -> None:
        """Keep the cause."""
        self.cause = cause
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class WayStep:
    """An event on the way; `commit` as in BackOfficeEvent."""

    event: Event
    commit: bool = False


# The events that may lead to each state. A step that the ticket does not stand for is only taken
# where none is the last: a problem is accepted before it is held, resolved before it is completed.
_BEFORE = (WayStep(Event.ACCEPT), WayStep(Event.ACCEPT, commit=True))
_RESOLVE = WayStep(Event.RESOLVE)
_STEPS: dict[TicketState, tuple[WayStep, ...]] = {
    TicketState.ACKNOWLEDGED: (*_BEFORE, WayStep(Event.RESUME)),
    TicketState.IN_PROGRESS: (*_BEFORE, WayStep(Event.START), WayStep(Event.RESUME)),
    TicketState.HELD: (*_BEFORE, WayStep(Event.HOLD)),
    TicketState.RESOLVED: (*_BEFORE, _RESOLVE),
    TicketState.COMPLETED: (*_BEFORE, _RESOLVE, WayStep(Event.COMPLETE)),
    TicketState.CANCELLED: (WayStep(Event.CANCEL),),
    TicketState.REJECTED: (WayStep(Event.REJECT),),
}
_QUESTIONS = {
    Awaits.INFORMATION: WayStep(Event.ASK_INFORMATION),
    Awaits.APPOINTMENT: WayStep(Event.ASK_APPOINTMENT),
}
_LONGEST = 3
_PROGRESS = (Base.UNDECIDED, Base.ACKNOWLEDGED, Base.IN_PROGRESS, Base.RESOLVED)
_ENDS = frozenset(
    {TicketState.RESOLVED, TicketState.COMPLETED, TicketState.CANCELLED, TicketState.REJECTED}
)


def way_to(state: State, wanted: Wanted) -> tuple[WayStep, ...]:
    """Return the events from `state` to what is wanted; none if it is there. Raises NotFollowed.

    A problem that is over is where any ticket is that is over, too.
    """
    if state.terminal and wanted.state in _ENDS:
        return ()
    way = _shortest(state, wanted)
    if way is None:
        raise NotFollowed(*_why_not(state, wanted))
    return way


def _shortest(state: State, wanted: Wanted) -> tuple[WayStep, ...] | None:
    for length in range(_LONGEST + 1):
        for way, after in _ways(state, _steps(wanted), length):
            if _is(after, wanted):
                return way
    return None


def _ways(
    state: State, steps: tuple[WayStep, ...], length: int
) -> Iterator[tuple[tuple[WayStep, ...], State]]:
    """Yield the legal ways of exactly `length` steps, each with the state at its end."""
    if length == 0:
        yield (), state
        return
    for step in steps:
        after = _after(state, step)
        if after is not None:
            for way, end in _ways(after, steps, length - 1):
                yield (step, *way), end


def _steps(wanted: Wanted) -> tuple[WayStep, ...]:
    if wanted.state is TicketState.PENDING:
        return (*_BEFORE, _QUESTIONS[wanted.awaits])
    return _STEPS[wanted.state]


def _after(state: State, step: WayStep) -> State | None:
    """Return the state after a step as BackOfficeEvents applies it, None if that is not legal."""
    try:
        after = plan(state, step.event)[-1].state
        if step.commit:
            after = plan(after, Event.START)[-1].state
        if step.event is Event.ACCEPT and state.incident:
            after = plan(after, Event.JOIN_INCIDENT, incident=state.incident)[-1].state
    except IllegalMove:
        return None
    return after


def _is(state: State, wanted: Wanted) -> bool:
    """Return whether a problem is in the state that is wanted."""
    if wanted.state is TicketState.PENDING:
        return state.waiting is Waiting.PENDING and state.awaits is wanted.awaits
    if wanted.state is TicketState.HELD:
        return state.waiting is Waiting.HELD
    waits = state.waiting in (Waiting.PENDING, Waiting.HELD)
    return state.base == wanted.state.value and not waits


def _why_not(state: State, wanted: Wanted) -> tuple[Apart, str]:
    says = f"the ticket says {wanted.state}"
    if state.terminal:
        return Apart.OVER, f"{says}, but the problem is {state}, which is final"
    order = [base.value for base in _PROGRESS]
    backwards = wanted.state.value in order and order.index(wanted.state) < order.index(state.base)
    if backwards or (state.base is Base.RESOLVED and wanted.state not in _ENDS):
        return Apart.BACKWARDS, f"{says}, but the problem is {state} already"
    possible = ", ".join(_possible(state))
    return Apart.NO_WAY, f"{says}; from {state} only these are possible: {possible}"


def _possible(state: State) -> list[TicketState]:
    """Return the ticket states that lead on from `state`."""
    return [each for each in TicketState if _shortest(state, Wanted(each))]
