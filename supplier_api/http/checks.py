"""What every HTTP application refuses before authentication.

Paths are compared as they are written: `//back-office/...` and `/%62ack-office/...` are unknown,
because a proxy in front that allows only some paths may have taken them for others. A header that
identifies the caller, or the tenant, must not be repeated: two parties could each use another one.
"""

from flask import Flask, request
from werkzeug.exceptions import NotFound
from werkzeug.routing import Rule

from supplier_api.contract import refusals
from supplier_api.http.wsgi import RAW_PATH, REPEATED


def check_requests(app: Flask) -> None:
    """Check each request to `app`, once it is known whether there is such a path and method.

    Raises werkzeug's NotFound or contract.Malformed, which the application answers.
    """

    @app.before_request
    def check() -> None:
        if not _is_literal(request.environ.get(RAW_PATH, request.path), request.url_rule):
            raise NotFound
        repeated: tuple[str, ...] = request.environ.get(REPEATED, ())
        if repeated and request.routing_exception is None:
            raise refusals.HEADER_TWICE.errors({"name": name} for name in repeated)


def _is_literal(raw: str, rule: Rule | None) -> bool:
    """Return whether a path is written exactly like the rule that it matched.

    Only the value of a variable may be percent-encoded; without a rule, nothing may.
    """
    path = raw.partition("?")[0]
    if path.startswith("//"):
        return False
    if "%" not in path:
        return True
    if rule is None:
        return False
    ruled, written = rule.rule.split("/"), path.split("/")
    # If a variable may contain slashes, only the beginning is compared.
    pairs = zip(ruled, written, strict=False)
    same_length = len(ruled) == len(written) or "<path:" in rule.rule
    return same_length and all("<" in one or one == other for one, other in pairs)
