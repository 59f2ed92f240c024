"""What is read of a request: three headers and a JSON body, judged together."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Request
from marshmallow import Schema

from supplier_api.contract import Invalid, Malformed, MessageError, load, read_json, refusals
from supplier_api.contract.limits import HEADER_MAX
from supplier_api.http.bodies import read_body
from supplier_api.http.gateway.dependencies import RequestExtension

REQUEST_ID = "X-Request-ID"
CONVERSATION_ID = "X-Conversation-ID"
TENANT = "Tenant"

_VISIBLE = re.compile(r"[!-~]+")
_BLANK = " \t"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Headers:
    """The headers that every call carries."""

    request_id: str
    conversation_id: str
    tenant: str


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """What a request says."""

    headers: Headers
    document: dict[str, Any]


def read(
    request: Request, schema: Schema, limit: int, *, extension: RequestExtension | None
) -> ParsedRequest:
    """Return the headers and the document of a request whose body has at most `limit` bytes.

    `extension` reads what is its own. Raises Malformed with everything that cannot be
    read in either, else Invalid with every broken constraint in either.
    """
    found = _Findings()
    headers = found.reading(lambda: _read_headers(request))
    document = found.reading(lambda: load(schema, read_json(read_body(request, limit))))
    if extension:
        found.reading(lambda: extension.read(request, document or {}))
    if headers is None or document is None or found.any():
        raise found.worst()
    return ParsedRequest(headers, document)


def well_formed_headers(request: Request) -> Headers | None:
    """Return the headers, or None if anything is wrong with them."""
    try:
        return _read_headers(request)
    except MessageError:
        return None


def _read_headers(request: Request) -> Headers:
    """Return the headers. Raises Malformed if any is missing or blank, else Invalid."""
    values = {
        name: request.headers.get(name, "").strip(_BLANK)
        for name in (REQUEST_ID, CONVERSATION_ID, TENANT)
    }
    if missing := [name for name, value in values.items() if not value]:
        raise refusals.MISSING.errors({"path": name} for name in missing)
    wrong = [name for name, value in values.items() if not _acceptable(value)]
    if wrong:
        raise refusals.HEADER_INVALID.errors(
            {"name": name, "maximum": HEADER_MAX} for name in wrong
        )
    return Headers(values[REQUEST_ID], values[CONVERSATION_ID], values[TENANT])


class _Findings:
    """What is wrong with a request; each part is read, whatever is wrong with the others."""

    def __init__(self) -> None:
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


def _acceptable(value: str) -> bool:
    return len(value) <= HEADER_MAX and _VISIBLE.fullmatch(value) is not None
