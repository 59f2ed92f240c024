"""/admin/clock and /admin/reset: business time, moved and stopped; and a fresh start."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response

from supplier_api.clock import from_wire, to_wire
from supplier_api.contract import Invalid
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.fields import Flag, Id, InstantField, Number
from supplier_api.contract.loading import make
from supplier_api.contract.schemas import ERROR
from supplier_api.http.openapi import response
from supplier_api.http.request_parsing import json_response
from supplier_api.problems.timer_repository import ALL
from supplier_api.sandbox.admin.parameters import TENANT_IN_QUERY, WAIT, flag, tenant_name
from supplier_api.sandbox.admin.resource import (
    AdminParts,
    AdminResource,
    AnswerField,
    AnswerShape,
    StrictSchema,
)
from supplier_api.sandbox.reset import reset
from supplier_api.sandbox.virtual_clock import (
    END,
    Backwards,
    MovedClock,
    StillMoving,
    TooFar,
    VirtualClock,
)

MOVES = ("advanceSeconds", "to", "freeze", "run")
STILL_MOVING = "the clock is still advancing: wait, or end that by freeze or run"
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
    StrictSchema,
)
CLOCK = AnswerShape[MovedClock](
    {
        "tenant": AnswerField({"type": "string", "description": "Whose, if asked for one"}),
        "state": AnswerField(
            {
                "type": "string",
                "enum": ["ready", "advancing"],
                "description": "advancing: not all that became due is done and settled",
            },
            lambda clock: "advancing" if clock.target else "ready",
            required=True,
        ),
        "now": AnswerField(
            {"type": "string", "format": "date-time"},
            lambda clock: to_wire(clock.now),
            required=True,
        ),
        "frozen": AnswerField(
            {"type": "boolean", "description": "It stands still"},
            lambda clock: clock.stands,
            required=True,
        ),
        "to": AnswerField(
            {
                "type": "string",
                "format": "date-time",
                "description": "While advancing: where to",
            },
            lambda clock: to_wire(clock.target) if clock.target else None,
        ),
        "tenants": AnswerField(
            {
                "type": "object",
                "description": "If asked for all: the clocks of those who have their own",
                "additionalProperties": {"type": "object"},
            }
        ),
    }
)
BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
RESET = make(
    "Reset",
    {
        "tenant": tenant_name("Whose"),
        "seed": Id("Ids and references follow from it; random without it", 42),
        "freeze_at": InstantField(
            "Where the clock stands from now on; without it, it runs as everybody's does",
            "2026-01-05T12:00:00.000Z",
        ),
    },
    StrictSchema,
)


def declare_clock(parts: AdminParts) -> AdminResource:
    """Return the routes of the clocks."""
    resource = AdminResource(parts, "clock", "Business time")
    virtual_clock = parts.virtual_clock

    @resource.route(
        "GET",
        "/clock",
        "clock",
        {
            200: response("Where it is", CLOCK.schema),
            422: response("There can be no such tenant", ERROR),
        },
        parameters=[TENANT_IN_QUERY],
    )
    def show(tenant: str | None) -> Response:
        """Show a tenant's business time, or everybody's, and whether it is still being moved."""
        return json_response(_shown_clock(virtual_clock, tenant))

    @resource.route(
        "POST",
        "/clock",
        "move-clock",
        {
            200: response(
                "There, and all that became due on the way is done and settled", CLOCK.schema
            ),
            202: response("Still advancing: GET says when it is ready", CLOCK.schema),
            409: response("An earlier move is still under way; freeze or run ends it", ERROR),
        },
        parameters=[WAIT],
        body=MOVE,
        example={"tenant": "TENANT1", "advanceSeconds": 432_000},
    )
    def move(wait: float, body: dict[str, Any]) -> Response:
        """Move business time for one tenant, or for all.

        It goes forward only, from one thing that is due to the next: each is done at its own time,
        and its updates are settled, before the next one's turn.
        """
        tenant = body.get("tenant")
        try:
            begin_move(virtual_clock, tenant, body)
        except StillMoving:
            return parts.refuse(409, ErrorCode.INVALID_REQUEST, STILL_MOVING)
        there = parts.wait_until(lambda: not is_moving(virtual_clock, tenant), wait)
        return json_response(_shown_clock(virtual_clock, tenant), 200 if there else 202)

    return resource


def declare_reset(parts: AdminParts) -> AdminResource:
    """Return the route of the fresh start."""
    resource = AdminResource(parts, "reset", "A fresh start")

    @resource.route(
        "POST",
        "/reset",
        "reset",
        {200: response("Nothing is left; this is the clock now", CLOCK.schema)},
        parameters=[flag("all", "true: of all tenants; the body then names none", "everybody")],
        body=RESET,
    )
    def start_afresh(body: dict[str, Any], *, everybody: bool) -> Response:
        """Delete all that is stored for a tenant, and let what comes be the same every time.

        With a seed and a clock that stands, the same calls make the same problems, updates, ids and
        dates. A destination that was set stays. Other tenants see nothing of it.
        """
        tenant = body.get("tenant")
        if everybody is (tenant is not None):
            raise Invalid(["tenant: expected one, or none and ?all=true"])
        freeze_at = from_wire(body["freeze_at"]) if "freeze_at" in body else None
        if freeze_at and not BEGIN <= freeze_at < END:
            raise Invalid(["freeze_at: expected a year from 1970 to 8999"])
        reset(parts.services, parts.clock_sync, tenant, seed=body.get("seed"), freeze_at=freeze_at)
        return json_response(_shown_clock(parts.virtual_clock, tenant))

    return resource


def is_moving(virtual_clock: VirtualClock, tenant: str | None) -> bool:
    """Tell whether a tenant's clock is on its way; with None, whether any is."""
    clocks = virtual_clock.clocks()
    if tenant is None:
        return any(clock.target for clock in clocks.values())
    return clocks.get(tenant, clocks[ALL]).target is not None


def _shown_clock(virtual_clock: VirtualClock, tenant: str | None) -> dict[str, Any]:
    """Return a tenant's clock as JSON; with None, everybody's with those that differ."""
    clocks = virtual_clock.clocks()
    if tenant is not None:
        return CLOCK.show(clocks.get(tenant, clocks[ALL]), tenant=tenant)
    everybodys = clocks.pop(ALL)
    own = {name: CLOCK.show(clock) for name, clock in clocks.items()}
    shown = CLOCK.show(everybodys, tenants=own)
    if any(each["state"] == "advancing" for each in own.values()):
        shown["state"] = "advancing"
    return shown


def begin_move(virtual_clock: VirtualClock, tenant: str | None, asked: Mapping[str, Any]) -> None:
    """Begin the one move that is asked for, as MOVE reads it. Raises Invalid and StillMoving."""
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
        message = "to: expected no time before the clock's own; POST /admin/reset puts a clock back"
        raise Invalid([message]) from None
    except (TooFar, OverflowError):
        raise Invalid([f"{moves[0]}: expected to end before the year 9000"]) from None
