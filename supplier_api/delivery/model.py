"""The types of delivery: a destination, a leased lane, an attempt that was made."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from supplier_api.db import UnitOfWork
from supplier_api.delivery.circuit_breaker import BreakerRules
from supplier_api.delivery.retry_policy import RetryPolicy
from supplier_api.delivery.transport import Reply, Transport
from supplier_api.outbox.model import Claim, Message

# Called inside the transaction that completes an attempt, with the problem and the lane locked.
Hook = Callable[[UnitOfWork, Message, Reply], None]
# Returns the ids of the problems for which `on_delivered` has something to do.
Concerns = Callable[[UnitOfWork, Sequence[Message]], Collection[int]]


def _nothing(_uow: UnitOfWork, _message: Message, _reply: Reply) -> None:
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
    accepted the message. `on_dead_letter`: it became a dead letter. `on_left_out`: it was withdrawn
    and the withdrawal was refused too, so its number is never delivered. `on_not_found`: the
    receiver does not know the problem (the message may be tried again). `concerns` is called in the
    same transaction before anything is locked; it returns for which problems `on_delivered` has
    something to do. `before_probe` is called by the thread that is about to send the probe of an
    open breaker.
    """

    name: str
    transport: Transport
    policy: RetryPolicy
    threads: int = 16
    deadline: float = 30.0
    rules: BreakerRules = field(default_factory=BreakerRules)
    pass_dead_letters: bool = False
    on_delivered: Hook = _nothing
    on_dead_letter: Hook = _nothing
    on_left_out: Hook = _nothing
    on_not_found: Hook = _nothing
    concerns: Concerns = _all
    before_probe: Callable[[], None] = _no_matter


@dataclass(slots=True)
class Lease:
    """A claim, and when its lease ends on the monotonic clock (seconds)."""

    claim: Claim
    lease_ends: float


@dataclass(frozen=True, slots=True)
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
