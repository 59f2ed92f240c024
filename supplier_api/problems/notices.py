"""What the back office is told beside the requests of the gateway, and why a decision is its own.

A notice is about what the office did not do itself. Of a problem that it has not heard of, it is
told nothing: the order that raises it says where the problem stands.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from supplier_api.problems.lifecycle import CLOSES_CHANGE, DECIDES_CHANGE, Event, LifecycleStep
from supplier_api.problems.work import BackOfficeEvent, Cause, Notice, OrderKind
from supplier_api.rules.model import Decision, Verdict

_OF_EVENT = {
    Event.CLOSE: Notice.CLOSED,
    Event.JOIN_INCIDENT: Notice.INCIDENT_JOINED,
    Event.LEAVE_INCIDENT: Notice.INCIDENT_LEFT,
}
# The events of which there may be something to report.
REPORTED = CLOSES_CHANGE | _OF_EVENT.keys()
# Whoever applied the event, these have a cause of their own.
CAUSES: dict[OrderKind, Cause] = {
    Notice.CLOSED: Cause.SILENCE,
    Notice.INCIDENT_JOINED: Cause.INCIDENT,
    Notice.INCIDENT_LEFT: Cause.INCIDENT,
    Notice.DECISION_DUE: Cause.DEADLINE,
}


def notice_of(event: Event, steps: Sequence[LifecycleStep]) -> Notice | None:
    """Return what the office must know of an event that is about to be applied, if anything."""
    if event in CLOSES_CHANGE and steps[0].event in DECIDES_CHANGE:
        return Notice.CHANGE_CLOSED
    return _OF_EVENT.get(event)


def event_as_subject(event: BackOfficeEvent) -> dict[str, Any]:
    """Return an event of others as a work order carries it, in the words of the door."""
    fields = {
        "event": event.event,
        "problemCode": event.problem_code,
        "text": event.text,
        "supplierCodes": list(event.supplier_codes),
        "note": event.note,
        "commit": event.commit,
        "changeReference": event.change_reference,
        "resolution": event.resolution,
    }
    return {name: value for name, value in fields.items() if value}


def why_deferred(decision: Decision) -> dict[str, Any]:
    """Return the rule that left the decision to the back office, with reasons in words."""
    failed = [
        f"{trace.rule} could not be evaluated: {trace.why}"
        for trace in decision.trace
        if trace.verdict is Verdict.FAILED
    ]
    described = [decision.description] if decision.description else []
    return {"rule": decision.rule, "reasons": failed or described}


def why_recorded(rule: str | None, trace: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    """Return the same of a decision as it is stored, which is without the rule's description."""
    failed = [
        f"{each['rule']} could not be evaluated: {each['why']}"
        for each in trace or ()
        if each["verdict"] == Verdict.FAILED
    ]
    return {"rule": rule, "reasons": failed}
