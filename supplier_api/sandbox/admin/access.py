"""Who may call /admin.

On loopback anybody may who sits at this machine. Beyond it a bearer token of the scope `admin` is
needed. Either way the name in `Host` has to be one that no stranger can point at this machine: a
web page that a browser has loaded from elsewhere must not be able to call us under its own name
(DNS rebinding). Nothing here allows calls across origins (no CORS), and whatever changes something
takes JSON or is no POST, so that a browser asks first and is refused.
"""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Response, request

from supplier_api.audit import UNKNOWN
from supplier_api.contract.codes import ErrorCode
from supplier_api.sandbox.admin.parts import bench

SCOPE = "admin"


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
    if not parts.on_loopback:
        parts.tokens.admit(request.headers.get("Authorization"), SCOPE)
    return None


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
