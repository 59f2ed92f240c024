"""Signing in, by name and password or by a link that the shell printed, and out."""

import re

from flask import Blueprint, abort, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from supplier_api.auth.accounts import SignInRefused, SignInThrottled
from supplier_api.console.access import TOKEN, public
from supplier_api.console.context import here

blueprint = Blueprint("sign_in", __name__, url_prefix="/sign-in")

# Paths are those within the console; // would be another host.
_OURS = re.compile(r"/(?!/)[^\\\x00-\x1f\x7f]*")


@blueprint.get("/")
@public
def show() -> str:
    """Ask for name and password."""
    return _form()


@blueprint.post("/")
@public
def sign_in() -> tuple[str, int, dict[str, str]] | Response:
    """Begin a session."""
    name, password = request.form.get("name", ""), request.form.get("password", "")
    try:
        token = here().access.accounts.sign_in(name, password, _address())
    except SignInThrottled as error:
        wait = {"Retry-After": str(error.seconds)}
        return _form(f"Too many attempts: try again in {error.seconds} s."), 429, wait
    except SignInRefused as error:
        return _form(f"Not signed in: {error}."), 422, {}
    return _begin(token)


@blueprint.get("/link/<link>")
@public
def show_link(link: str) -> str:
    """Ask whether to use a link: programs that only look at it must not use it up."""
    return render_template("sign_in/link.html", link=link)


@blueprint.post("/link/<link>")
@public
def use_link(link: str) -> Response:
    """Begin a session by a link that holds once."""
    try:
        token = here().access.accounts.redeem(link, _address())
    except SignInRefused as error:
        abort(422, str(error))
    return _begin(token)


@blueprint.post("/out")
@public
def sign_out() -> Response:
    """End the session."""
    if token := session.get(TOKEN):
        here().access.accounts.end(token)
    session.clear()
    flash("You are signed out.")
    return redirect(url_for(".show"), 303)


def _begin(token: str) -> Response:
    """Keep the token of a new session, and nothing of the one before, which ends."""
    if before := session.get(TOKEN):
        here().access.accounts.end(before)
    session.clear()
    session[TOKEN] = token
    return redirect(_wanted() or url_for("home.show"), 303)


def _form(fault: str = "") -> str:
    return render_template("sign_in/page.html", fault=fault, next=_wanted())


def _wanted() -> str:
    """Return the page that was asked for before signing in, "" for none or one that is not ours."""
    wanted = request.values.get("next", "")
    return f"{request.script_root}{wanted}" if _OURS.fullmatch(wanted) else ""


def _address() -> str:
    return request.remote_addr or ""
