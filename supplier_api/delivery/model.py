"""The types of delivery: a destination and its transport, a leased lane, an attempt to send."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, TypedDict

from supplier_api.clock import MachineClock
from supplier_api.db import UnitOfWork
from supplier_api.delivery.circuit_breaker import BreakerRules
from supplier_api.outbox.model import Claim, Message
from supplier_api.value_object import value_object


class Meaning(StrEnum):
    """What a receiver's answer, or its absence, means for the message."""

    ACCEPTED = "accepted"
    REFUSED = "refused for good"
    NOT_FOUND = "unknown there"
    FAILED = "the destination's own trouble"
    NOT_SENT = "not sent"


@value_object
class Reply:
    """The result of one attempt.

    `detail` is kept with the message, for operators: short, and no body. `repeat`: the
    receiver says that it has the message already. `unknown`: it may have the message although it
    did not say so. `retry_after` is in seconds: the destination asked for that wait. What the
    transport did not send is sent after just that time, or without it never. `answer` is what the
    destination's hooks act on. `counts`: it says something about the destination, and not only
    about this one message.
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


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to try a destination; the values are settings, section `delivery`.

    `waits` follow the first, second, ... failure of a message; the last one repeats. `jitter` is
    the greatest share that is added to a wait. A longer Retry-After is cut to `retry_after_max`. A
    message that fails when its first attempt is `max_age` ago becomes a dead letter.
    """

    waits: tuple[timedelta, ...]
    jitter: float
    retry_after_max: timedelta
    max_age: timedelta

    def wait_after(self, failures: int) -> timedelta:
        """Return the wait after the given number of failures, without jitter."""
        return self.waits[min(failures, len(self.waits)) - 1]


# Called inside the transaction that completes an attempt, with the problem and the lane locked.
Hook = Callable[[UnitOfWork, Message, Reply], None]
# Returns the ids of the problems for which `on_delivered` has something to do.
Concerns = Callable[[UnitOfWork, Sequence[Message]], Collection[int]]


def _nothing(_uow: UnitOfWork, _message: Message, _reply: Reply) -> None:
    """Do nothing."""


def _not_counted(_outcome: str) -> None:
    """Do nothing."""


def _no_matter() -> None:
    """Do nothing."""


def _all(_uow: UnitOfWork, messages: Sequence[Message]) -> Collection[int]:
    """Return the problems of all messages."""
    return {message.problem_id for message in messages}


@dataclass(frozen=True, slots=True)
class Destination:
    """A receiver of messages, and how they are sent to it.

    `name` is the destination in its lanes. `threads` is how many messages are sent at a time,
    `deadline` the seconds that one send may take; `rules` say when the destination counts as
    failing. With `pass_dead_letters` a dead letter does not hold back the messages behind it.

    The hooks run in the transaction that completes the attempt. `on_delivered`: the receiver
    accepted the message. `on_left_out`: it was withdrawn
    and the withdrawal was refused too, so its number is never delivered. `on_not_found`: the
    receiver does not know the problem (the message may be tried again). `concerns` is called in the
    same transaction before anything is locked; it returns for which problems `on_delivered` has
    something to do. `before_probe` is called by the thread that is about to send the probe of an
    open breaker, `on_completed` with the outcome of each attempt once that is stored.
    """

    name: str
    transport: Transport
    policy: RetryPolicy
    threads: int = 16
    deadline: float = 30.0
    rules: BreakerRules = field(default_factory=BreakerRules)
    pass_dead_letters: bool = False
    on_delivered: Hook = _nothing
    on_left_out: Hook = _nothing
    on_not_found: Hook = _nothing
    concerns: Concerns = _all
    before_probe: Callable[[], None] = _no_matter
    on_completed: Callable[[str], None] = _not_counted


@dataclass(slots=True)
class Lease:
    """A claim, and when its lease ends on the monotonic clock (seconds)."""

    claim: Claim
    lease_ends: float


@value_object
class Sent:
    """An attempt to send the message of a claim: the reply, and how long it took.

    `not_applied`: `reply` replaces an answer that could not be applied.
    """

    lease: Lease
    reply: Reply
    milliseconds: int
    not_applied: bool = False

    @property
    def message(self) -> Message:
        """The message that was sent."""
        return self.lease.claim.message


class MessageIds(TypedDict):
    """The fields by which log lines name a message."""

    tenant: str
    conversation_id: str
    gateway_id: int
    reference: str
    message_id: str


def ids_of(message: Message) -> MessageIds:
    """Return the fields that every log line about a message carries."""
    return {
        "tenant": message.tenant,
        "conversation_id": message.conversation_id,
        "gateway_id": message.gateway_id,
        "reference": message.reference,
        "message_id": message.uuid,
    }


def lease_from_now(clock: MachineClock, seconds: float) -> tuple[float, datetime]:
    """Return when a lease that begins now ends: on the monotonic clock, and as an instant.

    Call it before the transaction that stores it, so that our own count ends first.
    """
    return clock.monotonic() + seconds, clock.now() + timedelta(seconds=seconds)
