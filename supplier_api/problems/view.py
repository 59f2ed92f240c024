"""The read model of one problem: requests, answers, events, messages, timers, and what comes next.

For people and their tools, so it holds no personal data: codes, ids, dates and states only. What
the tenant wrote is in `contents`, for the back office alone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from supplier_api.clock import to_wire
from supplier_api.contract.codes import ReasonCode
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import MAINTENANCE, SwitchRepository
from supplier_api.outbox.model import MessageState, shown_log
from supplier_api.outbox.pauses import PauseCause, PauseRepository
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.backoffice_events import legal_for_back_office
from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.problems.kci import NO_CONTENT, change_entity, content_of_step, lacking
from supplier_api.problems.lifecycle import Event, plan
from supplier_api.problems.model import Awaits, Base, ServiceProblem, State, Waiting
from supplier_api.problems.parts_repository import (
    BackOfficeEventRepository,
    ChangeRequestRepository,
    RecordedEvent,
)
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.timer_repository import TimerRepository

WAITS = {
    Base.UNDECIDED: "the supplier: to accept or reject the problem",
    Base.ACKNOWLEDGED: "the supplier: to start work",
    Base.IN_PROGRESS: "the supplier: to resolve it",
    Base.RESOLVED: "the tenant: to accept or reject the resolution",
    Waiting.HELD: "the supplier: to resume work",
    Waiting.NETWORK_INCIDENT: "the network incident to end",
}
KCIS = frozenset(reason.value for reason in ReasonCode)
AWAITS = {
    Awaits.INFORMATION: "the tenant: to amend with the information asked for",
    Awaits.APPOINTMENT: "the tenant: to book an appointment and amend",
}
# What events must carry beside that which their KCIs ask for, as the door names it.
_OWN_FIELDS: dict[Event, list[str]] = {
    Event.RESOLVE: ["resolution"],
    Event.ACCEPT_CHANGE: ["changeReference"],
    Event.REJECT_CHANGE: ["changeReference"],
}
_PAUSES = {
    PauseCause.OPERATOR: "paused by an operator",
    PauseCause.BREAKER: "the breaker is open",
    PauseCause.ASKED: "the receiver asked us to wait",
}


def find(uow: UnitOfWork, name: str) -> list[ServiceProblem]:
    """Return the problems that match `name`: a reference, gateway id, service id and so on."""
    return [
        ProblemRepository(uow).get(problem_id)
        for problem_id in ProblemRepository(uow).find_any(name)
    ]


def show(uow: UnitOfWork, problem: ServiceProblem) -> dict[str, Any]:
    """Return everything about a problem as plain JSON values."""
    messages = LaneRepository(uow).messages_of(problem.id)
    legal = legal_for_back_office(problem.state)
    return {
        **summary(problem),
        "conversationId": problem.conversation_id,
        "base": problem.state.base,
        "waiting": problem.state.waiting,
        "asked": problem.state.asked,
        "incident": problem.state.incident,
        "area": problem.area,
        "exchange": problem.exchange,
        "parent": problem.parent,
        "parentUnknown": _unknown_parent(problem),
        "backOfficeId": problem.back_office_id,
        "backOfficeUrl": problem.back_office_url,
        "linkedTo": problem.linked_to,
        "doubtful": problem.doubtful,
        "backOfficeUntold": problem.back_office_untold,
        "leftOut": problem.left_out or [],
        "escalations": ChangeRequestRepository(uow).escalations(problem.id),
        "version": problem.version,
        "timeline": _timeline(uow, problem, messages),
        "timers": [
            {"kind": timer.kind, "dueAt": to_wire(timer.due_at), "subject": timer.subject}
            for timer in TimerRepository(uow).of(problem.id)
        ],
        "waitsFor": waits_for(problem.state, _dead_kci(problem, messages)),
        "legalEvents": [str(event) for event in legal],
        "mustCarry": {str(event): must_carry(problem, event) for event in legal},
        "pendingChange": _pending_change(uow, problem),
    }


def whole(uow: UnitOfWork, problem_id: int, now: datetime) -> tuple[ServiceProblem, dict[str, Any]]:
    """Return a problem and all of it, with what the tenant wrote, at `now` (machine time)."""
    problem = ProblemRepository(uow).get(problem_id)
    return problem, {**with_holds(uow, problem, now), **contents(uow, problem)}


def with_holds(uow: UnitOfWork, problem: ServiceProblem, now: datetime) -> dict[str, Any]:
    """Return what `show` does, and what holds the problem up at `now` (machine time)."""
    return {**show(uow, problem), "heldUp": held_up(uow, problem, now)}


def contents(uow: UnitOfWork, problem: ServiceProblem) -> dict[str, Any]:
    """Return what the tenant wrote: the problem as it is now, and the change that is undecided."""
    change = ChangeRequestRepository(uow).pending(problem.id)
    return {"document": problem.document, "change": change_entity(change) if change else None}


def must_carry(problem: ServiceProblem, event: Event) -> list[str]:
    """Return the fields, as the door names them, that an event must carry; it must be legal."""
    own = _OWN_FIELDS.get(event, [])
    if event in (Event.NOTE, Event.ACCEPT_CHANGE):
        # A note without a text is an UPDATE; a cancellation that is accepted says its code.
        return own
    step = plan(problem.state, event)[-1]
    return own + lacking(step, content_of_step(problem, event, step, NO_CONTENT))


def _unknown_parent(problem: ServiceProblem) -> str | None:
    """Say which problem the tenant named as the parent, if it was none of its own."""
    if not problem.parent_unknown:
        return None
    names = ("parentServiceProblemId", "parentServiceProblemReference")
    named = ", ".join(str(problem.document[name]) for name in names if name in problem.document)
    return f"{named}: the tenant had no such problem when this one was raised"


def _pending_change(uow: UnitOfWork, problem: ServiceProblem) -> dict[str, Any] | None:
    change = ChangeRequestRepository(uow).pending(problem.id)
    if change is None:
        return None
    return {
        "kind": change.kind,
        "reference": change.reference,
        "gatewayId": change.gateway_id,
        "created": to_wire(change.created),
        "backOfficeId": change.back_office_id,
        "backOfficeUrl": change.back_office_url,
    }


def summary(problem: ServiceProblem) -> dict[str, Any]:
    """Return the short form of a problem, for lists, as plain JSON values."""
    return {
        "reference": problem.reference,
        "tenant": problem.tenant,
        "gatewayId": problem.gateway_id,
        "serviceId": problem.service_id,
        "status": problem.state.status or problem.state.base,
        "created": to_wire(problem.created),
        "updated": to_wire(problem.updated),
    }


def held_up(uow: UnitOfWork, problem: ServiceProblem, now: datetime) -> list[str]:
    """Return a sentence for each thing that holds a problem up at `now` (machine time)."""
    sentences = []
    if dead := dead_kci(uow, problem):
        sentences.append(f"{dead} was not taken: the later KCIs wait behind it{_look(dead)}")
    sentences += [
        f"{pause.scope.destination or 'everything'}: {_PAUSES[pause.cause]} since"
        f" {to_wire(pause.since)}; look with `supplier-api delivery list`"
        for pause in PauseRepository(uow).active(now)
        if pause.scope.tenant in {None, problem.tenant}
        and pause.scope.problem_id in {None, problem.id}
    ]
    undecided = problem.state.base is Base.UNDECIDED or problem.state.asked
    if undecided and (on := SwitchRepository(uow).get(MAINTENANCE)):
        sentences.append(
            f"maintenance is on since {to_wire(on.since)}: nothing is decided until it ends"
        )
    if problem.doubtful:
        sentences.append("our answer was late or lost: the gateway may not know this problem")
    return sentences


def dead_kci(uow: UnitOfWork, problem: ServiceProblem) -> str | None:
    """Name the KCI, as `REFERENCE#NUMBER`, without which the gateway does not know the rest.

    That is the first one that was refused or grew too old, unless a later one was delivered.
    """
    return _dead_kci(problem, LaneRepository(uow).messages_of(problem.id))


def _dead_kci(problem: ServiceProblem, messages: Sequence[Mapping[str, Any]]) -> str | None:
    kcis = [row for row in messages if row["kind"] in KCIS]
    delivered = [row["number"] for row in kcis if row["state"] == MessageState.DELIVERED]
    dead = [
        row["number"]
        for row in kcis
        if row["state"] in (MessageState.REFUSED, MessageState.EXPIRED)
        and row["number"] > max(delivered, default=0)
    ]
    return f"{problem.reference}#{min(dead)}" if dead else None


def _look(dead: str) -> str:
    return f"; look with `supplier-api kci show {dead}`"


def waits_for(state: State, dead: str | None = None) -> str | None:
    """Say whom and what a problem waits for; None for one that is over.

    Where a tenant is waited for, `dead` is the KCI, if any, without which it was told nothing.
    """
    waits = _waits_for(state)
    if dead and waits and waits.startswith("the tenant"):
        return f"an operator: the tenant was not told, for {dead} was not taken{_look(dead)}"
    return waits


def _waits_for(state: State) -> str | None:
    if state.asked:
        return f"the supplier: to decide on the {state.asked}"
    if state.awaits:
        return AWAITS[state.awaits]
    return WAITS.get(state.beneath)


def _timeline(
    uow: UnitOfWork, problem: ServiceProblem, messages: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    entries = [request(row) for row in DecisionRepository(uow).of(problem.id)]
    entries += [_event(event) for event in BackOfficeEventRepository(uow).of(problem.id)]
    entries += [_message(row) for row in messages]
    # The sort is stable: entries of one instant stay in the order request, event, message.
    return sorted(entries, key=lambda entry: entry["at"])


def request(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of a request, with the rules' trace and the facts that they decided on."""
    return {
        "at": to_wire(row["created"]),
        "what": "request",
        "operation": row["operation"],
        "id": row["key"],
        "requestId": row["request_id"],
        "answer": row["status"],
        "reference": row["reference"],
        "outcome": row["outcome"],
        "rule": row["rule"],
        "reasons": row["reasons"] or [],
        "trace": row["trace"] or [],
        "facts": row["facts"],
        "bookVersion": row["book_version"],
        "answeredLate": _maybe(row["answered_late"]),
    }


def _event(event: RecordedEvent) -> dict[str, Any]:
    return {
        "at": to_wire(event.created),
        "what": "event",
        "event": Event(event.event).value,
        "id": event.event_id,
        "answer": event.status_code,
        "status": event.body.get("status"),
    }


def _message(row: Mapping[str, Any]) -> dict[str, Any]:
    body: Mapping[str, Any] = orjson.loads(row["body"])
    entry = {"what": "kci" if row["kind"] in KCIS else "order"}
    # Retention empties the body of an old message.
    at = body.get("issued") or body.get("issuedOn") or to_wire(row["created"])
    if "reasonCode" in body:
        entry["status"] = body["serviceProblem"]["status"]
        if "problemCode" in body:
            entry["problemCode"] = body["problemCode"]
    return {
        "at": at,
        **entry,
        "number": row["number"],
        "kind": row["kind"],
        "id": row["uuid"],
        "subject": row["subject"],
        "state": row["state"],
        "mended": row["mended"],
        "backOfficeId": row["back_office_id"],
        "settled": _maybe(row["settled"]),
        "attempts": shown_log(row["log"]),
    }


def _maybe(instant: datetime | None) -> str | None:
    return to_wire(instant) if instant else None
