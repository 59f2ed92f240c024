"""Who may see and do what: roles, the person who is signed in, and where requests may come from."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, g, redirect, request, url_for
from werkzeug.exceptions import MisdirectedRequest
from werkzeug.wrappers import Response

F = TypeVar("F", bound=Callable[..., Any])

SAFE = frozenset({"GET", "HEAD"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NEEDS = "console_needs"


class Role(StrEnum):
    """What a person may do; each may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def allows(self, needed: "Role") -> bool:
        """Return whether this role may do what needs another."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Access:
    """How people come in.

    `anybody` is whom every request counts as, where nobody signs in: in the sandbox on loopback.
    `url` is the address that people use, if it is set.
    """

    anybody: Person | None
    url: str | None = None


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
        _check_host(access)
        _check_origin()
        needed = _needed()
        g.person = access.anybody or _signed_in()
        if needed is None:
            return None
        if g.person is None:
            if request.method in SAFE and "HX-Request" not in request.headers:
                return redirect(url_for("sign_in.show", next=request.full_path.rstrip("?")))
            abort(401)
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


def _signed_in() -> Person | None:
    return None


def _check_host(access: Access) -> None:
    """Refuse a name that is not ours: a page elsewhere may have had it point here."""
    host = urlsplit(f"//{request.host}").hostname
    if access.url and request.host == urlsplit(access.url).netloc:
        return
    if (access.anybody or access.url) and host not in LOOPBACK:
        raise MisdirectedRequest(f"{request.host} is no name of this console")


def _check_origin() -> None:
    """Refuse what another site's page sends."""
    if request.method in SAFE:
        return
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if (origin and urlsplit(origin).netloc != request.host) or site not in {"same-origin", "none"}:
        abort(403, "this form was sent by a page of another site")
