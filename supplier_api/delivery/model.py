"""What delivery works with: a destination, a claim in hand, an attempt that was made."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from supplier_api.db import UnitOfWork
from supplier_api.delivery.circuit_breaker import BreakerRules
from supplier_api.delivery.retry_policy import RetryPolicy
from supplier_api.delivery.transport import Reply, Transport
from supplier_api.outbox.model import Claim, Message

# Called inside the transaction that settles a message, the problem and the lane locked.
Hook = Callable[[UnitOfWork, Message, Reply], None]
# Returns of which problems the desk has to be told that their messages were taken.
Concerns = Callable[[UnitOfWork, Sequence[Message]], Collection[int]]


def _nothing(_uow: UnitOfWork, _message: Message, _reply: Reply) -> None:
    """Leave it at that."""


def _no_matter() -> None:
    """Do nothing."""


def _all(_uow: UnitOfWork, messages: Sequence[Message]) -> Collection[int]:
    """Have the desk told of every message."""
    return {message.problem_id for message in messages}


@dataclass(frozen=True, slots=True)
class Destination:
    """Where messages go, and how.

    `name` is that of its lanes. `threads` is how many messages are sent at a time, `deadline` the
    seconds that one may take; `rules` say when it counts as failing. With `pass_dead_letters` a
    dead letter does not hold back those behind it. The hooks tell the desk, in the transaction that
    settles the message: the receiver took it; it became a dead letter; it was withdrawn and even
    that was refused, so that its number stays out; the receiver does not know the problem (and the
    message may be tried again). `concerns` is asked in the same transaction, before anything is
    locked, for which of the messages that were taken `on_delivered` has something to do at all.
    `before_probe` is called by the thread that then sends the one message by which an open breaker
    tries the destination.
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
    """A claim, and when its lease ends on the monotonic scale."""

    claim: Claim
    lease_ends: float


@dataclass(frozen=True, slots=True)
class Sent:
    """An attempt to send the message of a claim: what came of it, and how long it took.

    `not_applied`: `reply` stands in for an answer that could not be settled as it was.
    """

    hold: Lease
    reply: Reply
    milliseconds: int
    not_applied: bool = False

    @property
    def message(self) -> Message:
        """The message that was sent."""
        return self.hold.claim.message
