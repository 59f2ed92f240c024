"""/admin/idle: waiting until nothing is to be done."""

from collections.abc import Sequence
from typing import Any

from flask import Response
from flask_smorest import Blueprint

from supplier_api.admin_api.asking import WAIT, asked_tenant, asked_wait, wait_until
from supplier_api.admin_api.clock import is_moving
from supplier_api.admin_api.description import TENANT_IN_QUERY, admin_blueprint, describe
from supplier_api.admin_api.parts import AdminParts
from supplier_api.clock import to_wire
from supplier_api.store.outstanding import Outstanding
from supplier_api.web import json_response
from supplier_api.wire.messages import ERROR


def _count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": description}


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
    },
}


def routes(parts: AdminParts) -> Blueprint:
    """Return the route that waits."""
    blueprint = admin_blueprint("idle", "Waiting without asking again and again")
    clockwork = parts.clockwork

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
        one behind a dead letter.
        """
        tenant, wait = asked_tenant(), asked_wait()

        def is_idle() -> bool:
            settled = all(part.settled for part in clockwork.outstanding(tenant))
            return settled and not is_moving(clockwork, tenant)

        idle = wait_until(is_idle, wait, parts)
        shown = _shown(clockwork.outstanding(tenant))
        advancing = is_moving(clockwork, tenant)
        return json_response({"idle": idle, "advancing": advancing, **shown}, 200 if idle else 408)

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
