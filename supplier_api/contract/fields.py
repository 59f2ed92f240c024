"""The types of values on the wire, as marshmallow fields.

Each has its JSON type (else a Structural message: 400), its constraint (else a plain message: 422)
and its description in OpenAPI, so that validation and documentation cannot differ. `take` validates
a value on a fast path without marshmallow; its error says only that the value is invalid.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields

from supplier_api.clock import from_wire
from supplier_api.contract import refusals
from supplier_api.contract.errors import WHOLE
from supplier_api.contract.limits import (
    ID_MAX,
    ID_MIN,
    REFERENCE_PATTERN,
    STRING_MAX,
    STRING_MIN,
    TEXT_MAX,
)
from supplier_api.contract.loading import is_plain, take

VERSION_MAX = 40
_REFERENCE = re.compile(REFERENCE_PATTERN)
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def _options(
    expected: str,
    description: str,
    example: object = None,
    *,
    required: bool = False,
    **properties: object,
) -> dict[str, Any]:
    """Return the arguments of every marshmallow field; `properties` are those of OpenAPI."""
    metadata = {"description": description, "example": example, **properties}
    return {
        "required": required,
        "error_messages": {
            "required": refusals.MISSING.for_field(),
            "null": refusals.NULL.for_field(expected=expected),
            "invalid": refusals.WRONG_TYPE.for_field(expected=expected),
        },
        "metadata": {name: value for name, value in metadata.items() if value is not None},
    }


class _String(fields.String):
    """A JSON string, unchanged, with a constraint of the subclass."""

    plain = True

    def take(self, value: Any) -> str:
        """Return the value; raises ValidationError if it is invalid."""
        if not isinstance(value, str):
            raise self.make_error("invalid")
        self._constrain(value)
        return value

    def _deserialize(self, value: Any, *_args: Any, **_more: Any) -> str:
        return self.take(value)

    def _constrain(self, value: str) -> None:
        """Raise ValidationError if `value` breaks the constraint."""
        raise NotImplementedError


class Text(_String):
    """A string of `minimum` to `maximum` code points that matches `pattern`, if one is given."""

    def __init__(
        self,
        description: str,
        example: str | None = None,
        *,
        minimum: int = STRING_MIN,
        maximum: int = STRING_MAX,
        pattern: str | None = None,
        required: bool = False,
        deprecated: bool | None = None,
    ) -> None:
        """Describe the string."""
        limits = {
            "minLength": minimum,
            "maxLength": maximum,
            "pattern": f"^{pattern}$" if pattern else None,
            "deprecated": deprecated,
        }
        super().__init__(**_options("a string", description, example, required=required, **limits))
        self.minimum = minimum
        self.maximum = maximum
        self.pattern = pattern

    def _constrain(self, value: str) -> None:
        if not self.minimum <= len(value) <= self.maximum:
            raise ValidationError(
                refusals.WRONG_LENGTH.for_field(minimum=self.minimum, maximum=self.maximum)
            )
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise ValidationError(refusals.WRONG_PATTERN.for_field(pattern=self.pattern))


def long_text(description: str, example: str | None = None, *, required: bool = False) -> Text:
    """Return a field for free text, up to 1000 characters."""
    return Text(description, example, maximum=TEXT_MAX, required=required)


class Version(Text):
    """The version of a ticket: a whole number, or a text that holds one or a time."""

    def __init__(self, description: str, example: str, *, required: bool = False) -> None:
        """Describe whose version it is."""
        super().__init__(description, example, maximum=VERSION_MAX, required=required)
        for kind, cause in (("invalid", refusals.WRONG_TYPE), ("null", refusals.NULL)):
            self.error_messages[kind] = cause.for_field(expected="a whole number, or a date-time")

    def take(self, value: Any) -> str:
        """Return the value as a text; raises ValidationError if it is invalid."""
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return super().take(str(value) if is_number else value)


class Reference(_String):
    """A supplier's own reference for something."""

    def __init__(self, description: str, example: str, *, required: bool = False) -> None:
        """Describe what is referred to."""
        pattern = f"^{REFERENCE_PATTERN}$"
        super().__init__(
            **_options("a string", description, example, required=required, pattern=pattern)
        )

    def _constrain(self, value: str) -> None:
        if not _REFERENCE.fullmatch(value):
            raise ValidationError(refusals.WRONG_PATTERN.for_field(pattern=REFERENCE_PATTERN))


class Code(_String):
    """One of the codes that are published for this field."""

    def __init__(
        self,
        codes: type[StrEnum],
        description: str,
        example: str | None = None,
        *,
        without: tuple[StrEnum, ...] = (),
        required: bool = False,
    ) -> None:
        """Allow the values of `codes` except those in `without`."""
        words = [code.value for code in codes if code not in without]
        super().__init__(
            **_options("a string", description, example, required=required, enum=words)
        )
        self.words = frozenset(words)
        self.expected = refusals.UNKNOWN_CODE.for_field(codes=", ".join(words))

    def _constrain(self, value: str) -> None:
        if value not in self.words:
            raise ValidationError(self.expected)


class InstantField(_String):
    """A date-time with an offset (RFC 3339), kept as it was written."""

    def __init__(
        self, description: str, example: str | None = None, *, required: bool = False
    ) -> None:
        """Describe what happened then."""
        super().__init__(
            **_options("a string", description, example, required=required, format="date-time")
        )

    def _constrain(self, value: str) -> None:
        try:
            if _DATE_TIME.fullmatch(value):
                from_wire(value)
                return
        except (ValueError, OverflowError):  # no such day, or beyond year 9999 in UTC
            pass
        raise ValidationError(refusals.NO_DATE_TIME.for_field())


class Uuid(_String):
    """A UUID in its usual form of 36 characters (RFC 9562)."""

    def __init__(self, description: str, example: str, *, required: bool = False) -> None:
        """Describe what the UUID names."""
        super().__init__(
            **_options("a string", description, example, required=required, format="uuid")
        )

    def _constrain(self, value: str) -> None:
        try:
            if str(UUID(value)) == value.lower():
                return
        except ValueError:
            pass
        raise ValidationError(refusals.NO_UUID.for_field())


class Id(fields.Integer):
    """A whole number from `minimum` to 2^63-1; 23467.0 is read as 23467.

    With None as `minimum` it may be any signed number of 64 bits.
    """

    plain = True

    def __init__(
        self,
        description: str,
        example: int,
        *,
        minimum: int | None = ID_MIN,
        required: bool = False,
    ) -> None:
        """Describe what the number names or counts."""
        limits = {"type": "number", "multipleOf": 1, "minimum": minimum, "maximum": ID_MAX}
        super().__init__(**_options("a number", description, example, required=required, **limits))
        self.minimum = -ID_MAX - 1 if minimum is None else minimum

    def _deserialize(self, value: Any, *_args: Any, **_more: Any) -> int:
        return self.take(value)

    def take(self, value: Any) -> int:
        """Return the value; raises ValidationError if it is invalid."""
        if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
            raise self.make_error("invalid")
        # The range comes first: a Decimal such as 1e999999999 must never become an int.
        if not self.minimum <= value <= ID_MAX or value != int(value):
            raise ValidationError(
                refusals.NOT_WHOLE.for_field(minimum=self.minimum, maximum=ID_MAX)
            )
        return int(value)


class Number(fields.Float):
    """A number from `minimum` to `maximum`."""

    plain = True

    def __init__(
        self,
        description: str,
        example: float,
        *,
        minimum: float,
        maximum: float,
        required: bool = False,
    ) -> None:
        """Describe what is measured."""
        limits = {"minimum": minimum, "maximum": maximum}
        super().__init__(**_options("a number", description, example, required=required, **limits))
        self.minimum = minimum
        self.maximum = maximum

    def _deserialize(self, value: Any, *_args: Any, **_more: Any) -> float:
        return self.take(value)

    def take(self, value: Any) -> float:
        """Return the value; raises ValidationError if it is invalid."""
        if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
            raise self.make_error("invalid")
        # The range comes first: a Decimal such as 1e999999999 is more than a float can be.
        if not self.minimum <= value <= self.maximum:
            raise ValidationError(
                refusals.OUT_OF_RANGE.for_field(minimum=self.minimum, maximum=self.maximum)
            )
        return float(value)


class Flag(fields.Boolean):
    """true or false; strings and numbers are not accepted."""

    plain = True

    def __init__(self, description: str, *, example: bool, required: bool = False) -> None:
        """Describe what is true or false."""
        super().__init__(**_options("true or false", description, example, required=required))

    def _deserialize(self, value: Any, *_args: Any, **_more: Any) -> bool:
        return self.take(value)

    def take(self, value: Any) -> bool:
        """Return the value; raises ValidationError if it is invalid."""
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Object(fields.Nested):
    """An object with fields of its own, which `schema` checks."""

    def __init__(self, schema: Schema, description: str, *, required: bool = False) -> None:
        """Describe what the object is."""
        super().__init__(schema, **_options("an object", description, required=required))

    @property
    def plain(self) -> bool:
        """Whether `take` makes all checks of this field."""
        return is_plain(self.schema)

    def take(self, value: Any) -> dict[str, Any]:
        """Return the object's fields; raises ValidationError if one is invalid."""
        return take(self.schema, value)


class Items(fields.List[Any]):
    """An array whose items `item` checks; `minimum` to `maximum` of them where these are given."""

    def __init__(
        self,
        item: fields.Field[Any],
        description: str,
        example: list[Any] | None = None,
        *,
        minimum: int | None = None,
        maximum: int | None = None,
        required: bool = False,
    ) -> None:
        """Describe what the array lists."""
        limits = {"minItems": minimum, "maxItems": maximum}
        super().__init__(
            item, **_options("an array", description, example, required=required, **limits)
        )
        self.minimum = minimum
        self.maximum = maximum

    @property
    def plain(self) -> bool:
        """Whether `take` makes all checks of this field."""
        return bool(getattr(self.inner, "plain", False))

    def take(self, value: Any) -> list[Any]:
        """Return the items; raises ValidationError if one is invalid."""
        if not isinstance(value, list) or self._wrong_count(len(value)):
            raise self.make_error("invalid")
        kind: Any = self.inner
        return [kind.take(item) for item in value]

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any
    ) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        errors: dict[int | str, Any] = {}
        items: list[Any] = []
        try:
            # Items beyond `maximum` are not validated: the work must not grow with what is sent.
            items = super()._deserialize(value[: self.maximum], attr, data, **more)
        except ValidationError as error:
            errors.update(error.messages_dict)
        if wrong_count := self._wrong_count(len(value)):
            errors[WHOLE] = [wrong_count]
        if errors:
            raise ValidationError(errors)
        return items

    def _wrong_count(self, count: int) -> str | None:
        if self.minimum is not None and count < self.minimum:
            return refusals.TOO_FEW_ITEMS.for_field(minimum=self.minimum)
        if self.maximum is not None and count > self.maximum:
            return refusals.TOO_MANY_ITEMS.for_field(maximum=self.maximum)
        return None
