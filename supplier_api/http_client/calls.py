"""One call, and the beginning of its answer; an observer may watch a POST."""

import html
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Protocol

import orjson
import requests
import urllib3

from supplier_api.http_client.errors import distrust, in_words, innermost
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import TimedCall
from supplier_api.value_object import value_object

BODY_LIMIT = 65_536  # bytes of an answer that are looked at
# What requests and urllib3 raise, and the system below them.
NETWORK_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
TITLE_MAX = 100  # characters
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@value_object
class Post:
    """What is sent to a gateway; `tenant` is whose message it is, None for a token request."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    tenant: str | None = None


@value_object
class HttpResponse:
    """What the gateway answered, with the beginning of the body.

    `complete` is False if the body broke off; of that nothing is kept.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    complete: bool = True


class Observer(Protocol):
    """Watches calls. It must not raise, and what it does takes the time of the sending thread."""

    def begins(self, post: Post) -> Callable[[HttpResponse | str], None]:
        """Note that a call begins; return a function to call with the answer, or the error."""


def send(
    sessions: Sessions,
    post: Post,
    call: TimedCall,
    observer: Observer | None,
    limit: int = BODY_LIMIT,
) -> HttpResponse:
    """POST within the time of `call`, and read up to `limit` bytes of the answer's body.

    Raises one of NETWORK_ERRORS when no answer comes.
    """
    ends = observer.begins(post) if observer else None
    try:
        with sessions.post(
            post.url, data=post.body, headers=post.headers, read_timeout=call.left()
        ) as response:
            answered = _read(response, limit)
    except NETWORK_ERRORS as error:
        if ends:
            ends(error_cause(error, call))
        raise
    if ends:
        ends(answered)
    return answered


def fetch(
    sessions: Sessions,
    url: str,
    headers: Mapping[str, str],
    call: TimedCall,
    limit: int = BODY_LIMIT,
) -> HttpResponse:
    """GET within the time of `call`; otherwise like `send`."""
    with sessions.get(url, headers=headers, read_timeout=call.left()) as response:
        return _read(response, limit)


def error_cause(error: BaseException, call: TimedCall) -> str:
    """Return a name for the innermost cause of an error; its text may hold anything."""
    if call.left() == 0:
        return "no answer in time"
    error = innermost(error)
    words = in_words(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{words}, {distrust(error)}"
    return words


def _read(response: urllib3.BaseHTTPResponse, limit: int) -> HttpResponse:
    """Read the beginning of the body, which may break off after the status line and headers."""
    try:
        body, complete = response.read(limit, decode_content=True), True
    except NETWORK_ERRORS:
        body, complete = b"", False
    return HttpResponse(response.status, response.headers, body, complete=complete)


class Body(StrEnum):
    """The kind of a body."""

    EMPTY = "no body"
    JSON = "JSON"
    ERROR = "an error"
    PAGE = "a page of HTML"
    TEXT = "a body that is no JSON"
    BROKEN = "a body that broke off"


def kind_of(content_type: str, body: bytes, *, complete: bool, whole: bool = True) -> Body:
    """Return the kind of a body.

    `complete` is False if it broke off, `whole` if `body` is only the beginning of a long one.
    """
    content = body.removeprefix(BYTE_ORDER_MARK).strip()
    media_type = content_type.partition(";")[0].strip().lower()
    if not complete:
        return Body.BROKEN
    if not content:
        return Body.EMPTY
    if "html" in media_type or content[:14].lower().startswith((b"<!doctype html", b"<html")):
        return Body.PAGE
    if not whole:
        return Body.JSON if media_type.endswith("json") else Body.TEXT
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return Body.TEXT
    return Body.ERROR if media_type == "application/problem+json" or _error(document) else Body.JSON


def _error(document: Any) -> bool:
    """Return whether a document is an error: the published envelope, or one of the usual forms."""
    if not isinstance(document, Mapping):
        return False
    published = isinstance(document.get("code"), str) and isinstance(document.get("messages"), list)
    return published or any(document.get(name) for name in ("error", "errors", "fault"))


def page_title(body: bytes) -> str | None:
    """Return the title of a page of HTML on one line, cut to a size; None if it has none."""
    found = _TITLE.search(body)
    if found is None:
        return None
    text = html.unescape(found[1].decode("utf-8", "replace"))
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line[:TITLE_MAX] or None


def http_date(text: str) -> datetime | None:
    """Read a date of HTTP (RFC 9110, section 5.6.7), aware; None if it is none, or absurd."""
    try:
        date = parsedate_to_datetime(text)
        # "-0000" stands for UTC without saying so.
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def seconds_to_wait(retry_after: str | None, now: datetime) -> float | None:
    """Read Retry-After (RFC 9110, section 10.2.3): seconds, or a date. None if it is neither."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        # Longer than any wait of ours, and within what a number can be.
        return float(retry_after[:9])
    date = http_date(retry_after)
    return None if date is None else max(0.0, (date - now).total_seconds())
