"""The lifecycle of a service problem: one table of state x event -> state and KCI.

Pure: nothing is read, written or sent here. A caller asks what an event does (`plan`) and applies
the steps. States are adapted from TMF656; which KCI an event causes follows the gateway's
description of updates.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum, StrEnum

from supplier_api.contract import refusals
from supplier_api.contract.codes import REASONS, ReasonCode
from supplier_api.problems.model import Awaits, Base, State, Waiting
from supplier_api.rules.model import Operation
from supplier_api.value_object import value_object


class Event(StrEnum):
    """Everything that can happen to a problem. BACK_OFFICE_EVENTS are those of the back office."""

    ACCEPT = "accept"
    REJECT = "reject"
    START = "start"
    HOLD = "hold"
    RESUME = "resume"
    ASK_INFORMATION = "ask-information"
    ASK_APPOINTMENT = "ask-appointment"
    REAPPOINTED = "reappointed"
    NOTE = "note"
    WARN = "warn"
    RESOLVE = "resolve"
    COMPLETE = "complete"
    REOPEN = "reopen"
    CANCEL = "cancel"
    ACCEPT_CHANGE = "accept-change"
    REJECT_CHANGE = "reject-change"
    # A note without a text.
    UPDATE = "update"
    # The gateway: at once (the answer carries the outcome) or behind KCIs that are still queued.
    AMEND = "amend"
    AMEND_BEHIND = "amend, behind queued KCIs"
    ASK_AMENDMENT = "ask for an amendment"
    WITHDRAW = "cancel for the tenant"
    WITHDRAW_BEHIND = "cancel for the tenant, behind queued KCIs"
    ASK_CANCELLATION = "ask for a cancellation"
    ACCEPT_RESOLUTION = "accept the resolution"
    REJECT_RESOLUTION = "reject the resolution"
    # The network and time.
    JOIN_INCIDENT = "join a network incident"
    LEAVE_INCIDENT = "leave a network incident"
    GIVE_NOTICE = "give notice of closure"
    CLOSE = "close by silence"


class About(Enum):
    """The object that a KCI carries beside the problem."""

    CHANGE = "change"
    RESOLUTION = "resolution"


# Returns the state after an event, from the state before it and what an amendment supplies of that
# which the problem waits for.
Target = Callable[[State, frozenset[Awaits]], State]
# Returns the KCI of an event from the states before and after it.
KciOfChange = Callable[[State, State], ReasonCode | None]


@value_object
class Move:
    """A row of the table: an event, the states it is legal in, the target state and the KCI."""

    event: Event
    sources: frozenset[Base | Waiting]
    target: Base | Waiting | Target
    kci: ReasonCode | KciOfChange | None
    about: About | None = None
    awaits: Awaits | None = None
    base: Base | None = None  # only from this base, in any wait
    asked: bool | None = False  # an undecided change: must be none, must be one, or None for either


@value_object
class LifecycleStep:
    """One step of an event: the state after it and the KCI that reports it, if any."""

    event: Event
    state: State
    kci: ReasonCode | None
    about: About | None = None


class IllegalMove(Exception):
    """The event is not legal in the problem's state."""

    def __init__(self, state: State, event: Event) -> None:
        """Keep the state, the event and the events that are legal in that state."""
        self.state = state
        self.event = event
        self.legal = legal_events(state)
        super().__init__(refusals.EVENT_IMPOSSIBLE.message(event=event, state=state))


UNDECIDED = frozenset({Base.UNDECIDED})
WAITS = frozenset(Waiting)
OPEN = frozenset({Base.ACKNOWLEDGED, Base.IN_PROGRESS}) | WAITS
RESOLVED = frozenset({Base.RESOLVED})
R = ReasonCode


def _same(state: State, _settles: frozenset[Awaits]) -> State:
    return state


def _back(state: State, _settles: frozenset[Awaits]) -> State:
    """Leave the wait, to the base; or to the incident while that lasts."""
    if state.waiting is Waiting.NETWORK_INCIDENT:
        # The supplier takes this problem out of the incident, whether the incident lasts or not.
        return _out_of_incident(state, _settles)
    waiting = Waiting.NETWORK_INCIDENT if state.incident else None
    return replace(state, waiting=waiting, awaits=None)


def _out_of_incident(state: State, _settles: frozenset[Awaits]) -> State:
    waiting = None if state.waiting is Waiting.NETWORK_INCIDENT else state.waiting
    return replace(state, waiting=waiting, incident=None)


def _settled(state: State, settles: frozenset[Awaits]) -> State:
    """Leave the wait if the amendment supplies what is waited for."""
    return _back(state, settles) if state.awaits in settles else state


def _reappointed(state: State, _settles: frozenset[Awaits]) -> State:
    return _settled(state, frozenset({Awaits.APPOINTMENT}))


def _ask_amendment(state: State, _settles: frozenset[Awaits]) -> State:
    return replace(state, asked=Operation.AMENDMENT)


def _ask_cancellation(state: State, _settles: frozenset[Awaits]) -> State:
    return replace(state, asked=Operation.CANCELLATION)


def _leaving(before: State, after: State) -> ReasonCode | None:
    """Return RESUMED, or DELAY where the incident still lasts; no KCI if nothing was left."""
    if before.waiting is None or before.waiting is after.waiting is Waiting.NETWORK_INCIDENT:
        return None
    if after.waiting is None:
        return ReasonCode.RESUMED
    return ReasonCode.DELAY if after.waiting is Waiting.NETWORK_INCIDENT else None


# fmt: off
# The events of the back office. It may name each of these but UPDATE.
BACK_OFFICE_MOVES: tuple[Move, ...] = (
    # event                     from               to                       KCI
    # -- it decides
    Move(Event.ACCEPT,          UNDECIDED,         Base.ACKNOWLEDGED,       R.ACKNOWLEDGED),
    Move(Event.REJECT,          UNDECIDED,         Base.REJECTED,           R.REJECTED),
    # -- it works; an undecided change stays as it is
    Move(Event.START,           OPEN,              Base.IN_PROGRESS,        R.COMMITTED,            base=Base.ACKNOWLEDGED, asked=None),
    Move(Event.HOLD,            OPEN,              Waiting.HELD,            R.DELAY,                asked=None),
    Move(Event.RESUME,          WAITS,             _back,                   _leaving,               asked=None),
    Move(Event.ASK_INFORMATION, OPEN,              Waiting.PENDING,         R.INFORMATION_REQUIRED, awaits=Awaits.INFORMATION),
    Move(Event.ASK_APPOINTMENT, OPEN,              Waiting.PENDING,         R.REAPPOINT,            awaits=Awaits.APPOINTMENT),
    Move(Event.REAPPOINTED,     OPEN,              _reappointed,            R.REAPPOINTED,          asked=None),
    Move(Event.NOTE,            OPEN | RESOLVED,   _same,                   R.ADDITIONAL,           asked=None),
    Move(Event.UPDATE,          OPEN | RESOLVED,   _same,                   R.UPDATE,               asked=None),
    Move(Event.WARN,            OPEN | RESOLVED,   _same,                   R.WARNING,              asked=None),
    Move(Event.RESOLVE,         OPEN,              Base.RESOLVED,           R.RESOLVED,             about=About.RESOLUTION),
    Move(Event.COMPLETE,        RESOLVED,          Base.COMPLETED,          R.COMPLETED,            about=About.RESOLUTION),
    # -- it failed again before the tenant answered: our choice; the KCI carries no resolution
    Move(Event.REOPEN,          RESOLVED,          Base.IN_PROGRESS,        R.RESUMED),
    Move(Event.CANCEL,          OPEN | UNDECIDED,  Base.CANCELLED,          R.CANCELLED),
)
TABLE: tuple[Move, ...] = (
    *BACK_OFFICE_MOVES,
    # -- the tenant asks for a change
    Move(Event.AMEND,           OPEN | UNDECIDED,  _settled,                _leaving),
    Move(Event.AMEND_BEHIND,    OPEN | UNDECIDED,  _settled,                R.AMENDED,              about=About.CHANGE),
    Move(Event.ASK_AMENDMENT,   OPEN,              _ask_amendment,          None),
    Move(Event.WITHDRAW,        OPEN | UNDECIDED,  Base.CANCELLED,          None),
    Move(Event.WITHDRAW_BEHIND, OPEN | UNDECIDED,  Base.CANCELLED,          R.CANCELLED,            about=About.CHANGE),
    Move(Event.ASK_CANCELLATION, OPEN,             _ask_cancellation,       None),
    # -- the tenant answers a resolution
    Move(Event.ACCEPT_RESOLUTION, RESOLVED,        Base.COMPLETED,          R.COMPLETED,            about=About.RESOLUTION),
    Move(Event.REJECT_RESOLUTION, RESOLVED,        Base.IN_PROGRESS,        R.RESUMED,              about=About.RESOLUTION),
    # -- the network and time
    Move(Event.JOIN_INCIDENT,   OPEN - {Waiting.NETWORK_INCIDENT}, Waiting.NETWORK_INCIDENT, R.DELAY, asked=None),
    Move(Event.LEAVE_INCIDENT,  OPEN,              _out_of_incident,        _leaving,               asked=None),
    Move(Event.GIVE_NOTICE,     RESOLVED,          _same,                   R.ADDITIONAL,           about=About.RESOLUTION),
    Move(Event.CLOSE,           RESOLVED,          Base.COMPLETED,          R.COMPLETED,            about=About.RESOLUTION),
)
# An undecided change: what is decided of it, by the change's kind. `beneath` is always open here.
DECIDED: dict[tuple[Event, Operation], Move] = {
    (move.event, kind): move for kind, move in (
        (Operation.AMENDMENT,    Move(Event.ACCEPT_CHANGE, OPEN, _settled,       R.AMENDED,               about=About.CHANGE)),
        (Operation.AMENDMENT,    Move(Event.REJECT_CHANGE, OPEN, _same,          R.AMENDMENT_REJECTED,    about=About.CHANGE)),
        (Operation.CANCELLATION, Move(Event.ACCEPT_CHANGE, OPEN, Base.CANCELLED, R.CANCELLED,             about=About.CHANGE)),
        (Operation.CANCELLATION, Move(Event.REJECT_CHANGE, OPEN, _same,          R.CANCELLATION_REJECTED, about=About.CHANGE)),
    )
}
# fmt: on
MOVES = {move.event: move for move in TABLE}
DECIDES_CHANGE = frozenset({Event.ACCEPT_CHANGE, Event.REJECT_CHANGE})
# The events that the back office may name.
BACK_OFFICE_EVENTS = DECIDES_CHANGE | {move.event for move in BACK_OFFICE_MOVES} - {Event.UPDATE}
# These events end the work, so they first close a change that is still undecided.
CLOSES_CHANGE = frozenset({Event.RESOLVE, Event.CANCEL})
# What an event must carry although the reason of its KCI does not ask for it (our choice): without
# a resolution in the KCI, the tenant learns only from the text that the last one is void.
MUST_CARRY: Mapping[Event, frozenset[str]] = {Event.REOPEN: frozenset({"text"})}


def plan(
    state: State,
    event: Event,
    *,
    incident: str | None = None,
    settles: frozenset[Awaits] = frozenset(),
) -> tuple[LifecycleStep, ...]:
    """Return the steps of `event` for a problem in `state`, each with its KCI.

    `incident` is the code of the incident to join; `settles` is what the applied amendment supplies
    of that which the problem waits for. Raises IllegalMove when the event is not legal.
    """
    if state.asked and event in DECIDES_CHANGE:
        return (_decide_change(state, event, settles),)
    if state.asked and event in CLOSES_CHANGE and state.beneath in MOVES[event].sources:
        return _close_change(state, event)
    move = MOVES.get(event)
    if move is None or not _possible(move, state):
        raise IllegalMove(state, event)
    return (_step(move, state, incident, settles),)


def legal_events(state: State) -> list[Event]:
    """Return the events that are legal in `state`, in the order of Event."""
    legal = [move.event for move in TABLE if _possible(move, state)]
    if state.asked:
        legal += [event for event in CLOSES_CHANGE if state.beneath in MOVES[event].sources]
        legal += DECIDES_CHANGE
    return [event for event in Event if event in legal]


def always_carried(event: Event) -> frozenset[str]:
    """Return the fields that every KCI of `event` must carry, whatever the state."""
    rows = [move.kci for move in (*TABLE, *DECIDED.values()) if move.event is event]
    carried = [REASONS[kci].carries if isinstance(kci, ReasonCode) else () for kci in rows]
    return frozenset.intersection(*map(frozenset, carried)) | MUST_CARRY.get(event, frozenset())


def carried_by(step: LifecycleStep) -> frozenset[str]:
    """Return the fields that the KCI of a step must carry."""
    of_reason = frozenset(REASONS[step.kci].carries if step.kci else ())
    return of_reason | MUST_CARRY.get(step.event, frozenset())


def settled_by(amendment: Sequence[str]) -> frozenset[Awaits]:
    """Return which waits an amendment with these wire fields ends.

    Any amendment supplies information, except one that only escalates; only a new reservation
    supplies an appointment.
    """
    about = {"id", "serviceProblemId", "supplierServiceProblemReference", "supplierReference"}
    settled = set()
    if set(amendment) - about - {"escalationRequest"}:
        settled.add(Awaits.INFORMATION)
    if "appointmentReservationId" in amendment:
        settled.add(Awaits.APPOINTMENT)
    return frozenset(settled)


def _possible(move: Move, state: State) -> bool:
    if move.event is Event.LEAVE_INCIDENT and state.incident is None:
        return False
    return (
        state.beneath in move.sources
        and (move.base is None or state.base is move.base)
        and (move.asked is None or move.asked == (state.asked is not None))
    )


def _decide_change(state: State, event: Event, settles: frozenset[Awaits]) -> LifecycleStep:
    assert state.asked is not None
    move = DECIDED[event, state.asked]
    return _step(move, replace(state, asked=None), None, settles)


def _close_change(state: State, event: Event) -> tuple[LifecycleStep, ...]:
    """Close an undecided change before the event, with a KCI of its own."""
    if event is Event.CANCEL and state.asked is Operation.CANCELLATION:
        return (_decide_change(state, Event.ACCEPT_CHANGE, frozenset()),)
    closed = _decide_change(state, Event.REJECT_CHANGE, frozenset())
    return closed, *plan(closed.state, event)


def _step(
    move: Move, state: State, incident: str | None, settles: frozenset[Awaits]
) -> LifecycleStep:
    after = _target(move, state, incident, settles)
    kci = move.kci(state, after) if callable(move.kci) else move.kci
    return LifecycleStep(move.event, after, kci, move.about)


def _target(move: Move, state: State, incident: str | None, settles: frozenset[Awaits]) -> State:
    target = move.target
    if callable(target):
        return target(state, settles)
    if isinstance(target, Waiting):
        return replace(
            state, waiting=target, awaits=move.awaits, incident=incident or state.incident
        )
    if target is Base.IN_PROGRESS or target is Base.ACKNOWLEDGED:
        return replace(state, base=target, waiting=None, awaits=None)
    return State(target)
