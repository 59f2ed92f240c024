"""HTTP for testers: the switches that only the sandbox profile has.

Each concern has its file with a blueprint; they are listed here.

On loopback anybody may use them who sits at this machine. Beyond it a bearer token of the scope
`admin` is needed. Either way the name in `Host` has to be one that no stranger can point at this
machine: a web page that a browser has loaded from elsewhere must not be able to call us under its
own name (DNS rebinding). Nothing here allows calls across origins (no CORS), and whatever changes
something takes JSON or is no POST, so that a browser asks first and is refused.
"""

from collections.abc import Collection
from copy import deepcopy
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask_smorest import Api

from supplier_api.audit import UNKNOWN
from supplier_api.contract.codes import ErrorCode
from supplier_api.http.openapi import OAUTH2
from supplier_api.sandbox.admin import clock, destinations, faults, journal, scenarios, state
from supplier_api.sandbox.admin.resource import EXTENSION, SCOPE, AdminParts, RestConverter, bench
from supplier_api.settings import is_loopback

BLUEPRINTS = (
    scenarios.scenarios,
    clock.clock,
    clock.fresh_start,
    destinations.destinations,
    faults.faults,
    state.idle,
    state.problems,
    journal.journal,
)
FLUSH = 2.0  # seconds for what was recorded to be stored


__all__ = ["AdminParts", "register"]


def register(app: Flask, api: Api, parts: AdminParts) -> None:
    """Add /admin to the application that `api` describes."""
    app.extensions[EXTENSION] = parts
    app.url_map.converters["rest"] = RestConverter
    _describe_scope(api)
    for blueprint in BLUEPRINTS:
        app.before_request_funcs.setdefault(blueprint.name, []).extend(
            (check_access, write_journal)
        )
        api.register_blueprint(blueprint)


def _describe_scope(api: Api) -> None:
    """Offer the scope `admin` in the description's own token form."""
    schemes = api.spec.components.security_schemes
    oauth2 = deepcopy(schemes[OAUTH2])
    oauth2["flows"]["clientCredentials"]["scopes"][SCOPE] = "Switches for testers"
    schemes[OAUTH2] = oauth2


def check_access() -> Response | None:
    """Return None if the current request may come in, or the answer to it.

    A token is asked for as soon as the settings make the process listen beyond loopback. Raises
    access.AccessError, which the application answers.
    """
    parts = bench()
    if not is_safe_host(request.host, parts.settings.sandbox.allowed_hosts):
        parts.audit.refused(
            "access.refused",
            client=UNKNOWN,
            address=request.remote_addr,
            status=403,
            route=request.endpoint,
            why="Host",
        )
        return parts.refuse(
            403,
            ErrorCode.NOT_AUTHORISED,
            "Host: expected an address, a name without a dot, or one that"
            " SUPPLIER_API__SANDBOX__ALLOWED_HOSTS lists",
        )
    if not is_loopback(parts.settings.server.host):
        parts.tokens.admit(request.headers.get("Authorization"), SCOPE)
    return None


def write_journal() -> None:
    """Let what a tester does come behind the calls that were made before."""
    bench().recorder.flush(FLUSH)


def is_safe_host(host: str, allowed: Collection[str]) -> bool:
    """Tell whether a `Host` header (with or without a port) names us by a name we trust.

    An address cannot be re-pointed, and a name without a dot is no public one.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return bool(name) and ("." not in name or _is_address(name) or name in allowed)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
