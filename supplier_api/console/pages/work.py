"""Work for people: what waits for a decision or for somebody's hands, who has it, and deciding."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, abort, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from supplier_api.console import acts, live
from supplier_api.console.access import person
from supplier_api.console.context import here
from supplier_api.console.event_forms import (
    PROBLEM_CODES,
    RESOLUTION_CODES,
    EventForm,
    document_of,
    forms,
)
from supplier_api.contract.personal import masked_inside
from supplier_api.db import UnitOfWork
from supplier_api.http.backoffice.schemas import read_event
from supplier_api.outbox.messages import MessageRepository
from supplier_api.outbox.model import MessageState
from supplier_api.problems.kci import change_entity
from supplier_api.problems.lifecycle import DECIDES_CHANGE, Event
from supplier_api.problems.parts_repository import ChangeRequestRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import GATEWAY
from supplier_api.problems.undecided import UndecidedQueries
from supplier_api.problems.work_item_repository import Held
from supplier_api.problems.work_items import Doer, WorkItems, WorkRefused
from supplier_api.problems.work_queue import QueuePlace, WorkEntry, WorkQueue
from supplier_api.rules.model import Operation

blueprint = Blueprint("work", __name__, url_prefix="/work")

PAGE = 50
# What is to be done about an undecided request, and about an order.
DECISIONS: Mapping[str, str] = {
    Operation.PROBLEM: "Accept or reject the problem",
    Operation.AMENDMENT: "Accept or reject the amendment",
    Operation.CANCELLATION: "Accept or reject the cancellation",
}
ORDERS: Mapping[str, str] = {
    Operation.PROBLEM: "Work on the problem",
    Operation.AMENDMENT: "Take note: the problem was amended",
    Operation.CANCELLATION: "Take note: the tenant cancelled",
    "resolution-answer": "Take note: the tenant answered the resolution",
}
DECIDING = frozenset({Event.ACCEPT, Event.REJECT, *DECIDES_CHANGE})


# -- the queue


@blueprint.get("/")
def show() -> str:
    """Show the queue: all of it, what nobody has, or what one person has."""
    part = live.region("queue", url_for(".news", **_wanted()), _queue)
    return render_template("work/page.html", queue=part, wanted=_wanted(), me=person().name)


@blueprint.get("/news")
def news() -> Response:
    """Answer what changed in the queue."""
    return live.answer("queue", url_for(".news", **_wanted()), _queue)


def _wanted() -> dict[str, Any]:
    """Return which part of the queue is wanted, as addresses carry it."""
    return {name: request.args[name] for name in ("free", "by", "after") if request.args.get(name)}


def _queue() -> str:
    wanted, services = _wanted(), here().services
    held = Held(free="free" in wanted, by=wanted.get("by"))
    after = QueuePlace.parse(wanted.get("after", ""))

    def read(uow: UnitOfWork) -> tuple[list[WorkEntry], Mapping[str, int]]:
        counts = UndecidedQueries(uow, services.policy).count(services.business.now(""))
        return WorkQueue(uow, services.policy).page(PAGE + 1, held, after), counts

    found, counts = services.store.read(read)
    entries = found[:PAGE]
    following = {**wanted, "after": str(entries[-1].place)} if len(found) > PAGE else None
    return render_template(
        "work/queue.html",
        entries=entries,
        counts=counts,
        title=_title,
        overdue=_overdue,
        following=following,
        first=after is None,
    )


def _title(entry: WorkEntry) -> str:
    """Say what is to be done."""
    if entry.request:
        return DECISIONS[entry.kind]
    return ORDERS.get(entry.kind, f"Take note: {entry.kind}")


def _overdue(entry: WorkEntry) -> bool:
    deadline = entry.request and entry.request.deadline
    return bool(deadline and deadline <= here().services.business.now(entry.tenant))


# -- one entry


@blueprint.get("/<reference>")
def entry(reference: str) -> str:
    """Show one entry, with what can be done about it."""
    found = _items().find(reference)
    if found is None:
        abort(404, f"{reference} waits for nobody")
    document, decisions = here().services.store.read(lambda uow: _asked(uow, found))
    holder = found.holder.who if found.holder else ""
    url = url_for(".entry_news", reference=reference, holder=holder)
    return render_template(
        "work/entry.html",
        entry=found,
        title=_title(found),
        head=live.region("entry", url, lambda: _head(reference, holder)),
        document=masked_inside(document),
        forms=decisions,
        problem_codes=PROBLEM_CODES,
        resolution_codes=RESOLUTION_CODES,
        event_id=uuid4(),
        holder=holder,
        mine=holder == person().name,
    )


@blueprint.get("/<reference>/news")
def entry_news(reference: str) -> Response:
    """Answer what changed about an entry since the page was shown."""
    holder = request.args.get("holder", "")
    url = url_for(".entry_news", reference=reference, holder=holder)
    return live.answer("entry", url, lambda: _head(reference, holder))


def _head(reference: str, holder: str) -> str:
    found = _items().find(reference)
    now = found.holder.who if found and found.holder else ""
    return render_template(
        "work/head.html",
        entry=found,
        reference=reference,
        changed=found is not None and now != holder,
        overdue=_overdue,
    )


def _asked(uow: UnitOfWork, found: WorkEntry) -> tuple[Mapping[str, Any], list[EventForm]]:
    """Return the document of what is asked, a change or the problem, and the forms to decide it."""
    problem = ProblemRepository(uow).get(found.problem_id)
    change = ChangeRequestRepository(uow).find(found.problem_id, found.reference)
    waiting = [
        each
        for each in MessageRepository(uow).undelivered(problem.id, GATEWAY)
        if each.state == MessageState.QUEUED
    ]
    possible = forms(problem, change, len(waiting)) if found.request else []
    decisions = [each for each in possible if each.event in DECIDING]
    return change_entity(change) if change else problem.document, decisions


# -- acts


@blueprint.post("/<reference>/take")
def take(reference: str) -> AnyResponse:
    """Have the person work on it; what somebody else has is only taken over with a reason."""
    seen = acts.field("seen")
    by = acts.by() if seen else None
    doer = Doer(person().name, by.reason if by else "takes it", request.remote_addr)
    return _do(lambda: _items().take(reference, doer, seen or None), reference, "is yours")


@blueprint.post("/<reference>/hand-back")
def hand_back(reference: str) -> AnyResponse:
    """Have nobody work on it."""
    doer = _doer()
    return _do(lambda: _items().hand_back(reference, doer), reference, "is nobody's now")


@blueprint.post("/<reference>/done")
def done(reference: str) -> AnyResponse:
    """Be done with an order."""
    doer = _doer()
    return _do(lambda: _items().done(reference, doer), None, f"{reference} is done")


@blueprint.post("/<reference>/decide")
def decide(reference: str) -> AnyResponse:
    """Decide on what is undecided."""
    doer = _doer()
    document = document_of(request.form)
    if document.get("event") in DECIDES_CHANGE:
        document["changeReference"] = reference
    with acts.refusals(), _refusals():
        answer = _items().decide(reference, read_event(document), doer)
    if answer.status != 200:
        raise acts.ActRefused(*answer.body["messages"], status=answer.status)
    text = f"{reference} is decided: the problem is {answer.body['status']}."
    return acts.done(text, ".show", by=person().name)


def _do(act: Callable[[], None], reference: str | None, said: str) -> AnyResponse:
    """Do something, and show the entry of that reference or, without one, the person's queue."""
    with _refusals():
        act()
    if reference is None:
        return acts.done(f"{said}.", ".show", by=person().name)
    return acts.done(f"{reference} {said}.", ".entry", reference=reference)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except WorkRefused as error:
        raise acts.ActRefused(*error.messages) from None


def _doer() -> Doer:
    by = acts.by()
    return Doer(by.who, by.reason, request.remote_addr)


def _items() -> WorkItems:
    return WorkItems(here().services)
