"""The overview: is everything well, and where to look if it is not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response, render_template, url_for

from supplier_api.console import live, metric_charts
from supplier_api.console.access import Role, may
from supplier_api.console.context import here
from supplier_api.db import UnitOfWork
from supplier_api.operations import status
from supplier_api.operations.status_line import StatusLevel, StatusLine
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.undecided import UndecidedQueries, UndecidedRequest

blueprint = Blueprint("overview", __name__, url_prefix="/overview")

CHARTS_KEPT = 10.0  # seconds: there is something new of them as often
NEAREST = 5  # undecided requests that are shown
# The page that mends what a line complains of; a line without one names its command.
MENDS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "undelivered KCIs": ("delivery.show", {"state": "queued"}),
    "undelivered work orders": ("delivery.show", {"state": "queued"}),
    "parked KCIs": ("delivery.show", {"state": "parked"}),
    "parked work orders": ("delivery.show", {"state": "parked"}),
    "dead letters": ("delivery.show", {"state": "dead"}),
    "breaker": ("delivery.show", {}),
    "pauses": ("delivery.show", {}),
    "undecided": ("work.show", {}),
    "work for people": ("work.show", {}),
    "silent problems": ("problems.listed", {"silent": "1"}),
    "tickets apart": ("back_office.show", {}),
    "inbox": ("back_office.show", {}),
    "tickets polled": ("back_office.show", {}),
    "tickets compared": ("back_office.show", {}),
    "rules": ("rules.show", {}),
    "inventory": ("rules.show", {}),
}
# Shown in any case, well or not.
DELIVERY = (
    "undelivered KCIs",
    "undelivered work orders",
    "parked KCIs",
    "parked work orders",
    "dead letters",
    "breaker",
    "pauses",
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A line with the address of the page that mends it, if there is one, and an id for it."""

    line: StatusLine
    url: str | None
    id: str


@blueprint.get("/")
def show() -> str:
    """Show the page."""
    lines = _lines()
    return render_template(
        "overview/page.html",
        now=live.region("status", url_for(".news"), lambda: _now(lines)),
        charts=live.region("charts", url_for(".new_charts"), _charts, CHARTS_KEPT),
        lines=lines,
        at=here().services.machine.now(),
    )


@blueprint.get("/news")
def news() -> Response:
    """Answer what changed."""
    return live.answer("status", url_for(".news"), _now)


@blueprint.get("/charts")
def new_charts() -> Response:
    """Answer the charts if they have changed."""
    return live.answer("charts", url_for(".new_charts"), _charts, CHARTS_KEPT)


def _lines() -> list[_Shown]:
    """Return the lines of the status report, those first that need somebody."""
    levels = list(StatusLevel)
    found = [_masked(each) for each in status.observed(here().services, here().settings)]
    found.sort(key=lambda line: -levels.index(line.level))
    return [_Shown(each, _mends(each.name), each.name.replace(" ", "-")) for each in found]


def _masked(line: StatusLine) -> StatusLine:
    """Return a line without why people paused delivery, which a viewer does not see."""
    held = line.values.get("pauses")
    if not held or may(Role.OPERATOR):
        return line
    return replace(line, text=f"{len(held)} in force")


def _mends(name: str) -> str | None:
    if name not in MENDS:
        return None
    endpoint, values = MENDS[name]
    return url_for(endpoint, **values)


def _now(known: Sequence[_Shown] = ()) -> str:
    lines = known or _lines()
    services = here().services

    def read(uow: UnitOfWork) -> tuple[Mapping[str, int], list[UndecidedRequest]]:
        states = ProblemRepository(uow).count_current()
        return states, UndecidedQueries(uow, services.policy).listed(NEAREST)

    states, undecided = services.store.read(read)
    by_name = {each.line.name: each for each in lines}
    return render_template(
        "overview/now.html",
        wrong=[each for each in lines if each.line.level is not StatusLevel.OK],
        well=sum(each.line.level is StatusLevel.OK for each in lines),
        delivery=[by_name[name] for name in DELIVERY],
        states=states,
        undecided=undecided,
        overdue=[each.reference for each in undecided if _is_overdue(each)],
        ledger=by_name["undecided"],
    )


def _is_overdue(request: UndecidedRequest) -> bool:
    now = here().services.business.now(request.tenant)
    return request.deadline is not None and request.deadline <= now


def _charts() -> str:
    now, budget = here().services.machine.now(), here().settings.server.answer_budget

    def read(uow: UnitOfWork) -> list[metric_charts.SpanCharts]:
        return [metric_charts.charts_of(uow, span, now, budget) for span in metric_charts.SPANS]

    return render_template("overview/charts.html", spans=here().services.store.read(read))
