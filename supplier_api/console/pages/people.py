"""The people who may sign in, and their sessions."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from supplier_api.auth.accounts import AccountRefused, By
from supplier_api.console import acts
from supplier_api.console.access import Role, requires
from supplier_api.console.context import here

blueprint = Blueprint("people", __name__, url_prefix="/people")


@blueprint.get("/")
@requires(Role.ADMIN)
def show() -> str:
    """Show accounts and sessions."""
    accounts = here().access.accounts
    return render_template(
        "people/page.html", users=accounts.all(), sessions=accounts.sessions(), roles=list(Role)
    )


@blueprint.post("/")
@requires(Role.ADMIN)
def add() -> Response:
    """Make an account."""
    name, role = acts.field("name"), _role()
    with _changing() as by:
        here().access.accounts.add(name, request.form.get("password", ""), role, by)
    return acts.done(f"{name} may sign in as {role}.", ".show")


@blueprint.post("/<name>/role")
@requires(Role.ADMIN)
def set_role(name: str) -> Response:
    """Give a person another role."""
    role = _role()
    with _changing() as by:
        here().access.accounts.set_role(name, role, by)
    return acts.done(f"{name} is {role} now.", ".show")


@blueprint.post("/<name>/password")
@requires(Role.ADMIN)
def set_password(name: str) -> Response:
    """Give a person another password."""
    with _changing() as by:
        here().access.accounts.set_password(name, request.form.get("password", ""), by)
    return acts.done(f"{name} has another password; all sessions have ended.", ".show")


@blueprint.post("/<name>/disable")
@requires(Role.ADMIN)
def disable(name: str) -> Response:
    """Let a person sign in no more."""
    with _changing() as by:
        here().access.accounts.disable(name, by)
    return acts.done(f"{name} cannot sign in any more.", ".show")


@blueprint.post("/<name>/enable")
@requires(Role.ADMIN)
def enable(name: str) -> Response:
    """Let a person sign in again."""
    with _changing() as by:
        here().access.accounts.enable(name, by)
    return acts.done(f"{name} may sign in again.", ".show")


@blueprint.post("/<name>/sessions/end")
@requires(Role.ADMIN)
def end_sessions(name: str) -> Response:
    """Sign a person out everywhere."""
    with _changing() as by:
        ended = here().access.accounts.end_all(name, by)
    return acts.done(f"{ended} sessions of {name} have ended.", ".show")


@contextmanager
def _changing() -> Iterator[By]:
    """Yield who changes an account and why; what is refused is shown in the same words."""
    by = acts.by()
    try:
        yield By(by.who, by.reason, request.remote_addr)
    except AccountRefused as error:
        raise acts.ActRefused(str(error), status=422) from None


def _role() -> Role:
    role = acts.field("role")
    if role not in set(Role):
        raise acts.ActRefused(f"role: expected one of {', '.join(Role)}", status=422)
    return Role(role)
