"""/admin/clock: business time, moved forward, stopped and let go again."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Response
from flask_smorest import Blueprint

from supplier_api.clock import from_wire, to_wire
from supplier_api.contract import Invalid
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.fields import Flag, InstantField, Number
from supplier_api.contract.schemas import ERROR, make
from supplier_api.http.responses import json_response
from supplier_api.problems.timer_repository import ALL
from supplier_api.sandbox.admin.dependencies import AdminParts
from supplier_api.sandbox.admin.description import TENANT_IN_QUERY, admin_blueprint, describe
from supplier_api.sandbox.admin.query_params import (
    WAIT,
    Strict,
    asked_tenant,
    asked_wait,
    read_document,
    tenant_name,
    wait_until,
)
from supplier_api.sandbox.virtual_clock import (
    Backwards,
    MovedClock,
    StillMoving,
    TooFar,
    VirtualClock,
)

MOVES = ("advanceSeconds", "to", "freeze", "run")
YEARS_10 = 10 * 366 * 86_400
MOVE = make(
    "ClockMove",
    {
        "tenant": tenant_name("Whose clock; without it, every clock"),
        "advanceSeconds": Number(
            "Forward by so many seconds", 432_000, minimum=0, maximum=YEARS_10
        ),
        "to": InstantField("Forward to this time", "2026-02-28T23:59:30.000Z"),
        "freeze": Flag("true: stand still from now on", example=True),
        "run": Flag("true: run on from where it stands", example=True),
    },
    Strict,
)
HAND: dict[str, Any] = {
    "type": "object",
    "required": ["state", "now", "frozen"],
    "properties": {
        "tenant": {"type": "string", "description": "Whose, if asked for one"},
        "state": {
            "type": "string",
            "enum": ["ready", "advancing"],
            "description": "advancing: not all that became due is done and settled",
        },
        "now": {"type": "string", "format": "date-time"},
        "frozen": {"type": "boolean", "description": "It stands still"},
        "to": {
            "type": "string",
            "format": "date-time",
            "description": "While advancing: where to",
        },
        "tenants": {
            "type": "object",
            "description": "If asked for all: the clocks of those who have their own",
            "additionalProperties": {"type": "object"},
        },
    },
}


def routes(parts: AdminParts) -> Blueprint:
    """Return the routes of the clocks."""
    blueprint = admin_blueprint("clock", "Business time")
    virtual_clock = parts.virtual_clock

    @blueprint.route("/clock", methods=["GET"])
    @blueprint.doc(
        **describe(
            "clock",
            {200: (HAND, "Where it is"), 422: (ERROR, "There can be no such tenant")},
            parameters=[TENANT_IN_QUERY],
        )
    )
    def show() -> Response:
        """Show a tenant's business time, or everybody's, and whether it is still being moved."""
        return json_response(shown_clock(virtual_clock, asked_tenant()))

    @blueprint.route("/clock", methods=["POST"])
    @blueprint.doc(
        **describe(
            "move-clock",
            {
                200: (HAND, "There, and all that became due on the way is done and settled"),
                202: (HAND, "Still advancing: GET says when it is ready"),
                409: (ERROR, "An earlier move is still under way; freeze or run ends it"),
            },
            request=MOVE,
            example={"tenant": "TENANT1", "advanceSeconds": 432_000},
            parameters=[WAIT],
        )
    )
    def move() -> Response:
        """Move business time for one tenant, or for all.

        It goes forward only, from one thing that is due to the next: each is done at its own time,
        and its updates are settled, before the next one's turn.
        """
        wait = asked_wait()
        asked = read_document(parts, MOVE)
        tenant = asked.get("tenant")
        try:
            _begin(virtual_clock, tenant, asked)
        except StillMoving:
            told = "the clock is still advancing: wait, or end that by freeze or run"
            return parts.refuse(409, ErrorCode.INVALID_REQUEST, told)
        there = wait_until(lambda: not is_moving(virtual_clock, tenant), wait, parts)
        return json_response(shown_clock(virtual_clock, tenant), 200 if there else 202)

    return blueprint


def is_moving(virtual_clock: VirtualClock, tenant: str | None) -> bool:
    """Tell whether a tenant's clock is on its way; with None, whether any is."""
    hands = virtual_clock.hands()
    if tenant is None:
        return any(hand.target for hand in hands.values())
    return hands.get(tenant, hands[ALL]).target is not None


def shown_clock(virtual_clock: VirtualClock, tenant: str | None) -> dict[str, Any]:
    """Return a tenant's clock as JSON; with None, everybody's with those that differ."""
    hands = virtual_clock.hands()
    if tenant is not None:
        return {"tenant": tenant, **_shown(hands.get(tenant, hands[ALL]))}
    everybodys = _shown(hands.pop(ALL))
    own = {name: _shown(hand) for name, hand in hands.items()}
    if any(shown["state"] == "advancing" for shown in own.values()):
        everybodys["state"] = "advancing"
    return {**everybodys, "tenants": own}


def _shown(hand: MovedClock) -> dict[str, Any]:
    to = {"to": to_wire(hand.target)} if hand.target else {}
    state = "advancing" if hand.target else "ready"
    return {"state": state, "now": to_wire(hand.now), "frozen": hand.stands, **to}


def _begin(virtual_clock: VirtualClock, tenant: str | None, asked: Mapping[str, Any]) -> None:
    """Begin the one move that is asked for. Raises Invalid and StillMoving."""
    moves = [name for name in MOVES if asked.get(name, False) is not False]
    if len(moves) != 1:
        raise Invalid([f"body: expected one of {', '.join(MOVES)}; freeze and run only as true"])
    try:
        match moves[0]:
            case "advanceSeconds":
                virtual_clock.advance(tenant, timedelta(seconds=asked["advanceSeconds"]))
            case "to":
                virtual_clock.go_to(tenant, from_wire(asked["to"]))
            case "freeze":
                virtual_clock.freeze(tenant)
            case _:
                virtual_clock.run(tenant)
    except Backwards:
        told = "to: expected no time before the clock's own; POST /admin/reset puts a clock back"
        raise Invalid([told]) from None
    except (TooFar, OverflowError):
        raise Invalid([f"{moves[0]}: expected to end before the year 9000"]) from None
