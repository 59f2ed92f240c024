"""Pausing delivery and letting it go on, as `supplier-api delivery pause` and `resume` do."""

from datetime import timedelta

from flask import render_template, request, url_for
from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from supplier_api.console import live
from supplier_api.console.access import Role, requires
from supplier_api.console.acts import ActRefused, by, done, field, refusals
from supplier_api.console.context import here
from supplier_api.console.pages.delivery.blueprint import blueprint
from supplier_api.delivery.message_queries import WORDS
from supplier_api.delivery.pause_admin import PauseAdmin, PauseScope, cells, line, plain
from supplier_api.http.request_parsing import whole_number
from supplier_api.outbox.pauses import PauseCause
from supplier_api.problems.services import DESTINATIONS


@blueprint.get("/pauses")
def pauses_news() -> Response:
    """Answer what changed of what holds delivery up."""
    return live.answer("pauses", url_for(".pauses_news"), _part)


def pauses_region() -> Markup:
    """Return the part of a page that shows what holds delivery up."""
    return live.region("pauses", url_for(".pauses_news"), _part)


def _part() -> str:
    admin = _admin()
    now = admin.now()
    active = [(plain(each, now), cells(each)) for each in admin.active()]
    breakers = {
        name: next(
            (
                each
                for each, _ in active
                if (each["cause"], each["destination"], each["tenant"]) == ("breaker", name, None)
            ),
            None,
        )
        for name in DESTINATIONS
    }
    return render_template("delivery/pauses.html", active=active, breakers=breakers, words=WORDS)


@blueprint.get("/pause")
@requires(Role.ADMIN)
def pausing() -> str:
    """Ask what to pause, and why."""
    return render_template("delivery/pause.html", words=WORDS)


@blueprint.post("/pause")
@requires(Role.ADMIN)
def pause() -> Response:
    """Pause what the form names."""
    operator = by()
    with refusals():
        held = _admin().pause(_scope(request.form), operator.who, operator.reason)
    return done(f"Paused: {line(held)}", ".show")


@blueprint.get("/resume")
@requires(Role.ADMIN)
def resuming() -> str:
    """Show what would go on, and ask why."""
    wanted = _scope(request.args)
    with refusals():
        found = _admin().of(wanted)
    return render_template(
        "delivery/resume.html",
        wanted=wanted,
        rows=[cells(each) for each in found],
        asked=any(each.cause is PauseCause.ASKED for each in found),
        tried=[each.probe is not None for each in found],
        seen=" ".join(str(each.id) for each in found),
    )


@blueprint.post("/resume")
@requires(Role.ADMIN)
def resume() -> Response:
    """Let go on what the form names."""
    operator, admin = by(), _admin()
    seen = [number for each in field("seen").split() if (number := whole_number(each))]
    if not seen:
        raise ActRefused("seen: expected what the page wrote; open it again", status=422)
    with refusals():
        spread = admin.resume(_scope(request.form), operator.who, operator.reason, seen)
    seconds = admin.spread.total_seconds()
    gradually = f": {spread} problems in turn, over {seconds:g} s" if spread else ""
    return done(f"Delivery goes on{gradually}", ".show")


def _admin() -> PauseAdmin:
    return PauseAdmin(here().services, timedelta(seconds=here().settings.delivery.spread))


def _scope(given: MultiDict[str, str]) -> PauseScope:
    """Return what a form or an address names."""
    fields = ("destination", "tenant", "problem")
    named = [given.get(name, "").replace("\0", "").strip() or None for name in fields]
    return PauseScope(*named)
