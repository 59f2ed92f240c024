"""Where the statuses of a mapping lead problems.

What the tenant or time does to a problem is left out.
"""

from collections.abc import Iterable, Mapping

from supplier_api.backoffice.mapping import StatusMeaning
from supplier_api.problems.lifecycle import Event, always_carried, plan
from supplier_api.problems.model import Awaits, Base, State, Waiting
from supplier_api.problems.snapshot import Wanted
from supplier_api.problems.ticket_ways import NotFollowed, WayStep, way_to

Way = tuple[WayStep, ...]

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


def way_in_words(way: Way | None) -> str:
    """Return the events of a way; "=" for none, and "apart" where no way is legal."""
    if way is None:
        return "apart"
    return ", ".join(f"{each.event} (commit)" if each.commit else each.event for each in way) or "="


def way_of(state: State, meaning: StatusMeaning) -> Way | None:
    """Return the events from a state to what a status means; None: the ticket is put apart."""
    assert meaning.state is not None  # it is of a problem
    try:
        return way_to(state, Wanted(meaning.state, awaits=meaning.awaits))
    except NotFollowed:
        return None


def lacking(meaning: StatusMeaning, way: Way) -> list[str]:
    """Return the keys that a meaning lacks for the KCIs on a way to it."""
    has = {
        "problemCode": meaning.problem_code,
        "text": meaning.text,
        "resolutionCode": meaning.resolution_code,
    }
    needed = {key for step in way for key in _needed(step.event)}
    return [key for key, value in has.items() if key in needed and value is None]


def _needed(event: Event) -> frozenset[str]:
    own = {"resolutionCode"} if event is Event.RESOLVE else set()
    return always_carried(event) | own


def moves_of(meanings: Iterable[StatusMeaning]) -> dict[State, set[State]]:
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


def _end(state: State, meaning: StatusMeaning) -> State | None:
    """Return where a status leads a problem, or None."""
    if not leads_to(meaning, state):
        return None
    for step in way_of(state, meaning) or ():
        state = plan(state, step.event)[-1].state
        if step.commit:
            state = plan(state, Event.START)[-1].state
    return state


def leads_to(meaning: StatusMeaning, state: State) -> bool:
    """Return whether a status leads from a state to what it means, with all that KCIs need."""
    way = way_of(state, meaning)
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
