"""What is wrong with a message, and how an error is answered."""

from collections.abc import Sequence
from typing import Any

from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.limits import MESSAGE_MAX

# Where marshmallow keeps what is said of an object or array as a whole.
WHOLE = "_schema"


class MessageError(Exception):
    """A message that is not taken. `messages` name paths and what was expected, never a value."""

    def __init__(self, messages: Sequence[str]) -> None:
        """Refuse for at least one reason."""
        super().__init__(*messages)
        self.messages = list(messages)


class Malformed(MessageError):
    """It cannot be read: not JSON, a wrong JSON type, something mandatory missing. HTTP 400."""


class Invalid(MessageError):
    """It can be read but breaks a constraint on a value. HTTP 422."""


class Structural(str):
    """A validation message about the structure of a document, not about a value.

    Telling the two apart by class lets one validation pass find both.
    """

    __slots__ = ()

    def format(self, *_args: object, **_values: object) -> "Structural":
        """Return itself: marshmallow formats its messages, and a plain str would come back."""
        return self


def envelope(code: ErrorCode, messages: Sequence[str], uuid: str) -> dict[str, Any]:
    """Return the body of an error answer (*supplier-create*, Response 400).

    `uuid` traces this error. Messages are cut to the wire's length.
    """
    return {
        "uuid": uuid,
        "code": code.value,
        "messages": [message[:MESSAGE_MAX] for message in messages],
    }
