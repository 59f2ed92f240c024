"""The result of sending a message once, in terms that fit every destination."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from supplier_api.outbox.model import Message


class Meaning(StrEnum):
    """What a receiver's answer, or its absence, means for the message."""

    TAKEN = "taken"
    REFUSED = "refused for good"
    NOT_FOUND = "unknown there"
    TROUBLE = "the destination's own trouble"
    WITHHELD = "not sent, on purpose"


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of one attempt.

    `detail` is kept with the message, for operators: short, and no body. `repeat`: the
    receiver says that it has the message already. `unknown`: it may have the message although it
    did not say so. `retry_after` is in seconds. `answer` is what the destination's hooks act on.
    `again_in` is after how many seconds it is to be sent whatever the policy says; the sandbox's.
    `counts`: it says something about the destination, and not only about this one message.
    `refusal` is kept with a dead letter, for the operator: what the receiver answered, verbatim.
    `page` is the title of the page that came instead of an answer: for operators, never logged.
    """

    meaning: Meaning
    detail: str
    status: int | None = None
    repeat: bool = False
    unknown: bool = False
    retry_after: float | None = None
    answer: object = None
    again_in: float | None = None
    counts: bool = True
    refusal: Mapping[str, Any] | None = field(default=None, repr=False)
    page: str | None = field(default=None, repr=False)

    @property
    def reason(self) -> str:
        """The text that operators see."""
        return f'{self.detail} "{self.page}"' if self.page else self.detail


class Transport(Protocol):
    """Sends messages to one destination; used by several threads at once."""

    def send(self, message: Message, seconds: float) -> Reply:
        """Send `message` once, within `seconds` in all, and return the result."""
