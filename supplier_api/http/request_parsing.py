"""What every HTTP application reads of a request, and the forms of its answers.

Read are path, headers, parameters of the query, body.

Paths are compared as they are written: `//back-office/...` and `/%62ack-office/...` are unknown,
because a proxy in front that allows only some paths may have taken them for others. A header that
identifies the caller, or the tenant, must not be repeated: two parties could each use another one.
"""

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import orjson
from flask import Flask, Request, Response
from flask.globals import request_ctx
from werkzeug.exceptions import ClientDisconnected, NotFound, RequestEntityTooLarge
from werkzeug.routing import Rule

from supplier_api.contract import Invalid, Malformed, MessageError, refusals
from supplier_api.contract.limits import HEADER_MAX, ID_MAX, ID_MIN
from supplier_api.http.wsgi import BODY, RAW_PATH, REPEATED

JSON = "application/json"

_VISIBLE = re.compile(rf"[!-~]{{1,{HEADER_MAX}}}")
# What else a text may call white is no visible ASCII character.
_BLANK = " \t"
T = TypeVar("T")


def check_requests(app: Flask) -> None:
    """Check each request to `app`, once it is known whether there is such a path and method.

    Raises werkzeug's NotFound or contract.Malformed, which the application answers.
    """

    @app.before_request
    def check() -> None:
        incoming = request_ctx.request
        environ = incoming.environ
        if not _is_literal(environ.get(RAW_PATH) or incoming.path, incoming.url_rule):
            raise NotFound
        repeated: tuple[str, ...] = environ.get(REPEATED, ())
        if repeated and incoming.routing_exception is None:
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


def read_headers(incoming: Request, names: Sequence[str]) -> dict[str, str]:
    """Return these headers without the blanks around them.

    Raises Malformed if any is missing or blank, else Invalid.
    """
    values = {name: incoming.headers.get(name, "").strip(_BLANK) for name in names}
    if missing := [name for name, value in values.items() if not value]:
        raise refusals.MISSING.errors({"path": name} for name in missing)
    check_visible(values)
    return values


def check_visible(values: dict[str, str]) -> None:
    """Raise Invalid unless each of these headers may name somebody or something."""
    if wrong := [name for name, value in values.items() if not _VISIBLE.fullmatch(value)]:
        raise refusals.HEADER_INVALID.errors(
            {"name": name, "maximum": HEADER_MAX} for name in wrong
        )


def check_query(incoming: Request, known: Collection[str]) -> None:
    """Raise Invalid if there are parameters in the query that are not known, or one twice.

    One that is misspelt would select everything, and nobody would see it.
    """
    expected = f"one of {', '.join(known)}" if known else "none"
    wrong = []
    for name, values in incoming.args.lists():
        if name not in known:
            wrong.append(f"{name[:HEADER_MAX]}: unknown; expected {expected}")
        elif len(values) > 1:
            wrong.append(f"{name}: expected once")
    if wrong:
        raise Invalid(wrong)


def whole_number(digits: str, least: int = ID_MIN, most: int = ID_MAX) -> int | None:
    """Return the number that a text is, None if it is none from `least` to `most`.

    Every id, cursor and count in a path, a query, a header or a form is read by this.
    """
    readable = digits.isascii() and digits.isdigit() and len(digits) <= len(str(ID_MAX))
    return int(digits) if readable and least <= int(digits) <= most else None


def query_number(incoming: Request, name: str, default: int, least: int, most: int) -> int:
    """Return a number of the query; raises Invalid if it is none from `least` to `most`."""
    text = incoming.args.get(name)
    number = default if text is None else whole_number(text, least, most)
    if number is None:
        raise refusals.NOT_WHOLE.error(path=name, minimum=least, maximum=most)
    return number


def read_body(incoming: Request, limit: int, too_long: str = refusals.BODY_TOO_LONG.text) -> bytes:
    """Return the body of at most `limit` bytes.

    Raises Malformed if it is no JSON by its type, too long or cut short.
    """
    if incoming.mimetype != JSON:
        raise refusals.WRONG_CONTENT_TYPE.error(expected=JSON)
    try:
        whole: bytes | None = incoming.environ.get(BODY)
        body = incoming.get_data(cache=False) if whole is None else whole
    except ClientDisconnected:
        raise refusals.BODY_CUT_SHORT.error() from None
    except RequestEntityTooLarge:
        raise Malformed([too_long.format(limit=limit)]) from None
    # The server cuts a chunked body at its own limit, which is set one byte higher.
    if len(body) > limit:
        raise Malformed([too_long.format(limit=limit)])
    return body


class Findings:
    """What is wrong with a request; each part is read, whatever is wrong with the others."""

    def __init__(self) -> None:
        """Begin with nothing wrong."""
        self._malformed: list[str] = []
        self._invalid: list[str] = []

    def reading(self, read: Callable[[], T]) -> T | None:
        """Return what `read` returns, or None, keeping what is wrong."""
        try:
            return read()
        except Malformed as error:
            self._malformed += error.messages
        except Invalid as error:
            self._invalid += error.messages
        return None

    def any(self) -> bool:
        """Tell whether anything is wrong."""
        return bool(self._malformed or self._invalid)

    def worst(self) -> MessageError:
        """Return all that cannot be read, or if all can, every broken constraint."""
        return Malformed(self._malformed) if self._malformed else Invalid(self._invalid)


def json_response(body: Any, status: int = 200) -> Response:
    """Return a response with `body` as JSON."""
    return Response(orjson.dumps(body), status, content_type=JSON)


def empty(status: int) -> Response:
    """Return a response without a body, and so without a content type."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response
