"""The time line of a problem: requests, events, messages with their attempts, operators' actions.

It holds no personal data unless that is asked for: codes, ids, dates and states only.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from supplier_api.clock import from_wire, to_wire
from supplier_api.contract.codes import ReasonCode
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.outbox.model import shown_log
from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.problems.idempotency import RESOLUTION
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.parts_repository import BackOfficeEventRepository, RecordedEvent

KCIS = frozenset(reason.value for reason in ReasonCode)


def timeline(
    uow: UnitOfWork,
    problem: ServiceProblem,
    messages: Sequence[Mapping[str, Any]],
    *,
    people: bool = False,
) -> list[dict[str, Any]]:
    """Return what happened to a problem, the oldest first, as plain JSON values.

    `messages` are all of the problem's. With `people` it is said who did what and why: names, and
    texts that may be about anybody.
    """
    actions = OperatorActionRepository(uow).of(problem.id)
    of_event = {each.detail["id"]: each for each in actions if each.detail and _is_event(each)}
    sent = [_message(row) for row in messages]
    entries = [request(row) for row in DecisionRepository(uow).of(problem.id)]
    entries += [
        _event(event, of_event.get(event.event_id), people=people)
        for event in BackOfficeEventRepository(uow).of(problem.id)
    ]
    entries += sent
    anchors = [(row["created"], _issued(row, row["original"] or row["body"])) for row in messages]
    entries += [
        {"at": _in_business_time(each.at, anchors), **_action(each, people=people)}
        for each in actions
        if not _is_event(each)
    ]
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
        "status": _resolution_status(row),
        "outcome": row["outcome"],
        "rule": row["rule"],
        "reasons": row["reasons"] or [],
        "trace": row["trace"] or [],
        "facts": row["facts"],
        "bookVersion": row["book_version"],
        "answeredLate": maybe(row["answered_late"]),
    }


def _resolution_status(row: Mapping[str, Any]) -> str | None:
    """Return what the tenant's answer made of a resolution; None for other requests."""
    if row["operation"] != RESOLUTION:
        return None
    status: str | None = (row["body"] or {}).get("status")
    return status


def maybe(instant: datetime | None) -> str | None:
    """Return an instant as on the wire, None for none."""
    return to_wire(instant) if instant else None


def _event(event: RecordedEvent, by: Action | None, *, people: bool) -> dict[str, Any]:
    return {
        "at": to_wire(event.created),
        "what": "event",
        "event": Event(event.event).value,
        "id": event.event_id,
        "answer": event.status_code,
        "status": event.body.get("status"),
        "by": "operator" if by else None,
        **(_who(by) if by and people else {}),
    }


def _message(row: Mapping[str, Any]) -> dict[str, Any]:
    body: Mapping[str, Any] = orjson.loads(row["body"])
    entry = {"what": "kci" if row["kind"] in KCIS else "order"}
    if "reasonCode" in body:
        entry["status"] = body["serviceProblem"]["status"]
        if "problemCode" in body:
            entry["problemCode"] = body["problemCode"]
    return {
        "at": _issued(row, row["body"]),
        **entry,
        "number": row["number"],
        "kind": row["kind"],
        "id": row["uuid"],
        "subject": row["subject"],
        "state": row["state"],
        "mended": row["mended"],
        "backOfficeId": row["back_office_id"],
        "settled": maybe(row["settled"]),
        "attempts": shown_log(row["log"]),
    }


def _issued(row: Mapping[str, Any], body: str) -> str:
    """Return when a message says that it was issued, in this body of it."""
    said: Mapping[str, Any] = orjson.loads(body)
    # Retention empties the body of an old message.
    return said.get("issued") or said.get("issuedOn") or to_wire(row["created"])


def _is_event(action: Action) -> bool:
    return action.action.startswith("event ")


def _action(action: Action, *, people: bool) -> dict[str, Any]:
    return {
        "what": "action",
        "action": action.action,
        "destination": action.destination,
        "message": action.message,
        **(_who(action) if people else {}),
    }


def _who(action: Action) -> dict[str, Any]:
    return {"who": action.who, "reason": action.reason}


def _in_business_time(at: datetime, anchors: Sequence[tuple[datetime, str]]) -> str:
    """Return an instant of machine time in the business time of the message made before it.

    A sandbox may have moved that: an action then stands in its place all the same. `anchors` are
    when each message was made, in both.
    """
    before = [pair for pair in anchors if pair[0] <= at]
    if not before:
        return to_wire(at)
    created, issued = before[-1]
    return to_wire(from_wire(issued) + (at - created))


def states(entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield each state that a time line tells of, with its instant; the same one only once."""
    last = None
    for entry in entries:
        state = _state(entry)
        if state and state != last:
            last = state
            yield entry["at"], state


def _state(entry: Mapping[str, Any]) -> str | None:
    """Return the state that an entry leads to, None if it does not say."""
    if entry["what"] == "request":
        return _of_answer(entry["operation"], entry["answer"], entry["outcome"])
    if entry["what"] == "event" and entry["answer"] != 200:
        return None
    state: str | None = entry.get("status")
    return state


def _of_answer(operation: str, answer: int | None, outcome: str | None) -> str | None:
    if operation in {"amendment", "cancellation"}:
        return f"PENDING_{operation.upper()}" if answer == 202 else None
    if operation != "problem":
        return None
    if answer == 202:
        return "UNDECIDED"
    return "IN_PROGRESS" if outcome == "commit" else "ACKNOWLEDGED"
