"""The kinds of facts, the shapes that are made of them, and their types in protobuf.

CEL finds a wrong name or type only in protobuf messages. Their types are built from the shapes at
run time: proto2, because it distinguishes an absent field from an empty one.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeAlias, get_args

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import DESCRIPTOR as TIMESTAMP
from google.protobuf.timestamp_pb2 import Timestamp
from marshmallow import Schema
from marshmallow.fields import Boolean, Field, Integer, List, Nested, String
from yaml.nodes import Node

from supplier_api.clock import from_wire
from supplier_api.rules.yaml_source import YamlSource

PACKAGE = "facts"  # of the messages
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


class FactMessages:
    """A message type for each group that has fields; texts and lists of texts stay as they are.

    `types` gives the full name of each group's message, `shapes` the fields behind each full name,
    `classes` makes the message of a group from its values.
    """

    def __init__(self, groups: Shape) -> None:
        """Describe the groups."""
        file = FileDescriptorProto(name="facts.proto", package=PACKAGE, syntax="proto2")
        file.dependency.append(TIMESTAMP.name)
        self.shapes: dict[str, Shape] = {}
        self.types: dict[str, str] = {}
        for group, fact in groups.items():
            if isinstance(fact, Mapping):
                self.types[group] = self._describe(file, _camel(group), fact)
        self.pool = DescriptorPool()
        self.pool.AddSerializedFile(TIMESTAMP.serialized_pb)
        self.pool.AddSerializedFile(file.SerializeToString())
        self.classes: dict[str, type[Message]] = {
            group: message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))
            for group, name in self.types.items()
        }

    def _describe(self, file: FileDescriptorProto, name: str, shape: Shape) -> str:
        message = file.message_type.add(name=name)
        for number, (field, fact) in enumerate(shape.items(), start=1):
            self._add(file, message, number, field, fact)
        full = f"{PACKAGE}.{name}"
        self.shapes[full] = shape
        return full

    def _add(
        self,
        file: FileDescriptorProto,
        message: DescriptorProto,
        number: int,
        name: str,
        fact: Fact,
    ) -> None:
        field = message.field.add(name=name, number=number)
        if isinstance(fact, FactKind):
            kind = fact.value
            field.label = field.LABEL_REPEATED if kind.container else field.LABEL_OPTIONAL
            if kind.container is dict:
                entry = _add_map_entry(message, name, kind)
                _set_type(field, f"{PACKAGE}.{message.name}.{entry}")
            else:
                _set_type(field, kind.protobuf)
            return
        listed = isinstance(fact, ListOf)
        field.label = field.LABEL_REPEATED if listed else field.LABEL_OPTIONAL
        shape = fact.member if isinstance(fact, ListOf) else fact
        _set_type(field, self._describe(file, message.name + _camel(name), shape))


def _set_type(
    field: FieldDescriptorProto, kind: "FieldDescriptorProto.Type.ValueType | str"
) -> None:
    """Give a field its type, or that of a message by its name."""
    if isinstance(kind, str):
        field.type, field.type_name = field.TYPE_MESSAGE, f".{kind}"
    else:
        field.type = kind


def _add_map_entry(message: DescriptorProto, name: str, kind: Kind) -> str:
    """Add the nested message by which protobuf describes a map from text to values of a kind."""
    entry = message.nested_type.add(name=f"{_camel(name)}Entry")
    entry.options.map_entry = True
    for number, (part, of) in enumerate(
        (("key", FieldDescriptorProto.TYPE_STRING), ("value", kind.protobuf)), start=1
    ):
        field = entry.field.add(name=part, number=number)
        field.label = field.LABEL_OPTIONAL
        _set_type(field, of)
    return entry.name


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
