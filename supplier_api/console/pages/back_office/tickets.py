"""Tickets that are apart: what they say cannot be followed, and why."""

from typing import Any

from flask import Response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from supplier_api.console import live
from supplier_api.console.acts import by, done, field
from supplier_api.console.context import here
from supplier_api.console.pages.back_office.blueprint import blueprint
from supplier_api.console.pages.back_office.comparison import reconciler, refusals
from supplier_api.db import UnitOfWork
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.snapshots import SnapshotResult
from supplier_api.problems.ticket_repository import TicketRepository

MOST = 50  # tickets that are listed, those that are apart the longest
# What became of a ticket that was looked at again.
SAID = {
    SnapshotResult.APPLIED: "is followed now: its problem stands as the ticket does",
    SnapshotResult.NOTHING: "is no longer apart: its problem stands as the ticket does",
    SnapshotResult.OLD: "has not changed since something newer was known",
    SnapshotResult.WAITS: "waits: an order about its problem is under way",
    SnapshotResult.APART: "is still apart",
    SnapshotResult.UNKNOWN: "is of no problem",
}


@blueprint.get("/tickets")
def tickets() -> str:
    """Show the tickets that are apart, and the form to look at one again."""
    return render_template(
        "back_office/tickets.html",
        ticket=request.args.get("ticket", ""),
        apart=live.region("apart", url_for(".tickets_news"), _apart),
    )


@blueprint.get("/tickets/news")
def tickets_news() -> Response:
    """Answer what changed about the tickets that are apart."""
    return live.answer("apart", url_for(".tickets_news"), _apart)


@blueprint.post("/tickets")
def look_again() -> AnyResponse:
    """Read a ticket, and apply what it says now."""
    ticket, who = field("ticket"), by()
    with refusals():
        result = reconciler().look_again(ticket, who.who, who.reason)
    return done(f"The ticket {ticket} {SAID[result]}.", ".tickets")


def _apart() -> str:
    services = here().services

    def work(uow: UnitOfWork) -> list[dict[str, Any]]:
        found = TicketRepository(uow, services.adapter).all_apart(MOST + 1)
        return [
            {
                "ticket": each.ticket,
                "cause": each.cause,
                "reason": each.reason,
                "since": each.since,
                "updated": each.updated,
                "told": each.told,
                "reference": _reference(uow, each.problem_id),
                "snapshot": each.snapshot.shown(),
            }
            for each in found
        ]

    found = services.store.read(work)
    return render_template("back_office/apart.html", tickets=found[:MOST], more=len(found) > MOST)


def _reference(uow: UnitOfWork, problem_id: int | None) -> str:
    return ProblemRepository(uow).get(problem_id).reference if problem_id else ""
