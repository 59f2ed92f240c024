"""The problems: searched by names and by texts, listed by filters that a link can hold."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from flask import Response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from supplier_api.console import acts, live
from supplier_api.console.context import here
from supplier_api.console.pages.problem import blueprint
from supplier_api.contract.codes import Status
from supplier_api.http.backoffice.schemas import NAME_MAX
from supplier_api.http.request_parsing import whole_number
from supplier_api.operations.status_messages import silent_after
from supplier_api.problems import view
from supplier_api.problems.disclosure import record_search
from supplier_api.problems.model import Base
from supplier_api.problems.problem_search import (
    NOT_OVER,
    WORDS_MAX,
    ProblemsPage,
    WantedProblems,
    page_of,
)
from supplier_api.problems.silent import SilentProblems

__all__ = ["blueprint"]

LIMIT = 50
TEXT_MAX = 200
FILTERS = ("state", "tenant", "service", "ticket", "age")
STATES = [Base.UNDECIDED.value, *(status.value for status in Status)]
AGES = {
    "1h": "an hour",
    "12h": "12 hours",
    "1d": "a day",
    "3d": "3 days",
    "7d": "7 days",
    "30d": "30 days",
}
_HOURS = {"h": 1, "d": 24}
# Links that are ready: what people look for each day.
SAVED: tuple[tuple[str, dict[str, str]], ...] = (
    ("All", {}),
    ("Not over", {"state": NOT_OVER}),
    ("Undecided", {"state": "UNDECIDED"}),
    ("Amendments to decide", {"state": "PENDING_AMENDMENT"}),
    ("Cancellations to decide", {"state": "PENDING_CANCELLATION"}),
    ("Waiting for the tenant", {"state": "PENDING"}),
    ("On hold", {"state": "HELD"}),
    ("In an incident", {"state": "NETWORK_INCIDENT"}),
    ("Resolved, not answered", {"state": "RESOLVED"}),
    ("Silent", {"silent": "1"}),
    ("Not over after a week", {"state": NOT_OVER, "age": "7d"}),
)


@blueprint.get("/")
def listed() -> str | AnyResponse:
    """Show problems: those of a name (`q`), silent ones, or those that fit the filters."""
    given = _given(request.args)
    if name := given.get("q"):
        return _named(name)
    kept = _kept(given)
    asked = _asked(given)
    part = live.region(
        "problems", url_for(".listed_news", **asked), lambda: _rows(_found(asked), kept)
    )
    return _list(part, given=given, kept=kept)


@blueprint.get("/news")
def listed_news() -> Response:
    """Answer what changed in a list."""
    asked = _asked(_given(request.args))
    url = url_for(".listed_news", **asked)
    return live.answer("problems", url, lambda: _rows(_found(asked), _kept(asked)))


@blueprint.post("/text")
def search_text() -> str:
    """Show the problems whose texts have some words; who looked for them, and why, is recorded."""
    by, text = acts.by(), acts.field("text")
    if not 0 < len(words := text.split()) <= WORDS_MAX or len(text) > TEXT_MAX:
        expected = f"text: expected 1 to {WORDS_MAX} words of {TEXT_MAX} characters at most"
        raise acts.ActRefused(expected, status=422)
    given = _given(request.form)
    page = _page(given, words)
    record_search(here().services, page.problems, by)
    part = _rows(page, {}, text=text, reason=by.reason, narrows=_kept(given))
    return _list(Markup(part), given=given, kept=_kept(given))  # noqa: S704 - ours


def _named(name: str) -> str | AnyResponse:
    """Lead to the problem of a name; list several; else tell of requests that were refused."""
    store = here().services.store
    found = store.read(lambda uow: view.find(uow, name)) if len(name) <= NAME_MAX else []
    if len(found) == 1:
        return redirect(url_for(".show", name=found[0].reference))
    refused = [] if found else store.read(lambda uow: view.refused(uow, name))
    part = "" if refused else _rows(ProblemsPage(found), {}, name=name)
    return _list(Markup(part), given={"q": name}, kept={}, refused=refused)  # noqa: S704 - ours


def _given(source: Mapping[str, str]) -> dict[str, str]:
    """Return what an address or a form asks for."""
    # PostgreSQL cannot look for a NUL.
    said = {name: value.replace("\0", "").strip() for name, value in source.items()}
    return {name: value for name, value in said.items() if value}


def _kept(given: dict[str, str]) -> dict[str, str]:
    """Return the filters, which a link to another page of the list keeps."""
    return {key: given[key] for key in (*FILTERS, "silent") if key in given}


def _asked(given: dict[str, str]) -> dict[str, Any]:
    """Return the filters, and where the page begins or ends."""
    return _kept(given) | {key: given[key] for key in ("older", "newer") if key in given}


def _found(asked: dict[str, str]) -> ProblemsPage:
    return _silent() if "silent" in asked else _page(asked)


def _rows(page: ProblemsPage, kept: dict[str, str], **more: Any) -> str:
    """Return a list: of filters that are `kept`, of a `name`, or of a `text` (more)."""
    values = {"name": "", "text": "", "reason": "", "narrows": {}, **more}
    return render_template("problems/rows.html", page=page, kept=kept, **values)


def _list(part: Markup, **more: Any) -> str:
    return render_template(
        "problems/list.html",
        part=part,
        states=STATES,
        not_over=NOT_OVER,
        ages=AGES,
        saved=SAVED,
        text_max=TEXT_MAX,
        **{"refused": [], **more},
    )


def _page(given: dict[str, str], words: Sequence[str] = ()) -> ProblemsPage:
    tenant = given.get("tenant")
    before = None
    if age := re.fullmatch(r"([0-9]{1,4})([hd])", given.get("age", ""), re.ASCII):
        span = timedelta(hours=int(age[1]) * _HOURS[age[2]])
        before = here().services.business.now(tenant or "") - span
    wanted = WantedProblems(
        state=given.get("state"),
        tenant=tenant,
        service=given.get("service"),
        ticket=given.get("ticket"),
        before=before,
        words=words,
        older=whole_number(given.get("older", ""), 0),
        newer=whole_number(given.get("newer", ""), 0),
    )
    return here().services.store.read(lambda uow: page_of(uow, wanted, LIMIT))


def _silent() -> ProblemsPage:
    """Return the problems that are silent for the longest: as `status` counts them."""
    now = here().services.business.now("")
    after = silent_after(here().settings.status)

    found = here().services.store.read(lambda uow: SilentProblems(uow, now, after).listed(LIMIT))
    return ProblemsPage(found)
