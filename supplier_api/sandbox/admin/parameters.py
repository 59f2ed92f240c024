"""What testers say in the query or the path of a request: described and read from one place."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from marshmallow import ValidationError

from supplier_api.clock import from_wire
from supplier_api.contract import Invalid
from supplier_api.contract.fields import InstantField, Text
from supplier_api.contract.limits import HEADER_MAX
from supplier_api.http.openapi import Description
from supplier_api.http.request_parsing import whole_number

# What the published calls take in the header `Tenant`.
TENANT_PATTERN = f"[!-~]{{1,{HEADER_MAX}}}"
WAIT_MAX = 60.0
_WAIT = re.compile(r"([0-9]{1,6})(s|ms|)")
_MOMENT = InstantField("A moment of business time", "2026-01-05T12:00:00.000Z")


@dataclass(frozen=True, slots=True)
class RequestParameter:
    """A parameter in the query, or in the path: how it is described, and how it is read.

    `read` returns the value of a text; it raises ValueError with what was expected. A view gets the
    value by the name `argument`, or by the parameter's own.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    read: Callable[[str], Any] = str
    default: Any = None
    example: Any = None
    argument: str = ""
    in_path: bool = False

    def described(self) -> Description:
        """Return what OpenAPI says of it."""
        where = {"in": "path", "required": True} if self.in_path else {"in": "query"}
        shown = {"name": self.name, **where, "description": self.description, "schema": self.schema}
        return shown if self.example is None else {**shown, "example": self.example}

    def value(self, given: Mapping[str, str]) -> Any:
        """Return its value in a request where these are given; raises Invalid."""
        text = given.get(self.name)
        if text is None:
            return self.default
        try:
            return self.read(text)
        except ValueError as error:
            raise Invalid([f"{self.name}: {error}"]) from None


def named_tenant(description: str) -> RequestParameter:
    """Return the parameter for a tenant's name."""

    def read(name: str) -> str:
        if not re.fullmatch(TENANT_PATTERN, name):
            raise ValueError(f"expected to match {TENANT_PATTERN}")
        return name

    schema = {"type": "string", "pattern": f"^{TENANT_PATTERN}$"}
    return RequestParameter("tenant", description, schema, read, example="TENANT1")


def word(
    name: str, description: str, default: str | None = None, argument: str = ""
) -> RequestParameter:
    """Return the parameter for a word that may be anybody's.

    It can be looked for in every database: PostgreSQL knows no NUL.
    """

    def read(given: str) -> str:
        if not (1 <= len(given) <= HEADER_MAX and given.isprintable()):
            raise ValueError(f"expected 1 to {HEADER_MAX} printable characters")
        return given

    schema = {"type": "string", "minLength": 1, "maxLength": HEADER_MAX}
    return RequestParameter(name, description, schema, read, default, argument=argument)


def choice(
    name: str, description: str, of: Iterable[str], default: str | None = None, argument: str = ""
) -> RequestParameter:
    """Return the parameter for one of some words."""
    words = [str(word) for word in of]

    def read(given: str) -> str:
        if given not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return given

    schema = {"type": "string", "enum": words} | ({"default": default} if default else {})
    return RequestParameter(name, description, schema, read, default, argument=argument)


def flag(name: str, description: str, argument: str = "") -> RequestParameter:
    """Return the parameter that is false, unless a request says `name=true`."""

    def read(given: str) -> bool:
        if given not in {"true", "false"}:
            raise ValueError("expected true or false")
        return given == "true"

    schema = {"type": "boolean", "default": False}
    return RequestParameter(name, description, schema, read, default=False, argument=argument)


def number(
    name: str, description: str, least: int, most: int, default: int | None = None
) -> RequestParameter:
    """Return the parameter for a whole number."""

    def read(digits: str) -> int:
        found = whole_number(digits, least, most)
        if found is None:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return found

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return RequestParameter(name, description, schema, read, default)


def moment(name: str, description: str) -> RequestParameter:
    """Return the parameter for a time."""

    def read(written: str) -> datetime:
        # A plus sign that was not escaped arrives as a blank.
        written = written.replace(" ", "+")
        try:
            _MOMENT.deserialize(written)
        except ValidationError as error:
            raise ValueError(error.messages[0]) from None
        return from_wire(written)

    return RequestParameter(name, description, {"type": "string", "format": "date-time"}, read)


def waiting(default: float | None) -> RequestParameter:
    """Return the parameter for how many seconds to wait at most."""

    def read(written: str) -> float:
        found = _WAIT.fullmatch(written)
        seconds = int(found[1]) / (1000 if found[2] == "ms" else 1) if found else WAIT_MAX + 1
        if seconds > WAIT_MAX:
            raise ValueError(f"expected at most {WAIT_MAX:.0f}s, as in 10s or 500ms")
        return seconds

    shown = {"default": f"{default:.0f}s"} if default is not None else {}
    return RequestParameter(
        "wait",
        "How long to wait at most: seconds, as in 10 or 10s, or milliseconds, as in 500ms",
        {"type": "string", "pattern": f"^{_WAIT.pattern}$", **shown},
        read,
        default,
        example="500ms",
    )


def tenant_name(description: str) -> Text:
    """Return the field for a tenant's name; a tenant need not be made before it is named."""
    return Text(description, "TENANT1", pattern=TENANT_PATTERN)


TENANT_IN_PATH = replace(named_tenant("Whose"), in_path=True)
TENANT_IN_QUERY = named_tenant("Whose; without it, all tenants'")
WAIT = waiting(10.0)
