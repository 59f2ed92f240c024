"""What kind of body an HTTP answer has."""

import html
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import orjson

TITLE_MAX = 100  # characters
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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
