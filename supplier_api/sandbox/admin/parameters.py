"""What testers say in the query or the path of a request, as marshmallow fields.

The body's fields are those of the contract (contract.fields). These read texts.
"""

import re
from typing import Any

from marshmallow import ValidationError, fields

from supplier_api.clock import from_wire
from supplier_api.contract.fields import InstantField, Text
from supplier_api.contract.limits import HEADER_MAX
from supplier_api.contract.loading import Fields
from supplier_api.http.request_parsing import whole_number

# What the published calls take in the header `Tenant`.
TENANT_PATTERN = f"[!-~]{{1,{HEADER_MAX}}}"
WAIT_MAX = 60.0  # seconds
_WAIT = re.compile(r"([0-9]{1,6})(s|ms|)")


class Word(Text):
    """A word that may be anybody's.

    It can be looked for in every database: PostgreSQL knows no NUL.
    """

    def __init__(self, description: str, example: str | None = None) -> None:
        """Describe what is named by it."""
        super().__init__(description, example, maximum=HEADER_MAX)

    def _constrain(self, value: str) -> None:
        if not (1 <= len(value) <= HEADER_MAX and value.isprintable()):
            raise ValidationError(f"expected 1 to {HEADER_MAX} printable characters")


class TrueOrFalse(fields.Boolean):
    """`name=true`, or `name=false`; false where it is not named."""

    def __init__(self, description: str, **metadata: Any) -> None:
        """Describe what it switches on."""
        super().__init__(
            truthy={"true"},
            falsy={"false"},
            load_default=False,
            error_messages={"invalid": "expected true or false"},
            metadata={"description": description, **metadata},
        )


class WholeNumber(fields.Integer):
    """A whole number, in digits."""

    def __init__(
        self, description: str, least: int, most: int, default: int | None = None, **metadata: Any
    ) -> None:
        """Describe what is counted."""
        limits = {"minimum": least, "maximum": most}
        more: dict[str, Any] = {} if default is None else {"load_default": default}
        super().__init__(metadata={"description": description, **limits, **metadata}, **more)
        self._limits = least, most

    def _deserialize(self, value: Any, *_args: Any, **_more: Any) -> int:
        least, most = self._limits
        found = whole_number(value, least, most)
        if found is None:
            raise ValidationError(f"expected a whole number from {least} to {most}")
        return found


class Moment(InstantField):
    """A time, read as such."""

    plain = False

    def __init__(self, description: str) -> None:
        """Describe what is of that time."""
        super().__init__(description)

    def _deserialize(self, value: Any, *_args: Any, **_more: Any) -> Any:
        # A plus sign that was not escaped arrives as a blank.
        return from_wire(self.take(value.replace(" ", "+")))


class Wait(fields.String):
    """How many seconds to wait at most."""

    def __init__(self, default: float | None) -> None:
        """Wait so long where a request says nothing; with None not at all."""
        shown = {} if default is None else {"default": f"{default:.0f}s"}
        more: dict[str, Any] = {} if default is None else {"load_default": default}
        metadata = {
            "description": "How long to wait at most: seconds, as in 10 or 10s, or milliseconds,"
            " as in 500ms",
            "pattern": f"^{_WAIT.pattern}$",
            "example": "500ms",
            **shown,
        }
        super().__init__(metadata=metadata, **more)

    def _deserialize(self, value: Any, *_args: Any, **_more: Any) -> Any:
        found = _WAIT.fullmatch(value)
        seconds = int(found[1]) / (1000 if found[2] == "ms" else 1) if found else WAIT_MAX + 1
        if seconds > WAIT_MAX:
            raise ValidationError(f"expected at most {WAIT_MAX:.0f}s, as in 10s or 500ms")
        return seconds


def tenant_name(description: str) -> Text:
    """Return the field for a tenant's name; a tenant need not be made before it is named."""
    return Text(description, "TENANT1", pattern=TENANT_PATTERN)


# In the path, and in the query.
WHOSE: Fields = {"tenant": tenant_name("Whose")}
OF_TENANT: Fields = {"tenant": tenant_name("Whose; without it, all tenants'")}
WAIT: Fields = {"wait": Wait(10.0)}
