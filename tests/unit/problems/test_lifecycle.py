"""The lifecycle, state by state: legal events, target states and KCIs."""

import pytest

from supplier_api.contract.codes import REASONS, ReasonCode
from supplier_api.problems.lifecycle import (
    DECIDED,
    TABLE,
    About,
    Event,
    IllegalMove,
    LifecycleStep,
    legal_events,
    plan,
    settled_by,
)
from supplier_api.problems.model import Awaits, Base, State, Waiting
from supplier_api.rules.model import Operation

INCIDENT = "INC1"
STATES = {
    "undecided": State(Base.UNDECIDED),
    "undecided, in an incident": State(Base.UNDECIDED, incident=INCIDENT),
    "acknowledged": State(Base.ACKNOWLEDGED),
    "in progress": State(Base.IN_PROGRESS),
    "information": State(Base.ACKNOWLEDGED, Waiting.PENDING, Awaits.INFORMATION),
    "appointment": State(Base.IN_PROGRESS, Waiting.PENDING, Awaits.APPOINTMENT),
    "held": State(Base.IN_PROGRESS, Waiting.HELD),
    "incident": State(Base.ACKNOWLEDGED, Waiting.NETWORK_INCIDENT, incident=INCIDENT),
    "held, in an incident": State(Base.IN_PROGRESS, Waiting.HELD, incident=INCIDENT),
    "amendment": State(Base.ACKNOWLEDGED, asked=Operation.AMENDMENT),
    "cancellation over held": State(Base.IN_PROGRESS, Waiting.HELD, asked=Operation.CANCELLATION),
    "resolved": State(Base.RESOLVED),
    "rejected": State(Base.REJECTED),
    "cancelled": State(Base.CANCELLED),
    "completed": State(Base.COMPLETED),
}

# The events of every state of an accepted problem. "=": the status stays.
OPEN = {
    "hold": "DELAY/HELD",
    "ask-information": "INFORMATION_REQUIRED/PENDING",
    "ask-appointment": "REAPPOINT/PENDING",
    "reappointed": "REAPPOINTED/=",
    "note": "ADDITIONAL/=",
    "update": "UPDATE/=",
    "warn": "WARNING/=",
    "resolve": "RESOLVED/RESOLVED",
    "cancel": "CANCELLED/CANCELLED",
    "amend": "/=",
    "amend, behind queued KCIs": "AMENDED/=",
    "ask for an amendment": "/PENDING_AMENDMENT",
    "cancel for the tenant": "/CANCELLED",
    "cancel for the tenant, behind queued KCIs": "CANCELLED/CANCELLED",
    "ask for a cancellation": "/PENDING_CANCELLATION",
    "join a network incident": "DELAY/NETWORK_INCIDENT",
}
START = {"start": "COMMITTED/IN_PROGRESS"}
UNDECIDED = {
    "accept": "ACKNOWLEDGED/ACKNOWLEDGED",
    "reject": "REJECTED/REJECTED",
    "cancel": "CANCELLED/CANCELLED",
    "amend": "/undecided",
    "amend, behind queued KCIs": "AMENDED/undecided",
    "cancel for the tenant": "/CANCELLED",
    "cancel for the tenant, behind queued KCIs": "CANCELLED/CANCELLED",
}
# While a change is undecided the tenant is asked nothing, and no other change is accepted.
ASKED_MEANWHILE = {
    "hold": "DELAY/=",
    "reappointed": "REAPPOINTED/=",
    "note": "ADDITIONAL/=",
    "update": "UPDATE/=",
    "warn": "WARNING/=",
    "join a network incident": "DELAY/=",
}
LEGAL = {
    "undecided": UNDECIDED,
    "undecided, in an incident": UNDECIDED,
    "acknowledged": OPEN | START,
    "in progress": OPEN,
    "information": OPEN | START | {"resume": "RESUMED/ACKNOWLEDGED"},
    "appointment": OPEN
    | {"resume": "RESUMED/IN_PROGRESS", "reappointed": "REAPPOINTED/IN_PROGRESS"},
    "held": OPEN | {"resume": "RESUMED/IN_PROGRESS"},
    "incident": {name: does for name, does in OPEN.items() if name != "join a network incident"}
    | START
    | {"resume": "RESUMED/ACKNOWLEDGED", "leave a network incident": "RESUMED/ACKNOWLEDGED"},
    "held, in an incident": OPEN
    | {"resume": "DELAY/NETWORK_INCIDENT", "leave a network incident": "/="},
    "amendment": ASKED_MEANWHILE
    | {
        "start": "COMMITTED/=",
        "resolve": "AMENDMENT_REJECTED/ACKNOWLEDGED, RESOLVED/RESOLVED",
        "cancel": "AMENDMENT_REJECTED/ACKNOWLEDGED, CANCELLED/CANCELLED",
        "accept-change": "AMENDED/ACKNOWLEDGED",
        "reject-change": "AMENDMENT_REJECTED/ACKNOWLEDGED",
    },
    "cancellation over held": ASKED_MEANWHILE
    | {
        "resume": "RESUMED/=",
        "resolve": "CANCELLATION_REJECTED/HELD, RESOLVED/RESOLVED",
        "cancel": "CANCELLED/CANCELLED",
        "accept-change": "CANCELLED/CANCELLED",
        "reject-change": "CANCELLATION_REJECTED/HELD",
    },
    "resolved": {
        "note": "ADDITIONAL/=",
        "update": "UPDATE/=",
        "warn": "WARNING/=",
        "complete": "COMPLETED/COMPLETED",
        "reopen": "RESUMED/IN_PROGRESS",
        "accept the resolution": "COMPLETED/COMPLETED",
        "reject the resolution": "RESUMED/IN_PROGRESS",
        "give notice of closure": "ADDITIONAL/=",
        "close by silence": "COMPLETED/COMPLETED",
    },
    "rejected": {},
    "cancelled": {},
    "completed": {},
}
# What a KCI of the reason must carry besides the problem.
MUST = {
    ReasonCode.ADDITIONAL: {"text"},
    ReasonCode.WARNING: {"problemCode"},
    ReasonCode.DELAY: {"problemCode"},
    ReasonCode.INFORMATION_REQUIRED: {"text", "problemCode"},
    ReasonCode.REAPPOINT: {"problemCode"},
    ReasonCode.AMENDMENT_REJECTED: {"text", "problemCode"},
    ReasonCode.CANCELLATION_REJECTED: {"text", "problemCode"},
    ReasonCode.CANCELLED: {"problemCode"},
    ReasonCode.REJECTED: {"text", "problemCode"},
}


EVERY_MOVE = (*TABLE, *DECIDED.values())


def described(steps: tuple[LifecycleStep, ...]) -> str:
    """Write steps as the tables above do, with each status in full."""
    return ", ".join(f"{step.kci or ''}/{step.state.status or 'undecided'}" for step in steps)


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("name", STATES)
def test_each_event_in_each_state_does_what_the_table_says_or_is_refused(
    name: str, event: Event
) -> None:
    state = STATES[name]
    outcome = LEGAL[name].get(event)
    if outcome is None:
        with pytest.raises(IllegalMove) as refused:
            plan(state, event, incident=INCIDENT)
        assert str(refused.value) == f"{event} is not possible while the problem is {state}"
        assert refused.value.legal == legal_events(state)
    else:
        steps = plan(state, event, incident=INCIDENT)
        assert described(steps) == outcome.replace("=", str(state.status))


@pytest.mark.parametrize("name", STATES)
def test_what_is_legal_is_listed_in_the_order_of_the_events(name: str) -> None:
    legal = [event for event in Event if event in LEGAL[name]]

    assert legal_events(STATES[name]) == legal


@pytest.mark.parametrize("name", STATES)
def test_each_kci_says_what_it_must_carry(name: str) -> None:
    for event in legal_events(STATES[name]):
        for step in plan(STATES[name], event, incident=INCIDENT):
            wanted = MUST.get(step.kci, set()) if step.kci else set()
            carries = set(REASONS[step.kci].carries) if step.kci else set()
            assert carries & {"text", "problemCode"} == wanted, f"{event} -> {step.kci}"


def test_each_reason_but_created_follows_from_an_event() -> None:
    follow = {move.kci for move in EVERY_MOVE if isinstance(move.kci, ReasonCode)}

    assert follow == set(ReasonCode) - {ReasonCode.CREATED}
    assert {move.event for move in EVERY_MOVE} == set(Event)


def test_what_a_reason_carries_is_given_by_each_event_that_it_follows_from() -> None:
    for move in EVERY_MOVE:
        carries = set(REASONS[move.kci].carries if isinstance(move.kci, ReasonCode) else ())
        if "serviceProblemResolution" in carries:
            assert move.about is About.RESOLUTION, move
        if carries & {"serviceProblemAmendment", "serviceProblemCancellation"}:
            assert move.about is About.CHANGE, move


def test_a_refusal_names_the_change_and_what_lies_beneath() -> None:
    with pytest.raises(IllegalMove) as refused:
        plan(STATES["cancellation over held"], Event.ASK_INFORMATION)

    assert str(refused.value) == (
        "ask-information is not possible while the problem is PENDING_CANCELLATION over HELD"
    )


def after(state: State, event: Event, **more: object) -> State:
    """Return the state after an event."""
    return plan(state, event, **more)[-1].state  # type: ignore[arg-type] # passed on as they are


@pytest.mark.parametrize("name", ["held", "incident", "information", "appointment"])
@pytest.mark.parametrize(
    ("event", "waiting", "awaits"),
    [
        (Event.HOLD, Waiting.HELD, None),
        (Event.ASK_INFORMATION, Waiting.PENDING, Awaits.INFORMATION),
        (Event.ASK_APPOINTMENT, Waiting.PENDING, Awaits.APPOINTMENT),
    ],
)
def test_one_wait_replaces_another_and_an_incident_is_remembered(
    name: str, event: Event, waiting: Waiting, awaits: Awaits | None
) -> None:
    before = STATES[name]

    assert after(before, event) == State(before.base, waiting, awaits, None, before.incident)


def test_work_that_starts_ends_whatever_was_waited_for() -> None:
    assert after(STATES["information"], Event.START) == State(Base.IN_PROGRESS)


def test_an_incident_lets_the_question_to_the_tenant_lapse() -> None:
    joined = after(STATES["information"], Event.JOIN_INCIDENT, incident=INCIDENT)

    assert joined == STATES["incident"]
    assert after(joined, Event.AMEND, settles=frozenset(Awaits)) == joined
    assert after(joined, Event.LEAVE_INCIDENT) == State(Base.ACKNOWLEDGED)


def test_a_wait_that_ends_in_an_incident_leads_back_to_the_incident() -> None:
    asked = after(STATES["incident"], Event.ASK_INFORMATION)
    (step,) = plan(asked, Event.AMEND, settles=frozenset({Awaits.INFORMATION}))

    assert step.state == STATES["incident"]
    assert step.kci is ReasonCode.DELAY


def test_an_incident_that_ends_leaves_another_wait_alone() -> None:
    assert after(STATES["held, in an incident"], Event.LEAVE_INCIDENT) == STATES["held"]


@pytest.mark.parametrize("event", [Event.AMEND, Event.AMEND_BEHIND])
@pytest.mark.parametrize(
    ("name", "settles", "clears"),
    [
        ("information", {Awaits.INFORMATION}, True),
        ("information", {Awaits.APPOINTMENT}, False),
        ("information", set(), False),
        ("appointment", {Awaits.INFORMATION}, False),
        ("appointment", {Awaits.INFORMATION, Awaits.APPOINTMENT}, True),
        ("held", {Awaits.INFORMATION, Awaits.APPOINTMENT}, False),
    ],
)
def test_an_amendment_ends_the_wait_that_it_settles_and_no_other(
    name: str, settles: set[Awaits], clears: bool, event: Event
) -> None:
    before = STATES[name]
    (step,) = plan(before, event, settles=frozenset(settles))

    assert step.state == (State(before.base) if clears else before)
    if event is Event.AMEND:
        assert step.kci is (ReasonCode.RESUMED if clears else None)
    else:
        assert step.kci is ReasonCode.AMENDED


def test_an_amendment_that_is_accepted_later_settles_the_question_with_its_own_kci_alone() -> None:
    before = after(STATES["information"], Event.ASK_AMENDMENT)
    (step,) = plan(before, Event.ACCEPT_CHANGE, settles=frozenset({Awaits.INFORMATION}))

    assert (step.kci, step.state) == (ReasonCode.AMENDED, State(Base.ACKNOWLEDGED))


@pytest.mark.parametrize("name", ["information", "held", "incident"])
@pytest.mark.parametrize("ask", [Event.ASK_AMENDMENT, Event.ASK_CANCELLATION])
def test_a_refused_change_leads_back_to_what_was_before(name: str, ask: Event) -> None:
    before = STATES[name]

    assert after(after(before, ask), Event.REJECT_CHANGE) == before


def test_work_goes_on_beneath_an_undecided_change() -> None:
    state = after(STATES["acknowledged"], Event.ASK_AMENDMENT)
    state = after(state, Event.START)
    state = after(state, Event.HOLD)

    assert state == State(Base.IN_PROGRESS, Waiting.HELD, asked=Operation.AMENDMENT)
    assert after(state, Event.ACCEPT_CHANGE) == STATES["held"]


@pytest.mark.parametrize(
    ("fields", "settles"),
    [
        (["problemText"], {Awaits.INFORMATION}),
        (["escalationRequest", "notes"], {Awaits.INFORMATION}),
        (["escalationRequest"], set()),
        (["appointmentReservationId"], {Awaits.INFORMATION, Awaits.APPOINTMENT}),
        (["appointmentReservationReference"], {Awaits.INFORMATION}),
    ],
)
def test_what_an_amendment_settles_depends_on_its_fields(
    fields: list[str], settles: set[Awaits]
) -> None:
    about = ["id", "serviceProblemId", "supplierServiceProblemReference", "supplierReference"]

    assert settled_by(about + fields) == settles
