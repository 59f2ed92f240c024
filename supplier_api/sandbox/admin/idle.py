"""/admin/idle: waiting until nothing is to be done."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from flask import Response
from flask_smorest import Blueprint

from supplier_api.clock import to_wire
from supplier_api.contract.schemas import ERROR
from supplier_api.http.responses import json_response
from supplier_api.outbox.pauses import Cause, Pause
from supplier_api.sandbox.admin.clock import is_moving
from supplier_api.sandbox.admin.dependencies import AdminParts
from supplier_api.sandbox.admin.description import TENANT_IN_QUERY, admin_blueprint, describe
from supplier_api.sandbox.admin.query_params import WAIT, asked_tenant, asked_wait, wait_until
from supplier_api.sandbox.pending_work import Outstanding


def _count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": description}


WHY = {Cause.OPERATOR: "paused", Cause.BREAKER: "breaker", Cause.ASKED: "asked"}
OUTSTANDING: dict[str, Any] = {
    "type": "object",
    "required": ["idle", "advancing"],
    "properties": {
        "idle": {"type": "boolean"},
        "advancing": {"type": "boolean", "description": "A clock is still being moved"},
        "timersDue": _count("What is to happen now"),
        "lanesDue": _count("Problems with updates or orders that are to be sent now"),
        "lanesInFlight": _count("Problems with one that is being sent"),
        "lanesInBackOff": _count("Not for now: the last attempt failed, the next is planned"),
        "lanesParked": _count("Not for now: they wait behind one that was refused for good"),
        "nextTimer": {
            "type": "string",
            "format": "date-time",
            "description": "Not for now: when something is to happen next, in business time",
        },
        "waits": {
            "type": "array",
            "description": "Why what is left has not been done: each cause once, whatever it holds",
            "items": {
                "type": "object",
                "required": ["why"],
                "properties": {
                    "why": {
                        "type": "string",
                        "enum": [*WHY.values(), "withheld", "back-off", "refused", "maintenance"],
                        "description": "paused: by an operator; breaker: the destination fails;"
                        " asked: it asked for time; withheld: it follows an answer, and leaves a"
                        " moment after it; back-off: an attempt failed; refused: it waits behind"
                        " one that was refused for good; maintenance: decisions are put off",
                    },
                    "destination": {"type": "string", "description": "Whose; absent: any"},
                    "tenant": {"type": "string", "description": "Whose; absent: everybody's"},
                    "problem": {"type": "string", "description": "Our reference of the only one"},
                    "reason": {"type": "string", "description": "In words"},
                    "count": _count("How many problems, or decisions"),
                    "until": {
                        "type": "string",
                        "format": "date-time",
                        "description": "In real time: when it ends, or the first one is tried",
                    },
                },
            },
        },
    },
}


def routes(parts: AdminParts) -> Blueprint:
    """Return the route that waits."""
    blueprint = admin_blueprint("idle", "Waiting without asking again and again")
    virtual_clock = parts.virtual_clock

    @blueprint.route("/idle", methods=["GET"])
    @blueprint.doc(
        **describe(
            "idle",
            {
                200: (OUTSTANDING, "Nothing is due or in flight"),
                408: (OUTSTANDING, "Something still is, after that time"),
                422: (ERROR, "There can be no such tenant or time"),
            },
            parameters=[TENANT_IN_QUERY, WAIT],
        )
    )
    def wait_for_idle() -> Response:
        """Wait until nothing is due or in flight, for a tenant or for all.

        What waits for a later time does not count: a timer, an update whose last attempt failed,
        one behind a dead letter. `waits` says why it is not done.
        """
        tenant, wait = asked_tenant(), asked_wait()

        def is_idle() -> bool:
            settled = all(part.settled for part in virtual_clock.outstanding(tenant))
            return settled and not is_moving(virtual_clock, tenant)

        idle = wait_until(is_idle, wait, parts)
        left = virtual_clock.outstanding(tenant)
        shown = {
            "idle": idle,
            "advancing": is_moving(virtual_clock, tenant),
            **_shown(left),
            "waits": [*map(_held_up, virtual_clock.standstills(tenant)), *_reasons(left)],
        }
        return json_response(shown, 200 if idle else 408)

    return blueprint


def _shown(parts: Sequence[Outstanding]) -> dict[str, Any]:
    times = [part.next_timer for part in parts if part.next_timer]
    return {
        "timersDue": sum(part.timers_due for part in parts),
        "lanesDue": sum(part.lanes_due for part in parts),
        "lanesInFlight": sum(part.in_flight for part in parts),
        "lanesInBackOff": sum(part.in_back_off for part in parts),
        "lanesParked": sum(part.parked for part in parts),
        **({"nextTimer": to_wire(min(times))} if times else {}),
    }


def _held_up(pause: Pause) -> dict[str, Any]:
    """Return a standstill, as it is shown; the end of an open breaker is when it is tried next."""
    until = pause.until or (pause.probe.at if pause.probe else None)
    told = {
        "why": WHY[pause.cause],
        "destination": pause.scope.destination,
        "tenant": pause.scope.tenant,
        "problem": pause.reference,
        "reason": pause.reason,
        "until": to_wire(until) if until else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _reasons(parts: Sequence[Outstanding]) -> Iterator[dict[str, Any]]:
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
        until = min((moment for moment in moments if moment), default=None)
        if count:
            yield {"why": why, "count": count, **({"until": to_wire(until)} if until else {})}
