"""The events that lead a problem to the state of its ticket, and what is not followed."""

from dataclasses import replace
from itertools import product

import pytest

from supplier_api.problems.lifecycle import Event, plan
from supplier_api.problems.model import Awaits, Base, State, Waiting
from supplier_api.problems.snapshot import TicketState, Wanted
from supplier_api.problems.ticket_ways import Apart, NotFollowed, way_to
from supplier_api.rules.model import Operation

UNDECIDED = State(Base.UNDECIDED)
ACKNOWLEDGED = State(Base.ACKNOWLEDGED)
IN_PROGRESS = State(Base.IN_PROGRESS)
HELD = replace(IN_PROGRESS, waiting=Waiting.HELD)
ASKED = replace(IN_PROGRESS, waiting=Waiting.PENDING, awaits=Awaits.INFORMATION)
OUTAGE = replace(ACKNOWLEDGED, waiting=Waiting.NETWORK_INCIDENT, incident="INC1")
RESOLVED = State(Base.RESOLVED)
OVER = [State(Base.COMPLETED), State(Base.CANCELLED), State(Base.REJECTED)]


def way(state: State, wanted: TicketState, awaits: Awaits = Awaits.INFORMATION) -> list[str]:
    """Return the events to a state as words."""
    steps = way_to(state, Wanted(wanted, awaits=awaits))
    return [f"{step.event}{' at once' if step.commit else ''}" for step in steps]


@pytest.mark.parametrize(
    ("state", "wanted", "events"),
    [
        (UNDECIDED, "ACKNOWLEDGED", ["accept"]),
        (UNDECIDED, "IN_PROGRESS", ["accept at once"]),
        (UNDECIDED, "HELD", ["accept", "hold"]),
        (UNDECIDED, "PENDING", ["accept", "ask-information"]),
        (UNDECIDED, "RESOLVED", ["accept", "resolve"]),
        (UNDECIDED, "COMPLETED", ["accept", "resolve", "complete"]),
        (UNDECIDED, "CANCELLED", ["cancel"]),
        (UNDECIDED, "REJECTED", ["reject"]),
        (replace(UNDECIDED, incident="INC1"), "IN_PROGRESS", ["accept at once"]),
        (ACKNOWLEDGED, "IN_PROGRESS", ["start"]),
        (replace(ACKNOWLEDGED, waiting=Waiting.HELD), "IN_PROGRESS", ["start"]),
        (replace(ACKNOWLEDGED, waiting=Waiting.HELD), "ACKNOWLEDGED", ["resume"]),
        (HELD, "IN_PROGRESS", ["resume"]),
        (replace(HELD, incident="INC1"), "IN_PROGRESS", ["resume"]),
        (ASKED, "IN_PROGRESS", ["resume"]),
        (ASKED, "HELD", ["hold"]),
        (HELD, "PENDING", ["ask-information"]),
        (OUTAGE, "HELD", ["hold"]),
        (OUTAGE, "IN_PROGRESS", ["start"]),
        (HELD, "RESOLVED", ["resolve"]),
        (IN_PROGRESS, "COMPLETED", ["resolve", "complete"]),
        (RESOLVED, "COMPLETED", ["complete"]),
        (replace(HELD, asked=Operation.AMENDMENT), "RESOLVED", ["resolve"]),
        (replace(HELD, asked=Operation.CANCELLATION), "CANCELLED", ["cancel"]),
        (replace(HELD, asked=Operation.CANCELLATION), "IN_PROGRESS", ["resume"]),
    ],
)
def test_the_shortest_way_is_taken(state: State, wanted: str, events: list[str]) -> None:
    assert way(state, TicketState(wanted)) == events


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (ACKNOWLEDGED, "ACKNOWLEDGED"),
        (OUTAGE, "ACKNOWLEDGED"),
        (replace(IN_PROGRESS, asked=Operation.AMENDMENT), "IN_PROGRESS"),
        (replace(HELD, asked=Operation.AMENDMENT), "HELD"),
        (ASKED, "PENDING"),
        (RESOLVED, "RESOLVED"),
        *product(OVER, ["RESOLVED", "COMPLETED", "CANCELLED", "REJECTED"]),
    ],
)
def test_a_problem_that_is_there_stays(state: State, wanted: str) -> None:
    assert way(state, TicketState(wanted)) == []


@pytest.mark.parametrize(
    ("state", "wanted", "cause"),
    [
        (IN_PROGRESS, "ACKNOWLEDGED", Apart.BACKWARDS),
        (HELD, "ACKNOWLEDGED", Apart.BACKWARDS),
        (RESOLVED, "IN_PROGRESS", Apart.BACKWARDS),
        (RESOLVED, "HELD", Apart.BACKWARDS),
        (RESOLVED, "CANCELLED", Apart.NO_WAY),
        (ACKNOWLEDGED, "REJECTED", Apart.NO_WAY),
        (replace(IN_PROGRESS, asked=Operation.AMENDMENT), "PENDING", Apart.NO_WAY),
        *product(OVER, ["ACKNOWLEDGED", "IN_PROGRESS", "HELD", "PENDING"], [Apart.OVER]),
    ],
)
def test_what_cannot_be_followed_says_why(state: State, wanted: str, cause: Apart) -> None:
    with pytest.raises(NotFollowed, match=f"the ticket says {wanted}") as refused:
        way(state, TicketState(wanted))

    assert refused.value.cause is cause


def test_another_question_is_asked_anew() -> None:
    assert way(ASKED, TicketState.PENDING, Awaits.APPOINTMENT) == ["ask-appointment"]


def test_every_way_is_legal_and_leads_there() -> None:
    states = [
        State(base, waiting, awaits, asked, incident)
        for base in Base
        for waiting, awaits in [
            (None, None),
            (Waiting.HELD, None),
            (Waiting.NETWORK_INCIDENT, None),
            (Waiting.PENDING, Awaits.INFORMATION),
            (Waiting.PENDING, Awaits.APPOINTMENT),
        ]
        for asked in (None, Operation.AMENDMENT, Operation.CANCELLATION)
        for incident in (None, "INC1")
        if base in (Base.ACKNOWLEDGED, Base.IN_PROGRESS) or not (waiting or asked)
    ]
    for state, wanted, awaits in product(states, TicketState, Awaits):
        goal = Wanted(wanted, awaits=awaits)
        try:
            steps = way_to(state, goal)
        except NotFollowed:
            continue
        after = state
        for step in steps:
            events = [step.event] + ([Event.START] if step.commit else [])
            for event in events:
                after = plan(after, event)[-1].state
        assert way_to(after, goal) == ()


@pytest.mark.parametrize("state", [UNDECIDED, ACKNOWLEDGED, IN_PROGRESS, HELD, ASKED, OUTAGE])
def test_what_is_called_possible_is_just_what_can_be_followed(state: State) -> None:
    followed, told = [], set[str]()
    for wanted in TicketState:
        try:
            if way(state, wanted):
                followed.append(wanted)
        except NotFollowed as error:
            if error.cause is Apart.NO_WAY:
                told.add(str(error).partition("these are possible: ")[2])

    assert told <= {", ".join(followed)}
    assert told or state == UNDECIDED
