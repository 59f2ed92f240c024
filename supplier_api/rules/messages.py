"""The facts of one operation as protobuf messages, built from their shape at run time.

proto2, because it distinguishes an absent field from an empty one.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import message_factory, timestamp_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from supplier_api.rules.facts import Fact, FactKind, ListOf, Shape

PACKAGE = "facts"

_TIMESTAMP = timestamp_pb2.DESCRIPTOR
_SCALARS = {
    FactKind.TEXT: FieldDescriptorProto.TYPE_STRING,
    FactKind.TEXTS: FieldDescriptorProto.TYPE_STRING,
    FactKind.WHOLE: FieldDescriptorProto.TYPE_INT64,
    FactKind.FLAG: FieldDescriptorProto.TYPE_BOOL,
}


class Messages:
    """A message type for each group that has fields; texts and lists of texts stay as they are.

    `types` gives the full name of each group's message, `shapes` the fields behind each full name.
    """

    def __init__(self, groups: Shape) -> None:
        """Describe the groups."""
        file = FileDescriptorProto(name="facts.proto", package=PACKAGE, syntax="proto2")
        file.dependency.append(_TIMESTAMP.name)
        self.shapes: dict[str, Shape] = {}
        self.types: dict[str, str] = {}
        for group, fact in groups.items():
            if isinstance(fact, Mapping):
                self.types[group] = self._describe(file, _camel(group), fact)
        self.pool = DescriptorPool()
        self.pool.AddSerializedFile(_TIMESTAMP.serialized_pb)
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
        repeated = isinstance(fact, ListOf) or fact in (FactKind.TEXTS, FactKind.TEXT_BY_NAME)
        field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
        if isinstance(fact, FactKind) and fact in _SCALARS:
            field.type = _SCALARS[fact]
            return
        field.type = field.TYPE_MESSAGE
        inner = message.name + _camel(name)
        if fact is FactKind.INSTANT:
            field.type_name = f".{_TIMESTAMP.package}.Timestamp"
        elif fact is FactKind.TEXT_BY_NAME:
            field.type_name = f".{PACKAGE}.{message.name}.{_add_map_entry(message, name)}"
        elif isinstance(fact, ListOf):
            field.type_name = f".{self._describe(file, inner, fact.member)}"
        elif isinstance(fact, Mapping):
            field.type_name = f".{self._describe(file, inner, fact)}"


def _add_map_entry(message: DescriptorProto, name: str) -> str:
    """Add the nested message by which protobuf describes a map from text to text."""
    entry = message.nested_type.add(name=f"{_camel(name)}Entry")
    entry.options.map_entry = True
    for number, part in enumerate(("key", "value"), start=1):
        field = entry.field.add(name=part, number=number)
        field.label, field.type = field.LABEL_OPTIONAL, field.TYPE_STRING
    return entry.name


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
