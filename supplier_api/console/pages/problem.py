"""One problem: its story, its lanes, what may happen next, and what the tenant wrote."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from supplier_api.console import acts, live, story
from supplier_api.console.access import Role, may, requires
from supplier_api.console.acts import ActRefused
from supplier_api.console.context import here
from supplier_api.console.event_forms import (
    LABELS,
    PROBLEM_CODES,
    RESOLUTION_CODES,
    document_of,
    forms,
)
from supplier_api.contract.personal import PERSONAL_FIELDS, PLACEHOLDER
from supplier_api.db import UnitOfWork
from supplier_api.http.backoffice.schemas import NAME_MAX, read_event
from supplier_api.http.request_parsing import whole_number
from supplier_api.operations import privacy
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems import next_events, view
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.disclosure import unmasked
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.parts_repository import ChangeRequestRepository, ResolutionRepository
from supplier_api.problems.repository import ProblemRepository

blueprint = Blueprint("problems", __name__, url_prefix="/problems")

ENTRIES = 40  # of the time line on one page
TRACES = 4  # requests on a page that show what the rules read, the newest


@blueprint.get("/<name>")
def show(name: str) -> str | AnyResponse:
    """Show the problem of that name; `until` is the entry that the time line ends with."""
    problem = _find(name)
    if problem is None:
        return redirect(url_for(".listed", q=name))
    if problem.reference != name:
        return redirect(url_for(".show", name=problem.reference))
    return _page(problem)


@blueprint.get("/<name>/news")
def news(name: str) -> Response:
    """Answer what changed; `stands` is where the problem stood when the page was made."""
    stands, until = request.args.get("stands", ""), _until()
    url = _news_url(name, stands, until)
    return live.answer("story", url, lambda: _story(_one(name), stands, until))


@blueprint.post("/<name>/events")
def event(name: str) -> AnyResponse | tuple[str, int]:
    """Say what happened, as the back office would; one form does one thing, however often sent."""
    by, problem = acts.by(), _one(name)
    with acts.refusals():
        happened = read_event(document_of(request.form))
    versions = {_version()}
    if acts.field("stands") == here().services.store.read(lambda uow: _stands(uow, problem)):
        # Whatever changed it meanwhile, as that a KCI was taken: the event still means the same.
        versions.add(problem.version)
    said = BackOfficeEvents(here().services).event(problem.reference, happened, versions, by)
    if said.status == 200:
        did = f"You {story.EVENTS[happened.event]}; it is {said.body['status']} now."
        return acts.done(did, ".show", name=problem.reference)
    if said.status in {409, 412}:
        return _overtaken(problem, happened.event), said.status
    raise ActRefused(*said.body["messages"], status=said.status)


@blueprint.post("/<name>/unmasked")
def unmask(name: str) -> str:
    """Show what the tenant wrote, this once; who looked at it, and why, is recorded."""
    by, problem = acts.by(), _one(name)
    return _page(problem, unmasked(here().services, problem.id, by))


@blueprint.post("/<name>/erased")
@requires(Role.ADMIN)
def erase(name: str) -> AnyResponse:
    """Erase what is personal in the problem, as `supplier-api privacy erase` does."""
    by, problem = acts.by(), _one(name)
    with acts.refusals():
        done = privacy.erase(here().services, problem.id, by)
    return acts.done(". ".join(done.sentences()), ".show", name=problem.reference)


def _find(name: str) -> ServiceProblem | None:
    """Return the problem of a name, None for several; 404 for none."""
    services = here().services
    found = [] if len(name) > NAME_MAX else services.store.read(lambda uow: view.find(uow, name))
    if not found and not services.store.read(lambda uow: view.refused(uow, name)):
        abort(404, f"there is no problem {name}")
    return found[0] if len(found) == 1 else None


def _one(name: str) -> ServiceProblem:
    return _find(name) or abort(404, f"there is no one problem {name}")


def _until() -> int | None:
    return whole_number(request.args.get("until", ""), 0)


def _version() -> int:
    return whole_number(acts.field("version")) or 0


def _news_url(reference: str, stands: str, until: int | None) -> str:
    return url_for(".news", name=reference, stands=stands, until=until)


def _stands(uow: UnitOfWork, problem: ServiceProblem) -> str:
    """Return where a problem stands, as a word; events mean the same while it is the same.

    It changes with the state, with what the tenant asks for, and with each resolution.
    """
    state = ProblemRepository(uow).get(problem.id).state
    changes = ChangeRequestRepository(uow).of(problem.id)
    resolutions = ResolutionRepository(uow).of(problem.id)
    wait = (state.waiting, state.awaits, state.asked, state.incident)
    parts = (state.base, *wait, len(changes), len(resolutions))
    return ".".join(str(part or "") for part in parts)


def _page(problem: ServiceProblem, shown: Mapping[str, Any] | None = None) -> str:
    """Return the page of a problem; `shown` is what the tenant wrote, where it is not masked."""

    def read(uow: UnitOfWork) -> dict[str, Any]:
        now, change = ProblemRepository(uow).get(problem.id), None
        if now.state.asked:
            change = ChangeRequestRepository(uow).pending(now.id)
        seen = view.show(uow, now)
        queued = [each for each in seen["timeline"] if each.get("state") == "queued"]
        return {
            "problem": now,
            "seen": seen,
            "stands": _stands(uow, now),
            "forms": forms(now, change, sum(each["what"] == "kci" for each in queued)),
            "impossible": next_events.impossible(now.state),
            "contents": shown or view.contents(uow, now),
            "changed": view.differences(now.document, change.body) if change else [],
            "resolution": ResolutionRepository(uow).current(now.id),
            "stays": privacy.why_not(uow, now) if may(Role.ADMIN) else None,
        }

    made = here().services.store.read(read)
    stands, until = made["stands"], _until()
    url = _news_url(problem.reference, stands, until)
    return render_template(
        "problems/problem.html",
        part=live.region("story", url, lambda: _story(problem, stands, until)),
        event_id=str(uuid4()),
        unmasked=shown is not None,
        masked=_plain if shown else _masked,
        labels=LABELS,
        problem_codes=PROBLEM_CODES,
        resolution_codes=RESOLUTION_CODES,
        **made,
    )


def _plain(_name: str, value: Any) -> Any:
    return value


def _masked(name: str, value: Any) -> Any:
    """Return the value of a field of the wire, or the placeholder for what is personal."""
    return PLACEHOLDER if name in PERSONAL_FIELDS and value is not None else value


def _story(problem: ServiceProblem, stands: str, until: int | None) -> str:
    """Return the part of the page that follows what happens."""
    services = here().services

    def read(uow: UnitOfWork) -> dict[str, Any]:
        now = ProblemRepository(uow).get(problem.id)
        seen = view.show(uow, now, people=may(Role.OPERATOR))
        return {
            "problem": now,
            "seen": seen,
            "obstacles": view.obstacles(uow, now, services.machine.now()),
            "waits": view.awaited(now.state, view.dead_kci(uow, now)),
            "parked": LaneRepository(uow).parked(now.id),
            "changed": _stands(uow, now) != stands,
        }

    made = services.store.read(read)
    entries = made["seen"]["timeline"]
    end = min(until or len(entries), len(entries))
    first = max(end - ENTRIES, 0)
    told = story.told(entries[first:end])
    requests = [each for each in told if each.raw["what"] == "request" and each.raw["trace"]]
    return render_template(
        "problems/story.html",
        told=told,
        explained=requests[-TRACES:],
        first=first,
        behind=len(entries) - end,
        passed=story.passed(entries, made["seen"]["status"], made["seen"]["updated"]),
        lanes=list(story.lanes(entries, made["parked"])),
        kcis={each["number"]: each["id"] for each in entries if each["what"] == "kci"},
        **made,
    )


def _overtaken(problem: ServiceProblem, wanted: Event) -> str:
    """Return the page that says what happened since a form was opened; nothing was done."""
    since = acts.field("since")
    seen = here().services.store.read(
        lambda uow: view.show(
            uow, ProblemRepository(uow).get(problem.id), people=may(Role.OPERATOR)
        )
    )
    later = [entry for entry in seen["timeline"] if entry["at"] > since]
    return render_template(
        "problems/overtaken.html",
        seen=seen,
        told=story.told(later[-ENTRIES:]),
        why=next_events.impossible(problem.state).get(wanted),
        did=story.EVENTS[wanted],
    )
