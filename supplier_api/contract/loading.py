"""Makes schemas, and validates documents with them.

All errors of a document become flat messages that name the path.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, validates_schema
from marshmallow.fields import Field

from supplier_api.contract import refusals
from supplier_api.contract.errors import WHOLE, Invalid, Malformed, Structural

Fields = dict[str, Field[Any]]


class MessageSchema(Schema):
    """The base of every message. Fields that are not published are left out, not refused."""

    error_messages = {"type": refusals.WRONG_TYPE.for_field(expected="an object")}  # noqa: RUF012 - as marshmallow has it

    class Meta:
        """Settings of marshmallow."""

        unknown = EXCLUDE

    def check_whole(self, sent: Mapping[str, Any]) -> None:
        """Raise ValidationError for what no single field shows; every document passes this one."""

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _check_whole(self, _loaded: object, sent: Mapping[str, Any], **_more: object) -> None:
        self.check_whole(sent)


class StrictSchema(MessageSchema):
    """A message in which a field of another name is an error."""

    class Meta:
        """Settings of marshmallow."""

        unknown = RAISE

    def __init__(self) -> None:
        """Name the fields that there are to whoever names another."""
        super().__init__()
        known = {"unknown": f"unknown; expected one of {', '.join(self.fields)}"}
        self.error_messages = {**self.error_messages, **known}


def make(name: str, fields: Mapping[str, Field[Any]], base: type[Schema] = MessageSchema) -> Schema:
    """Return the one instance of the schema that is called `name` in OpenAPI."""
    return base.from_dict(dict(fields), name=name)()


def load(schema: Schema, data: object) -> dict[str, Any]:
    """Return the validated published fields of `data`: ids as int, everything else unchanged.

    Raises Malformed with every structural error, or, if there is none, Invalid with every broken
    constraint.
    """
    if not isinstance(data, Mapping):
        raise refusals.WRONG_TYPE.error(path="body", expected="an object")
    try:
        if is_plain(schema):
            return take(schema, data)
    except ValidationError:
        # The pass below finds all errors, this one only the first.
        pass
    try:
        document: dict[str, Any] = schema.load(data)
    except ValidationError as error:
        found = list(_flatten(error.messages, ""))
    else:
        return document
    malformed = [f"{path}: {text}" for path, text in found if isinstance(text, Structural)]
    if malformed:
        raise Malformed(malformed)
    raise Invalid([f"{path}: {text}" for path, text in found])


def take(schema: Schema, data: object) -> dict[str, Any]:
    """Return the published fields of `data` like `load`, in a third of its time.

    `schema` must be plain (see `is_plain`). Raises ValidationError at the first error.
    """
    if not isinstance(data, dict):
        raise ValidationError(refusals.WRONG_TYPE.for_field(expected="an object"))
    assert isinstance(schema, MessageSchema)
    schema.check_whole(data)
    fields: Mapping[str, Any] = schema.load_fields
    taken: dict[str, Any] = {}
    for name, field in fields.items():
        if name in data:
            taken[name] = field.take(data[name])
        elif field.required:
            raise ValidationError(refusals.MISSING.for_field())
    return taken


@cache
def is_plain(schema: Schema) -> bool:
    """Return whether a schema has only fields of contract.fields, and no hooks of its own."""
    return (
        schema.unknown == EXCLUDE
        and type(schema).resolve_hooks() == MessageSchema.resolve_hooks()
        and all(getattr(field, "plain", False) for field in schema.load_fields.values())
    )


def _flatten(messages: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield (path, message) pairs, the path as in `characteristics[0].value`."""
    if isinstance(messages, list):
        yield from ((path or "body", text) for text in messages)
        return
    for key, inner in messages.items():
        if key == WHOLE:
            yield from _flatten(inner, path)
        elif isinstance(key, int):
            yield from _flatten(inner, f"{path}[{key}]")
        else:
            yield from _flatten(inner, f"{path}.{key}" if path else key)
