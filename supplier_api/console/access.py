"""Who may see and do what: roles, the person who is signed in, and where requests may come from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from flask import Flask, abort, current_app, g, redirect, request, session, url_for
from flask.globals import request_ctx
from werkzeug.exceptions import MisdirectedRequest
from werkzeug.wrappers import Response

from supplier_api.auth.accounts import Accounts, Person, Role
from supplier_api.settings import is_loopback

__all__ = [
    "TOKEN",
    "Access",
    "Person",
    "Role",
    "guard",
    "may",
    "person",
    "public",
    "requires",
]

F = TypeVar("F", bound=Callable[..., Any])

TOKEN = "session"  # noqa: S105 - the key of the session's token in the browser's cookie
SAFE = frozenset({"GET", "HEAD"})
_NEEDS = "console_needs"


@dataclass(frozen=True, slots=True)
class Access:
    """How people come in.

    `anybody` is whom every request counts as, where nobody signs in: in the sandbox on loopback.
    `url` is the address that people use, if it is set.
    """

    accounts: Accounts
    anybody: Person | None = None
    url: str | None = None

    @property
    def secure(self) -> bool:
        """Whether the browser's cookie travels over TLS alone; it may stay on this machine."""
        return self.anybody is None and not (self.url or "").startswith("http:")


def requires(role: Role) -> Callable[[F], F]:
    """Mark a view as one that only this role and those above it may call."""

    def mark(view: F) -> F:
        setattr(view, _NEEDS, role)
        return view

    return mark


def public(view: F) -> F:
    """Mark a view as one that needs nobody to be signed in."""
    setattr(view, _NEEDS, None)
    return view


def person() -> Person:
    """Return who is signed in."""
    found: Person = g.person
    return found


def may(role: Role) -> bool:
    """Return whether the person who is signed in may do what needs this role."""
    return person().role.allows(role)


def guard(app: Flask, access: Access) -> None:
    """Check each request: by which name and from which page it comes, and who is signed in."""

    @app.before_request
    def check() -> Response | None:
        _check_text()
        _check_host(access)
        _check_origin()
        needed = _needed()
        g.person = access.anybody or _signed_in(access.accounts)
        if needed is None:
            return None
        if g.person is None:
            if request.method in SAFE and "HX-Request" not in request.headers:
                wanted = request.full_path.rstrip("?")
                return redirect(url_for("sign_in.show", next=wanted))
            # A page that asks for news is loaded again by htmx, and so led to the sign-in.
            return Response(status=401, headers={"HX-Refresh": "true"})
        if not g.person.role.allows(needed):
            abort(403, f"this needs the role {needed}; you are {g.person.role}")
        return None


def _needed() -> Role | None:
    """Return the role that a request needs, None for none: acts need an operator unless marked."""
    view = current_app.view_functions.get(request.endpoint or "")
    if request.endpoint == "static":
        return None
    default = Role.VIEWER if request.method in SAFE else Role.OPERATOR
    found: Role | None = getattr(view, _NEEDS, default)
    return found


def _signed_in(accounts: Accounts) -> Person | None:
    """Return whose session the browser's cookie names, if it has not ended."""
    token = session.get(TOKEN)
    if token is None:
        return None
    # What a page asks for by itself is no sign that somebody sits there; what is typed is one.
    polls = request.method in SAFE and "HX-Request" in request.headers
    return accounts.person_of(token, used=not polls)


def _check_text() -> None:
    """Refuse an address that holds a NUL: PostgreSQL neither stores one nor looks for it."""
    if "\0" in request.path or b"%00" in request.query_string:
        abort(400, "the address holds a NUL")


def _check_host(access: Access) -> None:
    """Refuse a name that is not ours: a page elsewhere may have had it point here."""
    host = _split(f"//{request.host}").hostname or ""
    if access.url and request.host == urlsplit(access.url).netloc:
        return
    # Without an adapter it is no name at all, and no link of a page can be made.
    known = request_ctx.url_adapter is not None
    if not known or ((access.anybody or access.url) and not is_loopback(host)):
        raise MisdirectedRequest(f"{request.host} is no name of this console")


def _split(address: str) -> SplitResult:
    """Return the parts of an address that a browser sent, none of one that is malformed."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _check_origin() -> None:
    """Refuse what a page of another site sends."""
    if request.method in SAFE:
        return
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if (origin and _split(origin).netloc != request.host) or site not in {"same-origin", "none"}:
        abort(403, "this form was sent by a page of another site")
