"""/admin/idle and /admin/problems: what is still to be done, and all that is known of a problem."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response

from supplier_api.clock import to_wire
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.schemas import ERROR
from supplier_api.http.openapi import response
from supplier_api.http.request_parsing import json_response
from supplier_api.outbox.pauses import Pause, PauseCause
from supplier_api.problems import view
from supplier_api.sandbox.admin.clock import is_moving
from supplier_api.sandbox.admin.parameters import TENANT_IN_QUERY, WAIT, RequestParameter
from supplier_api.sandbox.admin.resource import AdminParts, AdminResource, AnswerField, AnswerShape
from supplier_api.sandbox.pending_work import Outstanding

CAUSES = {PauseCause.OPERATOR: "paused", PauseCause.BREAKER: "breaker", PauseCause.ASKED: "asked"}


@dataclass(frozen=True, slots=True)
class WaitCause:
    """Why something has not been done: a pause, or a cause with the number of those it holds."""

    why: str
    until: datetime | None
    destination: str | None = None
    tenant: str | None = None
    problem: str | None = None
    reason: str | None = None
    count: int | None = None


def _count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": description}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _sum(
    description: str, count: Callable[[Outstanding], int]
) -> AnswerField[Sequence[Outstanding]]:
    return AnswerField(_count(description), lambda parts: sum(map(count, parts)))


def _first(moments: Sequence[datetime | None]) -> str | None:
    known = [moment for moment in moments if moment]
    return to_wire(min(known)) if known else None


WAIT_CAUSE = AnswerShape[WaitCause](
    {
        "why": AnswerField(
            {
                "type": "string",
                "enum": [*CAUSES.values(), "withheld", "back-off", "refused", "maintenance"],
                "description": "paused: by an operator; breaker: the destination fails;"
                " asked: it asked for time; withheld: it follows an answer, and leaves a"
                " moment after it; back-off: an attempt failed; refused: it waits behind"
                " one that was refused for good; maintenance: decisions are put off",
            },
            lambda cause: cause.why,
            required=True,
        ),
        "destination": AnswerField(_text("Whose; absent: any"), lambda cause: cause.destination),
        "tenant": AnswerField(_text("Whose; absent: everybody's"), lambda cause: cause.tenant),
        "problem": AnswerField(_text("Our reference of the only one"), lambda cause: cause.problem),
        "reason": AnswerField(_text("In words"), lambda cause: cause.reason),
        "count": AnswerField(_count("How many problems, or decisions"), lambda cause: cause.count),
        "until": AnswerField(
            {
                "type": "string",
                "format": "date-time",
                "description": "In real time: when it ends, or the first one is tried",
            },
            lambda cause: _first([cause.until]),
        ),
    }
)
OUTSTANDING = AnswerShape[Sequence[Outstanding]](
    {
        "idle": AnswerField({"type": "boolean"}, required=True),
        "advancing": AnswerField(
            {"type": "boolean", "description": "A clock is still being moved"}, required=True
        ),
        "timersDue": _sum("What is to happen now", lambda part: part.timers_due),
        "lanesDue": _sum(
            "Problems with updates or orders that are to be sent now", lambda part: part.lanes_due
        ),
        "lanesInFlight": _sum("Problems with one that is being sent", lambda part: part.in_flight),
        "lanesInBackOff": _sum(
            "Not for now: the last attempt failed, the next is planned",
            lambda part: part.in_back_off,
        ),
        "lanesParked": _sum(
            "Not for now: they wait behind one that was refused for good", lambda part: part.parked
        ),
        "nextTimer": AnswerField(
            {
                "type": "string",
                "format": "date-time",
                "description": "Not for now: when something is to happen next, in business time",
            },
            lambda parts: _first([part.next_timer for part in parts]),
        ),
        "waits": AnswerField(
            {
                "type": "array",
                "description": "Why what is left has not been done: each cause once, whatever it"
                " holds",
                "items": WAIT_CAUSE.schema,
            }
        ),
    }
)
NAME = RequestParameter(
    "name",
    "Our reference of the problem or of an amendment, cancellation or resolution of it; the"
    " gateway's id; the back office's ticket; a conversation; a service",
    {"type": "string", "minLength": 1},
    example="SP_7K2M9QX4TD",
    in_path=True,
)
PROBLEM = {
    "type": "object",
    "required": ["reference", "tenant", "gatewayId", "status", "timeline", "timers"],
    "properties": {
        "reference": {"type": "string"},
        "tenant": {"type": "string"},
        "gatewayId": {"type": "integer"},
        "status": {"type": "string"},
        "timeline": {"type": "array", "items": {"type": "object"}},
        "timers": {"type": "array", "items": {"type": "object"}},
    },
}


def declare_idle(parts: AdminParts) -> AdminResource:
    """Return the route that waits."""
    resource = AdminResource(parts, "idle", "Waiting without asking again and again")
    virtual_clock = parts.virtual_clock

    @resource.route(
        "GET",
        "/idle",
        "idle",
        {
            200: response("Nothing is due or in flight", OUTSTANDING.schema),
            408: response("Something still is, after that time", OUTSTANDING.schema),
            422: response("There can be no such tenant or time", ERROR),
        },
        parameters=[TENANT_IN_QUERY, WAIT],
    )
    def wait_for_idle(tenant: str | None, wait: float) -> Response:
        """Wait until nothing is due or in flight, for a tenant or for all.

        What waits for a later time does not count: a timer, an update whose last attempt failed,
        one behind a dead letter. `waits` says why it is not done.
        """

        def is_idle() -> bool:
            settled = all(part.settled for part in virtual_clock.outstanding(tenant))
            return settled and not is_moving(virtual_clock, tenant)

        idle = parts.wait_until(is_idle, wait)
        left = virtual_clock.outstanding(tenant)
        causes = [*map(_paused, virtual_clock.pauses(tenant)), *_causes(left)]
        shown = OUTSTANDING.show(
            left,
            idle=idle,
            advancing=is_moving(virtual_clock, tenant),
            waits=[WAIT_CAUSE.show(cause) for cause in causes],
        )
        return json_response(shown, 200 if idle else 408)

    return resource


def declare_problems(parts: AdminParts) -> AdminResource:
    """Return the route of the problems."""
    resource = AdminResource(parts, "problems", "What the supplier knows of a problem")
    store = parts.services.store

    @resource.route(
        "GET",
        "/problems/<rest:name>",
        "problem",
        {
            200: response("The problem", PROBLEM),
            404: response("There is none of that name", ERROR),
            409: response("The name stands for several", ERROR),
            422: response("There can be no such tenant", ERROR),
        },
        parameters=[NAME, TENANT_IN_QUERY],
    )
    def show(name: str, tenant: str | None) -> Response:
        """Show a problem: what was asked, answered, done and sent, and what comes next."""
        found = [
            problem
            for problem in store.read(lambda uow: view.find(uow, name))
            if tenant in {None, problem.tenant}
        ]
        if not found:
            return parts.refuse(404, ErrorCode.NOT_FOUND, "name: no such problem")
        if len(found) > 1:
            each = [f"{one.reference} of {one.tenant}" for one in found]
            return parts.refuse(409, ErrorCode.INVALID_REQUEST, "name: stands for several", *each)
        return json_response(store.read(lambda uow: view.show(uow, found[0])))

    return resource


def _paused(pause: Pause) -> WaitCause:
    """Return a pause as a cause; the end of an open breaker is when it is tried next."""
    return WaitCause(
        why=CAUSES[pause.cause],
        until=pause.until or (pause.probe.at if pause.probe else None),
        destination=pause.scope.destination,
        tenant=pause.scope.tenant,
        problem=pause.reference,
        reason=pause.reason,
    )


def _causes(parts: Sequence[Outstanding]) -> Iterator[WaitCause]:
    """Yield why single problems wait."""
    causes: tuple[tuple[str, int, list[datetime | None]], ...] = (
        (
            "withheld",
            sum(part.withheld for part in parts),
            [part.released_at for part in parts],
        ),
        ("back-off", sum(part.in_back_off for part in parts), [part.next_retry for part in parts]),
        ("refused", sum(part.parked for part in parts), []),
        ("maintenance", sum(part.put_off for part in parts), []),
    )
    for why, count, moments in causes:
        if count:
            yield WaitCause(why, min((each for each in moments if each), default=None), count=count)
