"""The people who may sign in, and their sessions."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from supplier_api.auth.accounts import AccountRefused, Accounts, By
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


@blueprint.post("/<name>/<path:act>")
@requires(Role.ADMIN)
def change(name: str, act: str) -> Response:
    """Do one of CHANGES to an account."""
    if act not in CHANGES:
        abort(404)
    with _changing() as by:
        said = CHANGES[act](here().access.accounts, name, by)
    return acts.done(said, ".show")


def _set_role(accounts: Accounts, name: str, by: By) -> str:
    role = _role()
    accounts.set_role(name, role, by)
    return f"{name} is {role} now."


def _set_password(accounts: Accounts, name: str, by: By) -> str:
    accounts.set_password(name, request.form.get("password", ""), by)
    return f"{name} has another password; all sessions have ended."


def _disable(accounts: Accounts, name: str, by: By) -> str:
    accounts.disable(name, by)
    return f"{name} cannot sign in any more."


def _enable(accounts: Accounts, name: str, by: By) -> str:
    accounts.enable(name, by)
    return f"{name} may sign in again."


def _end_sessions(accounts: Accounts, name: str, by: By) -> str:
    return f"{accounts.end_all(name, by)} sessions of {name} have ended."


# What is done to an account, by its address; each returns what is said then.
CHANGES: Mapping[str, Callable[[Accounts, str, By], str]] = {
    "role": _set_role,
    "password": _set_password,
    "disable": _disable,
    "enable": _enable,
    "sessions/end": _end_sessions,
}


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
