"""When a message is sent again, and when it is not: a pure function that returns a decision."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from supplier_api.delivery.model import Meaning, Reply, RetryPolicy
from supplier_api.outbox.model import MessageState
from supplier_api.value_object import value_object

# For this long after a request of the gateway, "not found" may only mean "not stored yet".
NOT_FOUND_GRACE = timedelta(minutes=15)


@value_object
class History:
    """The attempts on a message before the one to decide on.

    `unknown`: an earlier attempt may have arrived. `last_request` is when the gateway last sent a
    request for this problem. `others_succeed`: the destination has accepted other messages lately.
    `paused` is how long pauses kept the message from leaving since its first attempt.
    `withdrawn`: the message only says that an operator withdrew the update.
    """

    attempts: int = 0
    first_attempt: datetime | None = None
    unknown: bool = False
    last_request: datetime | None = None
    others_succeed: bool = True
    paused: timedelta = timedelta()
    withdrawn: bool = False


class Ending(Enum):
    """A message is not sent again: its new state, and the outcome that its log names."""

    # The receiver has it.
    DELIVERED = MessageState.DELIVERED, "delivered"
    # The receiver will never accept it as it is: a dead letter.
    REFUSED = MessageState.REFUSED, "refused"
    # It is too old to be tried again: a dead letter.
    EXPIRED = MessageState.EXPIRED, "expired"
    # Its withdrawal was refused too: its number is never delivered, and the lane goes on.
    LEFT_OUT = MessageState.SKIPPED, "left-out"
    # The transport will never send it, and the lane goes on.
    WITHHELD = MessageState.SKIPPED, "withheld"

    @property
    def dead(self) -> bool:
        """Whether it has become a dead letter."""
        return self in (Ending.REFUSED, Ending.EXPIRED)


@dataclass(frozen=True, slots=True)
class RetryAt:
    """The message is sent again at `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class NotCounted:
    """The attempt says nothing about the message: it stays as it was, and is due at `at`.

    `outcome` is kept in the message's log: a probe, or a message paused with all others.
    """

    at: datetime
    outcome: str


RetryDecision = Ending | RetryAt | NotCounted


def decide(
    reply: Reply, history: History, policy: RetryPolicy, now: datetime, jitter: float
) -> RetryDecision:
    """Return what becomes of a message after an attempt that ended at `now` with `reply`.

    `jitter` is the share to add to the wait, from 0 to the policy's. No message becomes too old
    because its destination accepts nothing at all: its age counts only while others arrive, and not
    while it is paused.
    """
    if reply.meaning is Meaning.ACCEPTED or (reply.repeat and history.unknown):
        return Ending.DELIVERED
    if reply.meaning is Meaning.NOT_SENT:
        wait = reply.retry_after
        return Ending.WITHHELD if wait is None else RetryAt(now + timedelta(seconds=wait))
    if _for_good(reply, history, now):
        return Ending.LEFT_OUT if history.withdrawn else Ending.REFUSED
    first_attempt = history.first_attempt or now
    age = now - first_attempt - history.paused
    if age >= policy.max_age and history.others_succeed:
        return Ending.EXPIRED
    planned = policy.wait_after(history.attempts + 1) * (1 + jitter)
    asked = min(timedelta(seconds=reply.retry_after or 0), policy.retry_after_max)
    return RetryAt(now + max(planned, asked))


def _for_good(reply: Reply, history: History, now: datetime) -> bool:
    if reply.meaning is Meaning.NOT_FOUND:
        return not _asked_lately(history, now)
    return reply.meaning is Meaning.REFUSED


def _asked_lately(history: History, now: datetime) -> bool:
    return history.last_request is not None and now < history.last_request + NOT_FOUND_GRACE
