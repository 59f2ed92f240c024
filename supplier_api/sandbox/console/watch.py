"""Watching one problem on its way, from both sides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, render_template, request, url_for
from markupsafe import Markup

from supplier_api.clock import to_wire
from supplier_api.console import live
from supplier_api.contract.personal import masked_inside
from supplier_api.db import UnitOfWork
from supplier_api.operations.processes import ProcessKind, ProcessRepository, alive
from supplier_api.problems import timeline, view
from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.problems.repository import ProblemRepository, is_gateway_id
from supplier_api.problems.timer_repository import Timer, TimerRepository
from supplier_api.rules.model import Operation
from supplier_api.sandbox.console.bench import bench
from supplier_api.sandbox.console.clock import MOVES
from supplier_api.sandbox.console.drawing import drawn, heads
from supplier_api.sandbox.console.raising import choices
from supplier_api.sandbox.console.steps import steps
from supplier_api.sandbox.tenant_client import TENANT, GatewayCallFailed
from supplier_api.settings import is_loopback

LATEST = 8  # problems in the list
STEPS = 40  # in the drawing: the last ones


@dataclass(frozen=True, slots=True)
class Watched:
    """The problem that is watched: its tenant, and the gateway's id of it."""

    tenant: str
    id: int

    @property
    def address(self) -> dict[str, Any]:
        """How a page's address names it."""
        return {"tenant": self.tenant, "id": self.id}


def add_to(blueprint: Blueprint) -> None:
    """Add the views of the page."""
    blueprint.add_url_rule("/", "show", show)
    blueprint.add_url_rule("/way", "way", way)
    blueprint.add_url_rule("/tenant", "tenant", tenant)
    blueprint.add_url_rule("/supplier", "supplier", supplier)
    blueprint.add_url_rule("/latest", "latest", latest)


def show() -> str:
    """Show a problem on its way, the newest if none is named, and the forms of its tenant."""
    parts = bench().parts
    watched = _named() or parts.services.store.read(_newest)
    return render_template(
        "sandbox/page.html",
        watched=watched,
        over=watched is not None and parts.services.store.read(lambda uow: _is_over(uow, watched)),
        way=_region("way", watched),
        latest=_region("latest", watched),
        tenant_side=_region("tenant", watched),
        supplier_side=_region("supplier", watched),
        moves=MOVES,
        docs=_docs(),
        business=parts.services.business.now(watched.tenant if watched else ""),
        **choices(watched.tenant if watched else TENANT),
    )


def _docs() -> Mapping[str, str] | None:
    """Return where the calls are described, None if nowhere.

    Where the sandbox gateway is, as a browser finds it, is known on this machine alone.
    """
    settings = bench().parts.settings
    if not settings.server.docs:
        return None
    url = settings.sandbox.url.rstrip("/")
    here = is_loopback(urlsplit(url).hostname or "")
    return {"supplier": "/docs"} | ({"gateway": f"{url}/docs"} if here else {})


def way() -> Response:
    """Answer what has happened to the problem since."""
    return _answer("way")


def tenant() -> Response:
    """Answer what the tenant sees of it now."""
    return _answer("tenant")


def supplier() -> Response:
    """Answer what the supplier has of it now."""
    return _answer("supplier")


def latest() -> Response:
    """Answer which problems are the latest now."""
    return _answer("latest")


def _region(name: str, watched: Watched | None) -> Markup:
    return live.region(name, _url(name, watched), lambda: PARTS[name](watched))


def _answer(name: str) -> Response:
    watched = _named()
    return live.answer(name, _url(name, watched), lambda: PARTS[name](watched))


def _url(endpoint: str, watched: Watched | None) -> str:
    return url_for(f"sandbox.{endpoint}", **(watched.address if watched else {}))


def _named() -> Watched | None:
    """Return the problem that the address names; None if it names none."""
    tenant_name, number = request.args.get("tenant", ""), request.args.get("id", "")
    if not tenant_name and not number:
        return None
    if not is_gateway_id(number):
        abort(404, "id: expected the gateway's id of a problem")
    return Watched(tenant_name, int(number))


def _newest(uow: UnitOfWork) -> Watched | None:
    found = ProblemRepository(uow).listed(limit=1)
    return Watched(found[0].tenant, found[0].gateway_id) if found else None


def _is_over(uow: UnitOfWork, watched: Watched) -> bool:
    """Return whether nothing can be asked about the problem any more."""
    problem_id = ProblemRepository(uow).find(watched.tenant, watched.id)
    if problem_id is None:
        return bool(_refused(uow, watched))
    return ProblemRepository(uow).get(problem_id).state.terminal


# -- the parts that follow what happens


def _way(watched: Watched | None) -> str:
    """Return the drawing of a problem, the newest if none is named, from one snapshot."""
    parts = bench().parts
    now = parts.services.machine.now()

    def look(uow: UnitOfWork) -> dict[str, Any]:
        drawn_one = watched or _newest(uow)
        known = _known(uow, drawn_one) if drawn_one else None
        all_steps = steps(known["timeline"]) if known else []
        processes = alive(ProcessRepository(uow).all(), now, parts.settings.status.heartbeat)
        return {
            "watched": drawn_one,
            "known": known,
            "steps": all_steps[-STEPS:],
            "earlier": max(0, len(all_steps) - STEPS),
            "worked": any(each.kind == ProcessKind.WORKER for each in processes),
        }

    seen = parts.services.store.read(look)
    manual = parts.settings.backoffice.pace == "manual"
    return render_template("sandbox/way.html", drawn=drawn, heads=heads(), manual=manual, **seen)


def _known(uow: UnitOfWork, watched: Watched) -> dict[str, Any] | None:
    """Return what the supplier knows: a problem, or a request that none came of; None as yet."""
    problem_id = ProblemRepository(uow).find(watched.tenant, watched.id)
    if problem_id is None:
        refused = _refused(uow, watched)
        return {"timeline": refused} if refused else None
    problem = ProblemRepository(uow).get(problem_id)
    timers = [
        {"words": _coming(each), "dueAt": to_wire(each.due_at)}
        for each in TimerRepository(uow).of(problem_id)
    ]
    now = bench().parts.services.machine.now()
    return {**view.with_holds(uow, problem, now), "timers": timers}


def _refused(uow: UnitOfWork, watched: Watched) -> list[dict[str, Any]]:
    """Return the tenant's request that no problem came of, if it was one."""
    rows = DecisionRepository(uow).refused(str(watched.id), watched.tenant, Operation.PROBLEM)
    return [timeline.request(row) for row in rows]


def _coming(timer: Timer) -> str:
    """Return in words what a timer is set for."""
    event = timer.data.get("event")
    return f"the back office says {event}" if event else timer.kind.replace("-", " ")


def _supplier(watched: Watched | None) -> str:
    """Return what the supplier has of the problem, without what is in the drawing."""
    store = bench().parts.services.store
    known = store.read(lambda uow: _known(uow, watched)) if watched else None
    return render_template("sandbox/supplier.html", known=known)


def _latest(watched: Watched | None) -> str:
    """Return the latest problems, to choose one from; apart, as it changes with any of them."""
    store = bench().parts.services.store
    found = store.read(lambda uow: ProblemRepository(uow).listed(limit=LATEST))
    problems = [view.summary(each) for each in found]
    return render_template("sandbox/latest.html", latest=problems, watched=watched)


def _tenant(watched: Watched | None) -> str:
    """Return what the gateway shows to the tenant, its texts masked; or why it shows nothing."""
    if watched is None:
        return ""
    try:
        problem = masked_inside(bench().tenants.look(watched.tenant, watched.id))
        return render_template("sandbox/tenant.html", problem=problem, failed=None)
    except GatewayCallFailed as failed:
        return render_template("sandbox/tenant.html", problem=None, failed=failed)


PARTS: Mapping[str, Callable[[Watched | None], str]] = {
    "way": _way,
    "tenant": _tenant,
    "supplier": _supplier,
    "latest": _latest,
}
