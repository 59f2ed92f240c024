"""The forms by which people say what happened to a problem: one for each event that is possible."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supplier_api.contract.codes import ProblemCode, ResolutionCode
from supplier_api.problems.lifecycle import DECIDES_CHANGE, Event
from supplier_api.problems.model import ChangeRequest, ServiceProblem
from supplier_api.problems.next_events import caused, legal_for_back_office, must_carry

PROBLEM_CODES = [code.value for code in ProblemCode]
RESOLUTION_CODES = [code.value for code in ResolutionCode]
LABELS: Mapping[Event, str] = {
    Event.ACCEPT: "Accept the problem",
    Event.REJECT: "Reject the problem",
    Event.START: "Start work",
    Event.HOLD: "Put on hold",
    Event.RESUME: "Resume work",
    Event.ASK_INFORMATION: "Ask for information",
    Event.ASK_APPOINTMENT: "Ask for an appointment",
    Event.REAPPOINTED: "Confirm the new appointment",
    Event.NOTE: "Send a note",
    Event.WARN: "Warn the tenant",
    Event.RESOLVE: "Resolve",
    Event.COMPLETE: "Complete",
    Event.REOPEN: "Reopen",
    Event.CANCEL: "Cancel the problem",
    Event.ACCEPT_CHANGE: "Accept the change",
    Event.REJECT_CHANGE: "Reject the change",
}
# What ends the problem or the change for the tenant.
GRAVE = frozenset({Event.REJECT, Event.CANCEL, Event.REJECT_CHANGE})
# What each may carry beside that which it must, in the order of the form.
_MAY_CARRY: Mapping[Event, Sequence[str]] = {
    Event.ACCEPT: ("text", "commit", "backOfficeId"),
    Event.NOTE: ("text", "note", "backOfficeId"),
    Event.RESOLVE: ("resolution", "note"),
    Event.COMPLETE: (),
}
_ORDER = ("changeReference", "resolution", "problemCode", "text", "note", "commit", "backOfficeId")


@dataclass(frozen=True, slots=True)
class EventForm:
    """The form of an event: its fields as the door names them, and which of them it must carry.

    `about` says what it does to the order of the updates; `change` is the change it decides.
    """

    event: str
    label: str
    about: str
    fields: Sequence[str]
    needs: frozenset[str]
    change: str | None
    grave: bool


def forms(problem: ServiceProblem, change: ChangeRequest | None, waiting: int) -> list[EventForm]:
    """Return the forms of what is possible, the decision on a change first.

    `waiting` is how many KCIs are not delivered yet.
    """
    legal = legal_for_back_office(problem.state)
    first = [event for event in legal if event in DECIDES_CHANGE]
    return [
        _form(problem, event, change, waiting)
        for event in [*first, *(event for event in legal if event not in first)]
    ]


def document_of(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the event that a form says, as the door takes it; empty fields are left out."""
    given = {name: value.strip() for name, value in form.items() if value.strip()}
    document: dict[str, Any] = {
        name: given[name] for name in ("id", "event", *_ORDER) if name in given
    }
    if "commit" in document:
        document["commit"] = True
    if resolution := {
        name: given[name] for name in ("resolutionCode", "resolutionText") if name in given
    }:
        document["resolution"] = resolution
    return document


def _form(
    problem: ServiceProblem, event: Event, change: ChangeRequest | None, waiting: int
) -> EventForm:
    needs = must_carry(problem, event)
    has = {*needs, *_MAY_CARRY.get(event, ("text",))}
    return EventForm(
        event=event.value,
        label=LABELS[event],
        about=" ".join(_effects(problem, event, waiting)),
        fields=[name for name in _ORDER if name in has],
        needs=frozenset(needs),
        change=change.reference if change and "changeReference" in needs else None,
        grave=event in GRAVE,
    )


def _effects(problem: ServiceProblem, event: Event, waiting: int) -> Iterator[str]:
    """Yield sentences on what an event does to the order of the updates."""
    sent = list(caused(problem, event))
    for number, reason, status in sent:
        yield f"Queues KCI {number} {reason}, in which the problem is {status}."
    if not sent:
        yield "Sends no KCI."
    elif waiting:
        yield f"It leaves when the {waiting} before it are taken."
    if event is Event.NOTE:
        yield "Without a text for the tenant it is an UPDATE."
