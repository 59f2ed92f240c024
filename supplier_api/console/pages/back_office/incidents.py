"""Network incidents: declared, watched while problems join and leave, and ended."""

from typing import Any

from flask import Response, abort, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from supplier_api.console import live
from supplier_api.console.acts import ActRefused, by, done, field, refusals
from supplier_api.console.context import here
from supplier_api.console.pages.back_office.blueprint import blueprint, row_id
from supplier_api.http.backoffice.schemas import read_incident
from supplier_api.problems.incident_members import members
from supplier_api.problems.incidents import Incidents

AT_ONCE = 50  # problems of an incident


@blueprint.get("/incidents")
def incidents() -> str:
    """List the incidents that last, and the form to declare one."""
    return render_template(
        "back_office/incidents.html", incidents=Incidents(here().services).listed()
    )


@blueprint.post("/incidents")
def declare() -> AnyResponse:
    """Declare an incident over services, the services of problems, and parts of the network."""
    who = by()
    document = {
        "id": field("id"),
        "services": field("services").split(),
        "problems": field("problems").split(),
        "scopes": [_scope(line) for line in filter(None, field("scopes").splitlines())],
        "text": who.reason,
    }
    use_cases = Incidents(here().services)
    with refusals():
        wanted = read_incident({name: value for name, value in document.items() if value})
        new = use_cases.declare(
            wanted.id,
            wanted.services,
            wanted.text,
            problems=wanted.problems,
            scopes=wanted.scopes,
            who=who.who,
        )
    told = "is declared" if new else "was declared before"
    return done(f"{wanted.id} {told}.", ".incident", code=wanted.id)


@blueprint.get("/incidents/<path:code>")
def incident(code: str) -> str:
    """Show an incident: its problems, and what was told of each."""
    after = row_id("after") or 0
    url = url_for(".incident_news", code=code, after=after)
    return render_template(
        "back_office/incident.html",
        incident=_shown(code),
        part=live.region("incident", url, lambda: _part(code, after)),
    )


@blueprint.get("/incident-news/<path:code>")
def incident_news(code: str) -> Response:
    """Answer what changed about an incident."""
    after = row_id("after") or 0
    url = url_for(".incident_news", code=code, after=after)
    return live.answer("incident", url, lambda: _part(code, after))


@blueprint.post("/incidents/<path:code>")
def end(code: str) -> AnyResponse:
    """End an incident."""
    who, use_cases = by(), Incidents(here().services)
    _shown(code)
    if not use_cases.end(code, who=who.who, reason=who.reason):
        raise ActRefused(use_cases.why_not_ended(code))
    return done(f"{code} is ended; its problems go on where they stood.", ".incident", code=code)


def _scope(line: str) -> dict[str, str]:
    """Return a scope as the back office sends it, of a line such as exchange=LEEDS."""
    kind, _, value = line.strip().partition("=")
    return {"kind": kind, "value": value}


def _shown(code: str) -> dict[str, Any]:
    # PostgreSQL takes no NUL.
    shown = None if "\0" in code else Incidents(here().services).shown(code)
    if shown is None:
        abort(404, f"there is no incident {code}")
    return shown


def _part(code: str, after: int) -> str:
    found = here().services.store.read(lambda uow: members(uow, code, after, AT_ONCE + 1))
    return render_template(
        "back_office/members.html",
        incident=_shown(code),
        members=found[:AT_ONCE],
        following=found[AT_ONCE - 1]["id"] if len(found) > AT_ONCE else None,
        after=after,
    )
