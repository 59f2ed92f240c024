"""The kinds of facts, and the shapes that are made of them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeAlias, get_args

from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.timestamp_pb2 import Timestamp
from marshmallow import Schema
from marshmallow.fields import Boolean, Field, Integer, List, Nested, String
from yaml.nodes import Node

from supplier_api.clock import from_wire
from supplier_api.rules.yaml_source import YamlSource

_WHOLE = re.compile(r"-?[0-9]+")


def _texts(source: YamlSource, node: Node, name: str) -> list[str]:
    return source.each(node, name, lambda each: source.text_of(each, name))


def _whole(cell: str) -> int:
    if not _WHOLE.fullmatch(cell):
        raise ValueError
    return int(cell)


def _flag(cell: str) -> bool:
    if cell not in ("true", "false"):
        raise ValueError
    return cell == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """All that is known of a kind of fact.

    `words` are for authors of rules. `attribute` is its type in `Service` and `ProblemFacts`,
    `wire` the class of its field in a request, if there is one. `protobuf` is the type of its field
    in a message, or the name of that type; `cel` the name of its type in CEL. `container`: it is a
    list of such values, or a dict of them by name.

    `in_example` reads its value in an example, None if no example gives it; `in_csv` reads a cell
    that is not empty and raises ValueError, None if it has no column.
    """

    words: str
    attribute: object
    protobuf: "FieldDescriptorProto.Type.ValueType | str"
    cel: str
    container: type[list[Any]] | type[dict[str, Any]] | None = None
    wire: type[Field[Any]] | None = None
    in_example: Callable[[YamlSource, Node, str], Any] | None = None
    in_csv: Callable[[str], Any] | None = None


class FactKind(Enum):
    """The type of a fact. A new one is a row here."""

    TEXT = Kind(
        words="text",
        attribute=str,
        protobuf=FieldDescriptorProto.TYPE_STRING,
        cel="string",
        wire=String,
        in_example=YamlSource.text_of,
        in_csv=str,
    )
    WHOLE = Kind(
        words="a whole number",
        attribute=int,
        protobuf=FieldDescriptorProto.TYPE_INT64,
        cel="int",
        wire=Integer,
        in_example=YamlSource.whole_of,
        in_csv=_whole,
    )
    FLAG = Kind(
        words="true or false",
        attribute=bool,
        protobuf=FieldDescriptorProto.TYPE_BOOL,
        cel="bool",
        wire=Boolean,
        in_example=YamlSource.flag_of,
        in_csv=_flag,
    )
    # A date-time of a request is a TEXT: it is kept as it was written.
    INSTANT = Kind(
        words="a date-time with an offset",
        attribute=datetime,
        protobuf=Timestamp.DESCRIPTOR.full_name,
        cel="timestamp",
        in_example=YamlSource.instant_of,
        in_csv=from_wire,
    )
    TEXTS = Kind(
        words="a list of texts",
        attribute=tuple[str, ...],
        protobuf=FieldDescriptorProto.TYPE_STRING,
        cel="string",
        container=list,
        in_example=_texts,
    )
    TEXT_BY_NAME = Kind(
        words="texts by name",
        attribute=Mapping[str, str],
        protobuf=FieldDescriptorProto.TYPE_STRING,
        cel="string",
        container=dict,
    )


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose members all have the same fields."""

    member: "Shape"


Shape: TypeAlias = Mapping[str, "Fact"]
Fact: TypeAlias = FactKind | ListOf | Shape


def shape_of_message(schema: Schema) -> Shape:
    """Return the facts of a message of the wire: its fields."""
    return {name: _fact_of_field(field) for name, field in schema.fields.items()}


def shape_of_class(kind: type) -> Mapping[str, FactKind]:
    """Return the facts of a dataclass: its attributes, in the order of the class."""
    return {each.name: _kind_of_attribute(each.type) for each in fields(kind)}


def _fact_of_field(field: Field[Any]) -> Fact:
    if isinstance(field, Nested):
        return shape_of_message(field.schema)
    if isinstance(field, List):
        member = _fact_of_field(field.inner)
        if member is FactKind.TEXT:
            return FactKind.TEXTS
        if isinstance(member, Mapping):
            return ListOf(member)
    for kind in FactKind:
        if kind.value.wire and isinstance(field, kind.value.wire):
            return kind
    raise TypeError(f"no kind of fact is made of the field {field!r}")


def _kind_of_attribute(annotation: object) -> FactKind:
    if isinstance(annotation, UnionType):
        (annotation,) = (each for each in get_args(annotation) if each is not NoneType)
    for kind in FactKind:
        if kind.value.attribute == annotation:
            return kind
    raise TypeError(f"no kind of fact is made of {annotation!r}")
