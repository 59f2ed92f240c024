"""Error answers: which there are, their body, and the exceptions that lead to them.

The causes, with the text of each, are in `refusals`.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any

from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.limits import MESSAGE_MAX

# The key of marshmallow for messages about an object or array as a whole.
WHOLE = "_schema"


_UNPROCESSABLE = "Unprocessable entity - invalid data, or the reasons for the rejection"


class ErrorAnswer(Enum):
    """The error answers: status, code (None: without a body), and the description in OpenAPI."""

    MALFORMED = (
        400,
        ErrorCode.MALFORMED_REQUEST,
        "Bad request - malformed, or mandatory fields or headers are missing",
    )
    NOT_AUTHORISED = (
        401,
        ErrorCode.NOT_AUTHORISED,
        "Unauthorised access - no token, or not a good one",
    )
    FORBIDDEN = 403, None, "The client is not permitted to do this"
    NOT_FOUND = 404, ErrorCode.NOT_FOUND, "There is nothing at this path"
    WRONG_METHOD = 405, ErrorCode.INVALID_REQUEST, "This path does not know this method"
    CONFLICT = 409, ErrorCode.INVALID_REQUEST, "Not possible in the present state"
    TOO_LARGE = 413, ErrorCode.MALFORMED_REQUEST, "The body is too large"
    INVALID = 422, ErrorCode.INVALID_REQUEST, _UNPROCESSABLE
    # The request is about something that the supplier does not know: 404 is not published.
    UNKNOWN_SUBJECT = 422, ErrorCode.NOT_FOUND, _UNPROCESSABLE
    FAULT = (
        500,
        ErrorCode.SUPPLIER_FAULT,
        "Unexpected supplier error - the uuid is in the supplier's log",
    )
    SWITCHED_OFF = 501, ErrorCode.NOT_IMPLEMENTED, "The supplier does not offer this operation"
    UNAVAILABLE = 503, None, "The supplier is temporarily unavailable"

    def __init__(self, status: int, code: ErrorCode | None, description: str) -> None:
        """Keep what the answer consists of."""
        self.status = status
        self.code = code
        self.description = description

    def body(self, messages: Sequence[str], uuid: str) -> dict[str, Any]:
        """Return the body; the answer must have a code."""
        assert self.code is not None
        return envelope(self.code, messages, uuid)


class RequestRefused(Exception):
    """A request is refused, and nothing of it is stored.

    `messages` name paths and what was expected, never a value, and may be passed on.
    """

    def __init__(self, messages: Sequence[str], answer: ErrorAnswer) -> None:
        """Keep the messages, at least one, and the answer that they are sent with."""
        super().__init__(*messages)
        self.messages = list(messages)
        self.answer = answer


class MessageError(RequestRefused):
    """A message is refused for what is in it."""


class Malformed(MessageError):
    """The structure is wrong: not JSON, a wrong JSON type, a mandatory field missing. HTTP 400."""

    def __init__(self, messages: Sequence[str]) -> None:
        """Keep the messages, at least one."""
        super().__init__(messages, ErrorAnswer.MALFORMED)


class Invalid(MessageError):
    """The structure is right but a value breaks a constraint. HTTP 422."""

    def __init__(self, messages: Sequence[str]) -> None:
        """Keep the messages, at least one."""
        super().__init__(messages, ErrorAnswer.INVALID)


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
