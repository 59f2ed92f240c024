"""/admin/clock and /admin/reset: business time, moved and stopped; and a fresh start."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response

from supplier_api.clock import from_wire, to_wire
from supplier_api.contract import Invalid
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.fields import Flag, Id, InstantField, Number
from supplier_api.contract.loading import StrictSchema, make
from supplier_api.contract.schemas import ERROR
from supplier_api.http.openapi import response
from supplier_api.http.request_parsing import json_response
from supplier_api.problems.timer_repository import ALL
from supplier_api.sandbox.admin.parameters import OF_TENANT, WAIT, TrueOrFalse, tenant_name
from supplier_api.sandbox.admin.parts import bench
from supplier_api.sandbox.admin.resource import NOT_SAID_WHOSE, AdminBlueprint
from supplier_api.sandbox.json_schemas import flag, moment, object_of, text
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
CLOCK = object_of(
    {
        "tenant": text("Whose, if asked for one"),
        "state": text(
            "advancing: not all that became due is done and settled", enum=["ready", "advancing"]
        ),
        "now": moment(),
        "frozen": flag("It stands still"),
        "to": moment("While advancing: where to"),
        "tenants": {
            "type": "object",
            "description": "If asked for all: the clocks of those who have their own",
            "additionalProperties": {"type": "object"},
        },
    },
    *("tenant", "to", "tenants"),
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


clock = AdminBlueprint("clock", "Business time")
fresh_start = AdminBlueprint("reset", "A fresh start")


@clock.call(
    "GET",
    "/clock",
    "clock",
    {200: response("Where it is", CLOCK), 422: response("There can be no such tenant", ERROR)},
    parameters=OF_TENANT,
)
def show(query: dict[str, Any]) -> Response:
    """Show a tenant's business time, or everybody's, and whether it is still being moved."""
    return json_response(_clock_of(query["tenant"]))


@clock.call(
    "POST",
    "/clock",
    "move-clock",
    {
        200: response("There, and all that became due on the way is done and settled", CLOCK),
        202: response("Still advancing: GET says when it is ready", CLOCK),
        409: response("An earlier move is still under way; freeze or run ends it", ERROR),
    },
    parameters=WAIT,
    body=MOVE,
    example={"tenant": "TENANT1", "advanceSeconds": 432_000},
)
def move(query: dict[str, Any], body: dict[str, Any]) -> Response:
    """Move business time for one tenant, or for all.

    It goes forward only, from one thing that is due to the next: each is done at its own time, and
    its updates are settled, before the next one's turn.
    """
    tenant, virtual_clock = body.get("tenant"), bench().virtual_clock
    try:
        begin_move(virtual_clock, tenant, body)
    except StillMoving:
        return bench().refuse(409, ErrorCode.INVALID_REQUEST, STILL_MOVING)
    there = bench().wait_until(lambda: not is_moving(virtual_clock, tenant), query["wait"])
    return json_response(_clock_of(tenant), 200 if there else 202)


@fresh_start.call(
    "POST",
    "/reset",
    "reset",
    {200: response("Nothing is left; this is the clock now", CLOCK)},
    parameters={"all": TrueOrFalse("true: of all tenants; the body then names none")},
    body=RESET,
)
def start_afresh(query: dict[str, Any], body: dict[str, Any]) -> Response:
    """Delete all that is stored for a tenant, and let what comes be the same every time.

    With a seed and a clock that stands, the same calls make the same problems, updates, ids and
    dates. A destination that was set stays. Other tenants see nothing of it.
    """
    tenant, parts = body.get("tenant"), bench()
    if query["all"] is (tenant is not None):
        raise Invalid([NOT_SAID_WHOSE])
    freeze_at = from_wire(body["freeze_at"]) if "freeze_at" in body else None
    if freeze_at and not BEGIN <= freeze_at < END:
        raise Invalid(["freeze_at: expected a year from 1970 to 8999"])
    reset(parts.services, parts.clock_sync, tenant, seed=body.get("seed"), freeze_at=freeze_at)
    return json_response(_clock_of(tenant))


def is_moving(virtual_clock: VirtualClock, tenant: str | None) -> bool:
    """Tell whether a tenant's clock is on its way; with None, whether any is."""
    clocks = virtual_clock.clocks()
    if tenant is None:
        return any(clock.target for clock in clocks.values())
    return clocks.get(tenant, clocks[ALL]).target is not None


def _clock_of(tenant: str | None) -> dict[str, Any]:
    """Return a tenant's clock as JSON; with None, everybody's with those that differ."""
    clocks = bench().virtual_clock.clocks()
    if tenant is not None:
        return {"tenant": tenant, **_shown(clocks.get(tenant, clocks[ALL]))}
    shown = _shown(clocks.pop(ALL))
    own = {name: _shown(each) for name, each in clocks.items()}
    if any(each["state"] == "advancing" for each in own.values()):
        shown["state"] = "advancing"
    return {**shown, "tenants": own}


def _shown(clock: MovedClock) -> dict[str, Any]:
    shown = {
        "state": "advancing" if clock.target else "ready",
        "now": to_wire(clock.now),
        "frozen": clock.stands,
    }
    return {**shown, "to": to_wire(clock.target)} if clock.target else shown


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
