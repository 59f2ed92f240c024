"""The facts of a request are the fields of the wire, no fewer and no others."""

from collections.abc import Mapping
from typing import Any

import pytest
from marshmallow import Schema
from marshmallow.fields import Field, List, Nested

from supplier_api.contract import schemas
from supplier_api.rules.fact_kinds import FactKind, ListOf
from supplier_api.rules.facts import GROUPS
from supplier_api.rules.model import Operation

OURS = "characteristicsByName"


def shape_of(schema: Schema) -> dict[str, Any]:
    return {name: fact_of(field) for name, field in schema.fields.items()}


def fact_of(field: Field[Any]) -> Any:
    if isinstance(field, List):
        member = fact_of(field.inner)
        return FactKind.TEXTS if member is FactKind.TEXT else ListOf(member)
    if isinstance(field, Nested):
        return shape_of(field.schema)
    return {"Id": FactKind.WHOLE, "Flag": FactKind.FLAG}.get(type(field).__name__, FactKind.TEXT)


@pytest.mark.parametrize(
    ("schema", "operation"),
    [
        (schemas.SERVICE_PROBLEM_REQUEST, Operation.PROBLEM),
        (schemas.AMENDMENT_REQUEST, Operation.AMENDMENT),
        (schemas.CANCELLATION_REQUEST, Operation.CANCELLATION),
    ],
)
def test_each_field_of_a_request_is_a_fact(schema: Schema, operation: Operation) -> None:
    shape = GROUPS[operation]["request"]
    assert isinstance(shape, Mapping)
    assert shape_of(schema) == {name: fact for name, fact in shape.items() if name != OURS}
