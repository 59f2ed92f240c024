"""Errors in messages, and the body of an error answer."""

from collections.abc import Sequence
from typing import Any

from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.limits import MESSAGE_MAX

# The key of marshmallow for messages about an object or array as a whole.
WHOLE = "_schema"


class MessageError(Exception):
    """A message is refused. `messages` name paths and what was expected, never a value."""

    def __init__(self, messages: Sequence[str]) -> None:
        """Keep the messages, at least one."""
        super().__init__(*messages)
        self.messages = list(messages)


class Malformed(MessageError):
    """The structure is wrong: not JSON, a wrong JSON type, a mandatory field missing. HTTP 400."""


class Invalid(MessageError):
    """The structure is right but a value breaks a constraint. HTTP 422."""


class Structural(str):
    """A validation message about the structure of a document, not about a value.

    The class lets one validation pass distinguish the two.
    """

    __slots__ = ()

    def format(self, *_args: object, **_values: object) -> "Structural":
        """Return itself: marshmallow formats its messages, which would make a plain str of it."""
        return self


def envelope(code: ErrorCode, messages: Sequence[str], uuid: str) -> dict[str, Any]:
    """Return the body of an error answer (*supplier-create*, Response 400).

    `uuid` identifies this error. Messages are cut to the published length.
    """
    return {
        "uuid": uuid,
        "code": code.value,
        "messages": [message[:MESSAGE_MAX] for message in messages],
    }
