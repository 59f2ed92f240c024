"""What is refused of a request at any door, before access is looked at.

Paths are judged as they are written: `//back-office/...` and `/%62ack-office/...` are nothing we
know, for a proxy in front that lets only some paths pass took them for others. A header that says
who calls, or for whom, must not stand twice: two parties could each believe another one of them.
"""

from flask import Flask, request
from werkzeug.exceptions import NotFound
from werkzeug.routing import Rule

from supplier_api.contract import Malformed
from supplier_api.http.wsgi import RAW_PATH, REPEATED


def check_requests(app: Flask) -> None:
    """Check each request to `app`, once it is known whether there is such a path and method.

    Raises werkzeug's NotFound or wire.Malformed, which the application answers.
    """

    @app.before_request
    def check() -> None:
        if not _is_literal(request.environ.get(RAW_PATH, request.path), request.url_rule):
            raise NotFound
        repeated: tuple[str, ...] = request.environ.get(REPEATED, ())
        if repeated and request.routing_exception is None:
            raise Malformed([f"{name}: expected once, not twice" for name in repeated])


def _is_literal(raw: str, rule: Rule | None) -> bool:
    """Tell whether a path is written as the rule is that it was found to follow.

    Only in the place of a variable may characters be percent-encoded; where no rule is known, none.
    """
    path = raw.partition("?")[0]
    if path.startswith("//"):
        return False
    if "%" not in path:
        return True
    if rule is None:
        return False
    ruled, written = rule.rule.split("/"), path.split("/")
    # Of one that may have slashes in it, nothing but the beginning is compared.
    pairs = zip(ruled, written, strict=False)
    same_length = len(ruled) == len(written) or "<path:" in rule.rule
    return same_length and all("<" in one or one == other for one, other in pairs)
