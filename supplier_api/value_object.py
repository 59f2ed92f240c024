"""The decorator of the value objects that are created for every request or message."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_object(cls: type[T]) -> type[T]:
    """Make a dataclass with slots that only the type checker freezes.

    `@dataclass(frozen=True)` also freezes it at run time: each field is then set by a call, and an
    object costs two to three times as much. Everything that is created once stays frozen so.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
