"""Where the statuses of a mapping lead a problem, by the lifecycle's table alone.

What the tenant or time does to a problem is left out.
"""

from collections.abc import Iterable, Mapping
from functools import cache

from supplier_api.backoffice.mapping import Meaning
from supplier_api.problems.lifecycle import Event, IllegalMove, always_carried, plan
from supplier_api.problems.model import Awaits, Base, State, Waiting
from supplier_api.problems.snapshot import TicketState

Way = tuple[Event, ...]

# A state of each kind; work that waits is in progress beneath.
STATES: tuple[State, ...] = (
    State(Base.UNDECIDED),
    State(Base.ACKNOWLEDGED),
    State(Base.IN_PROGRESS),
    State(Base.IN_PROGRESS, Waiting.PENDING, Awaits.INFORMATION),
    State(Base.IN_PROGRESS, Waiting.HELD),
    State(Base.IN_PROGRESS, Waiting.NETWORK_INCIDENT, incident="an incident"),
    State(Base.RESOLVED),
    *(State(base) for base in (Base.REJECTED, Base.CANCELLED, Base.COMPLETED)),
)
# The states in which a problem can begin.
FIRST = STATES[:3]
STEPS = (
    Event.ACCEPT,
    Event.REJECT,
    Event.START,
    Event.HOLD,
    Event.RESUME,
    Event.ASK_INFORMATION,
    Event.ASK_APPOINTMENT,
    Event.RESOLVE,
    Event.COMPLETE,
    Event.CANCEL,
)


def way_to(state: State, meaning: Meaning) -> Way | None:
    """Return the fewest events that lead from a state to what a status means; None: there are none.

    Of two ways of the same length the one whose events come first in STEPS.
    """
    seen: set[State] = set()
    ways: list[tuple[State, Way]] = [(state, ())]
    for reached, way in ways:  # which grows meanwhile
        if _means(meaning, reached):
            return way
        if reached not in seen:
            seen.add(reached)
            ways += [(after, (*way, event)) for event, after in _follow(reached)]
    return None


def _means(meaning: Meaning, state: State) -> bool:
    """Return whether a ticket with this meaning is in step with a problem in this state.

    An incident is the network's: a ticket need not tell it.
    """
    waiting = None if state.waiting is Waiting.NETWORK_INCIDENT else state.waiting
    if meaning.state is TicketState.PENDING:
        return waiting is Waiting.PENDING and state.awaits is meaning.awaits
    if meaning.state is TicketState.HELD:
        return waiting is Waiting.HELD
    return waiting is None and state.base.value == meaning.state


@cache
def _follow(state: State) -> tuple[tuple[Event, State], ...]:
    """Return the events that are legal in a state, each with the state after it."""
    after = ((event, _after(state, event)) for event in STEPS)
    return tuple((event, follows) for event, follows in after if follows is not None)


def _after(state: State, event: Event) -> State | None:
    try:
        return plan(state, event)[-1].state
    except IllegalMove:
        return None


def lacking(meaning: Meaning, events: Iterable[Event]) -> list[str]:
    """Return the keys that a meaning lacks for the KCIs of these events."""
    has = {
        "problemCode": meaning.problem_code,
        "text": meaning.text,
        "resolutionCode": meaning.resolution_code,
    }
    needed = {key for event in events for key in _needed(event)}
    return [key for key, value in has.items() if key in needed and value is None]


def _needed(event: Event) -> frozenset[str]:
    own = {"resolutionCode"} if event is Event.RESOLVE else set()
    return always_carried(event) | own


def moves_of(meanings: Iterable[Meaning]) -> dict[State, set[State]]:
    """Return the states that a problem can get into, each with those that follow by a status."""
    meanings = list(meanings)
    moves: dict[State, set[State]] = {}
    left = list(FIRST)
    while left:
        state = left.pop()
        if state in moves:
            continue
        after = {_end(state, meaning) for meaning in meanings}
        moves[state] = {each for each in after if each is not None}
        left += moves[state]
    return {state: moves[state] for state in sorted(moves, key=str)}


def _end(state: State, meaning: Meaning) -> State | None:
    """Return where a status leads a problem, or None."""
    if not leads_to(meaning, state):
        return None
    for event in way_to(state, meaning) or ():
        state = plan(state, event)[-1].state
    return state


def leads_to(meaning: Meaning, state: State) -> bool:
    """Return whether a status leads from a state to what it means, with all that KCIs need."""
    way = way_to(state, meaning)
    return way is not None and not lacking(meaning, way)


def ends_from(state: State, moves: Mapping[State, set[State]]) -> bool:
    """Return whether a problem gets from a state to its resolution or its end."""
    seen: set[State] = set()
    left = [state]
    while left:
        at = left.pop()
        if at.terminal or at.base is Base.RESOLVED:
            return True
        if at not in seen:
            seen.add(at)
            left += moves[at]
    return False


def state_name(state: State) -> str:
    """Return a state's name; work that waits is in progress unless it says otherwise."""
    beneath = f" over {state.base}" if state.waiting and state.base is Base.ACKNOWLEDGED else ""
    return f"{state}{beneath}"
