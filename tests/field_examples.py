"""Documents made of the examples of published fields."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow.fields import Field, List, Nested


def example_of(field: Field[Any]) -> Any:
    """Return a value that the field takes."""
    if isinstance(field, Nested):
        return examples_of(field.schema.fields)
    if isinstance(field, List):
        return field.metadata.get("example") or [example_of(field.inner)]
    return field.metadata["example"]


def examples_of(fields: Mapping[str, Field[Any]], names: Iterable[str] = ()) -> dict[str, Any]:
    """Return a document with an example of each field, or of those that are named."""
    return {name: example_of(fields[name]) for name in names or fields}
