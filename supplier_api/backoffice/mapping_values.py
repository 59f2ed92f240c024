"""The expressions of a mapping: their language, and how the value of each is read."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

from supplier_api.contract.limits import ID_MAX
from supplier_api.problems.snapshot import VERSION_MAX, version_from
from supplier_api.rules.cel import Activation, ExpressionFailed, JsonExpression, JsonLanguage

# The name of the foreign JSON in expressions.
BODY = "body"
LANGUAGE = JsonLanguage(BODY)


class MappingFailed(ValueError):
    """A document cannot be mapped. `key` is the key of the mapping that failed.

    The text names it too, and says why, without any value of the document.
    """

    def __init__(self, key: str, why: str) -> None:
        """Keep the key."""
        self.key = key
        super().__init__(f"{key}: {why}")


def read_text(key: str, expression: JsonExpression, bound: Activation) -> str:
    """Return a text without white space around it; whole numbers count, nothing is ""."""
    value = _value(key, expression, bound)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise MappingFailed(key, "gives no text")
    return str(value).strip()


def read_flag(key: str, expression: JsonExpression, bound: Activation) -> bool:
    """Return true or false."""
    value = _value(key, expression, bound)
    if not isinstance(value, bool):
        raise MappingFailed(key, "gives neither true nor false")
    return value


def read_version(key: str, expression: JsonExpression, bound: Activation) -> int:
    """Return a version: a whole number or a time."""
    value = _value(key, expression, bound)
    why = "gives no number and no time"
    if isinstance(value, bool) or not isinstance(value, str | int | float | datetime):
        raise MappingFailed(key, why)
    try:
        version = version_from(value)
    except (ValueError, OverflowError):
        raise MappingFailed(key, why) from None
    if not 0 <= version <= VERSION_MAX:
        raise MappingFailed(key, why)
    return version


Reader = Callable[[str, JsonExpression, Activation], object]
# How the value of each expression is read; fields are texts.
READERS: Mapping[str, Reader] = {
    "when": read_flag,
    "ticket": read_text,
    "reference": read_text,
    "url": read_text,
    "status": read_text,
    "snapshot_version": read_version,
}


def plain(document: object) -> object:
    """Return a document as expressions see it: without members that are null.

    `has()` is true of a member that is null; without them it means what authors expect. A whole
    number beyond 64 bits becomes text, since CEL has no type for it; NUL and lone surrogates, which
    can be neither evaluated nor stored, are left out.
    """
    if isinstance(document, str):
        return _storable(document)
    if isinstance(document, dict):
        return {
            _storable(key): plain(value) for key, value in document.items() if value is not None
        }
    if isinstance(document, list):
        return [plain(value) for value in document]
    if isinstance(document, Decimal):
        return float(document)
    if isinstance(document, int) and not -ID_MAX <= document <= ID_MAX:
        return str(document)
    return document


def _storable(text: str) -> str:
    return text.encode("utf-8", "ignore").decode().replace("\0", "")


def _value(key: str, expression: JsonExpression, bound: Activation) -> object:
    try:
        return expression.value(bound)
    except ExpressionFailed as error:
        raise MappingFailed(key, str(error)) from error
