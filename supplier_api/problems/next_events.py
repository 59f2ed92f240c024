"""What may happen to a problem next by hand: the events, what each needs, and what it causes."""

from collections.abc import Iterator

from supplier_api.problems.kci import NO_CONTENT, content_of_step, lacking
from supplier_api.problems.lifecycle import (
    BACK_OFFICE_EVENTS,
    Event,
    IllegalMove,
    legal_events,
    plan,
)
from supplier_api.problems.model import ServiceProblem, State

# What events must carry beside that which their KCIs ask for, as the door names it.
_OWN_FIELDS: dict[Event, list[str]] = {
    Event.RESOLVE: ["resolution"],
    Event.ACCEPT_CHANGE: ["changeReference"],
    Event.REJECT_CHANGE: ["changeReference"],
}


def legal_for_back_office(state: State) -> list[Event]:
    """Return the back-office events that are legal in `state`."""
    return [event for event in legal_events(state) if event in BACK_OFFICE_EVENTS]


def impossible(state: State) -> dict[Event, str]:
    """Return the other back-office events, each with why it is refused, in the refusal's words."""
    legal = legal_events(state)
    return {
        event: str(IllegalMove(state, event))
        for event in Event
        if event in BACK_OFFICE_EVENTS and event not in legal
    }


def must_carry(problem: ServiceProblem, event: Event) -> list[str]:
    """Return the fields, as the door names them, that an event must carry; it must be legal."""
    own = _OWN_FIELDS.get(event, [])
    if event in (Event.NOTE, Event.ACCEPT_CHANGE):
        # A note without a text is an UPDATE; a cancellation that is accepted says its code.
        return own
    step = plan(problem.state, event)[-1]
    return own + lacking(step, content_of_step(problem, event, step, NO_CONTENT))


def caused(problem: ServiceProblem, event: Event) -> Iterator[tuple[int, str, str]]:
    """Yield the KCIs that a legal event causes: number, reason, and the problem's status in it."""
    number = problem.next_kci
    for step in plan(problem.state, event):
        if step.kci:
            yield number, step.kci.value, str(step.state.status)
            number += 1
