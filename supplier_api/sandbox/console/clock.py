"""Business time, moved and stopped, and a fresh start."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, render_template, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from supplier_api.clock import to_wire
from supplier_api.console import live
from supplier_api.console.access import Role, requires
from supplier_api.console.acts import ActRefused, done, field, refusals
from supplier_api.contract import load
from supplier_api.contract.limits import ID_MAX
from supplier_api.http.request_parsing import whole_number
from supplier_api.problems.timer_repository import ALL, BusinessClockRepository, TenantClock
from supplier_api.sandbox.admin.clock import MOVE, RESET, STILL_MOVING, begin_move
from supplier_api.sandbox.console.bench import bench, note_done
from supplier_api.sandbox.reset import reset
from supplier_api.sandbox.virtual_clock import StillMoving

NEXT = "next"
# What a button is called, by the move that it sends.
MOVES = {
    "3600": "1 hour on",
    "86400": "1 day on",
    "432000": "5 days on",
    NEXT: "To the next timer",
    "freeze": "Stop it",
    "run": "Let it run",
}
EVERYBODY = "all"


def add_to(blueprint: Blueprint) -> None:
    """Add the page of the clocks, and its acts."""
    blueprint.add_url_rule("/clock", "clock", show)
    blueprint.add_url_rule("/clock/news", "clock_news", news)
    blueprint.add_url_rule("/clock", "move_clock", move, methods=["POST"])
    blueprint.add_url_rule("/reset", "reset", start_afresh, methods=["POST"])


def show() -> str:
    """Show the clocks."""
    tools = bench()
    return render_template(
        "sandbox/clock.html",
        part=live.region("clocks", url_for(".clock_news"), _clocks),
        tenants=tools.tenants.names,
        moves=MOVES,
        business=tools.parts.services.business.now(ALL),
    )


def news() -> Response:
    """Answer where the clocks are now."""
    return live.answer("clocks", url_for(".clock_news"), _clocks)


def move() -> AnyResponse:
    """Move, stop or run the clock of a tenant, or of all."""
    tenant, asked = field("tenant") or None, field("move")
    body: dict[str, Any] = {"tenant": tenant} if tenant else {}
    if asked == NEXT:
        body["to"] = to_wire(_next_timer(tenant))
    elif asked in {"freeze", "run"}:
        body[asked] = True
    else:
        body["advanceSeconds"] = int(asked) if asked in MOVES else asked
    try:
        with refusals():
            begin_move(bench().parts.virtual_clock, tenant, load(MOVE, body))
    except StillMoving:
        raise ActRefused(STILL_MOVING) from None
    note_done("clock", tenant, {name: value for name, value in body.items() if name != "tenant"})
    return _back(f"{tenant or 'Every'} clock: {MOVES[asked].lower()}.")


@requires(Role.ADMIN)
def start_afresh() -> AnyResponse:
    """Delete all that is stored for a tenant, or for all."""
    tenant, seed = field("tenant"), field("seed")
    if field("confirm") != "yes":
        raise ActRefused("confirm: expected a tick, as this deletes problems", status=422)
    if not tenant:
        raise ActRefused(f"tenant: expected one, or {EVERYBODY}", status=422)
    whose = None if tenant == EVERYBODY else tenant
    asked: dict[str, Any] = {} if whose is None else {"tenant": whose}
    if seed:
        number = whole_number(seed, 0, ID_MAX)
        asked["seed"] = seed if number is None else number
    with refusals():
        asked = load(RESET, asked)
    parts = bench().parts
    reset(parts.services, parts.clock_sync, whose, seed=asked.get("seed"))
    note_done("reset", whose, {"seed": asked.get("seed")})
    return done(f"Nothing is left of {whose or 'all tenants'}: begin anew.", "sandbox.show")


def _next_timer(tenant: str | None) -> datetime:
    """Return when the next timer of a tenant is due, or anybody's; raises ActRefused."""
    left = bench().parts.virtual_clock.outstanding(tenant)
    due = [each.next_timer for each in left if each.next_timer]
    if not due:
        raise ActRefused("no timer is set: nothing happens later by itself")
    return min(due)


def _back(text: str) -> AnyResponse:
    """Lead back to the problem from whose page the clock was moved, or to the clocks."""
    if field("id"):
        return done(text, "sandbox.show", tenant=field("watched"), id=field("id"))
    return done(text, "sandbox.clock")


def _clocks() -> str:
    store = bench().parts.services.store
    clocks = store.read(lambda uow: BusinessClockRepository(uow).by_tenant())
    all_others = "everybody else's" if len(clocks) > 1 else "everybody's"
    lines = [(each.tenant or all_others, how_it_goes(each)) for each in clocks.values()]
    return render_template("sandbox/clocks.html", lines=lines)


def how_it_goes(clock: TenantClock) -> Markup:
    """Return in words where a clock is; it says nothing that changes by itself."""
    at = Markup('<time datetime="{0}">{0}</time>')
    if clock.target:
        return Markup("on its way to {}").format(at.format(to_wire(clock.target)))
    if clock.stands_at:
        return Markup("stands at {}").format(at.format(to_wire(clock.stands_at)))
    if not clock.ahead:
        return Markup("runs, with real time")
    hours, seconds = divmod(round(clock.ahead.total_seconds()), 3600)
    days, hours = divmod(hours, 24)
    words = f"{days} days {hours} h {seconds // 60} min"
    return Markup("runs, {} ahead of real time").format(words)
