"""What the journal keeps of a call: no secrets, and of a long body its beginning."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from supplier_api import contract
from supplier_api.contract import Malformed

IDS = (
    "id",
    "serviceProblemId",
    "supplierReference",
    "supplierServiceProblemReference",
    "reference",
    "uuid",
)
BODY_KEPT = 65_536  # bytes
MASK = "***"
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
# A call is dated in business time; the real one would tell apart two runs that are the same.
_LEFT_OUT = frozenset({"date"})
_SCHEME = re.compile(r"(Basic|Bearer|Digest|DPoP) .*", re.IGNORECASE | re.DOTALL)
_NAMES = "access_token|refresh_token|id_token|client_secret|client_assertion|password"
_IN_JSON = re.compile(rf'("(?:{_NAMES})"\s*:\s*")(?:[^"\\]|\\.)*')
_IN_FORM = re.compile(rf"((?:^|[?&])(?:{_NAMES})=)[^&\s]*")


class JournalDirection(StrEnum):
    """Who called whom."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class HttpPart:
    """A request or an answer, secrets masked: its headers, and the beginning of its body.

    `size` is that of the whole body, in bytes.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    size: int = 0

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"headers": self.headers, "body": self.body, "size": self.size}


@dataclass(frozen=True, slots=True)
class Decided:
    """Under which key the rule book's decision about a request is recorded.

    `fingerprints` are those of the request, in every version that may be stored.
    """

    operation: str
    key: str
    fingerprints: Sequence[str]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A call and its answer.

    `at` is machine time when it began. `status` is None when no answer came, and `trouble` then
    says why. `ids` are those that the call names. `deliberate` is what was done to it on purpose,
    `remarks` what the other side sent off the contract.

    Of what the call is about: `problem_id` is the gateway's id of a problem of the tenant, `about`
    any name that a problem may have, where the call itself says no more.
    """

    at: datetime
    direction: JournalDirection
    operation: str
    tenant: str
    method: str
    url: str
    request: HttpPart
    answer: HttpPart
    status: int | None
    milliseconds: float
    trouble: str | None = None
    conversation_id: str | None = None
    request_id: str | None = None
    ids: tuple[str, ...] = ()
    deliberate: Mapping[str, Any] | None = None
    remarks: tuple[Mapping[str, str], ...] = ()
    problem_id: int | None = None
    about: str | None = None
    decided: Decided | None = None


def http_part(headers: Iterable[tuple[str, str]], body: bytes) -> HttpPart:
    """Return what is kept of a request or an answer."""
    return HttpPart(headers_of(headers), text_of(body), len(body))


def document_in(body: bytes) -> Mapping[str, Any]:
    """Return the object that a body is, or an empty one."""
    try:
        found = contract.read_json(body)
    except Malformed:
        return {}
    return found if isinstance(found, Mapping) else {}


def ids_in(*documents: Mapping[str, Any]) -> list[str]:
    """Return the ids and references that documents name."""
    values = [document.get(name) for document in documents for name in IDS]
    return [str(value) for value in values if isinstance(value, str | int) and value]


def headers_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by name; of one that holds a secret only the scheme is left."""
    kept: dict[str, str] = {}
    for name, value in pairs:
        if name.lower() not in _LEFT_OUT:
            shown = _masked(value) if name.lower() in _SECRET_HEADERS else value
            kept[name] = f"{kept[name]}, {shown}" if name in kept else shown
    return kept


def text_of(body: bytes) -> str:
    """Return the beginning of a body as text, whatever its bytes are, without its secrets."""
    return without_secrets(body[:BODY_KEPT].decode("utf-8", errors="backslashreplace"))


def without_secrets(text: str) -> str:
    """Return a body or a URL with its tokens, secrets and passwords masked."""
    text = _IN_JSON.sub(rf"\1{MASK}", text)
    # Few texts have one, and a search for the names takes long.
    return _IN_FORM.sub(rf"\1{MASK}", text) if "=" in text else text


def _masked(value: str) -> str:
    scheme = _SCHEME.fullmatch(value)
    return f"{scheme[1]} {MASK}" if scheme else MASK
