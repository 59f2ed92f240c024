"""The facts of one operation as protobuf messages, built from their shape at run time.

proto2, because it distinguishes an absent field from an empty one.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import DESCRIPTOR as TIMESTAMP

from supplier_api.rules.fact_kinds import Fact, FactKind, Kind, ListOf, Shape

PACKAGE = "facts"


class FactMessages:
    """A message type for each group that has fields; texts and lists of texts stay as they are.

    `types` gives the full name of each group's message, `shapes` the fields behind each full name.
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
        self._classes: dict[str, type[Message]] = {
            group: message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))
            for group, name in self.types.items()
        }

    def carry(self, group: str, value: Any) -> object:
        """Convert the values of one group to the form that expressions are evaluated on."""
        kind = self._classes.get(group)
        return value if kind is None else kind(**value)

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
