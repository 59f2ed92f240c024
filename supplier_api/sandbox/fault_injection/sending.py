"""The faults of delivery itself: late, twice, in the wrong order, never, far too many.

With the transport that can also send copies of KCIs, and the note of which calls go wrong.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from supplier_api.clock import MachineClock
from supplier_api.db import Store, UnitOfWork
from supplier_api.delivery.answers import GatewayAnswer
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.delivery.transports import GatewayTransport, TokenAccount
from supplier_api.http_client.watchdog import TimedCall
from supplier_api.outbox.model import Message, MessageState
from supplier_api.outbox.repository import LaneRepository
from supplier_api.sandbox.fault_injection.model import InjectedFault

_why: ContextVar[Mapping[str, Any] | None] = ContextVar("supplier_api_on_purpose", default=None)

POLL = 0.05  # seconds between two looks at the database
BURST_THREADS = 8
# Seconds that are kept for the real message when others are sent before it.
RESERVE = 5.0
_FIELDS = (
    "id",
    "number",
    "uuid",
    "kind",
    "subject",
    "body",
    "body_version",
    "not_before",
    "attempts",
    "first_attempt",
    "unknown",
    "log",
)


@contextmanager
def on_purpose(why: Mapping[str, Any] | None) -> Iterator[None]:
    """Have testers shown `why` for the calls that this thread makes in the block."""
    token = _why.set(why)
    try:
        yield
    finally:
        _why.reset(token)


def purpose() -> Mapping[str, Any] | None:
    """Return what testers are shown of this thread's current call; None if nothing is wrong."""
    return _why.get()


@dataclass(frozen=True, slots=True)
class Copy:
    """Something that is sent besides a KCI.

    `body` is sent with what `token` makes of our token (None for no token). `why` is what testers
    are shown of it; `number` distinguishes it from others that are sent with the same KCI.
    """

    body: bytes
    why: Mapping[str, Any]
    number: int = 1
    token: Callable[[str], str | None] = str


class CopyingTransport(GatewayTransport):
    """The gateway's transport, which can also send copies."""

    def send_copy(self, message: Message, copy: Copy, seconds: float) -> Reply:
        """POST `copy` in the name of the KCI, once: a 401 is final."""

        def exchange(account: TokenAccount, call: TimedCall) -> GatewayAnswer:
            token = copy.token(account.tokens.current(call.left()))
            name = ("copy", message.uuid, len(message.log), copy.number)
            return self._post(account, message, copy.body, token, name, call)

        with on_purpose(copy.why):
            return self._within(message.tenant, seconds, exchange)


@dataclass
class FaultySending:
    """A message that a fault has struck, and what it can be sent with."""

    fault: InjectedFault
    message: Message
    transport: CopyingTransport
    store: Store
    clock: MachineClock
    seconds: float
    ahead: dict[str, Reply]
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        """Let the time for all of it run from now on."""
        self._until = self.clock.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """How many seconds are left for all of it."""
        return max(0.0, self._until - self.clock.monotonic())

    @property
    def spare(self) -> float:
        """How many of them may be used before the real message is sent."""
        return max(0.0, self.left - min(RESERVE, self.seconds / 2))

    def real(self, *, marked: bool = False) -> Reply:
        """Send the message as it is stored; `marked` where it is the one that goes wrong."""
        with on_purpose(self.fault.plain() if marked else None):
            return self.transport.send(self.message, self.left)

    def copy(self, copy: Copy) -> Reply:
        """Send something besides it."""
        return self.transport.send_copy(self.message, copy, self.left / 2)

    def repeat(self, number: int, of: Message | None = None) -> Reply:
        """Send a message once more, as it is stored; `number` tells it from others."""
        body = (of or self.message).body.encode()
        return self.copy(Copy(body, self.fault.plain(), number))

    def note(self, reply: Reply, what: str) -> Reply:
        """Return the reply with what was done on purpose, for those who read the history."""
        return replace(reply, detail=f"{reply.detail}; on purpose {what}")

    def neighbours(self) -> list[tuple[Message, MessageState]]:
        """Return all messages of the lane, in order, with what has become of each."""

        def work(uow: UnitOfWork) -> list[tuple[Message, MessageState]]:
            rows = LaneRepository(uow).messages_of(self.message.problem_id)
            return [
                (
                    replace(self.message, **{name: row[name] for name in _FIELDS}),
                    MessageState(row["state"]),
                )
                for row in sorted(rows, key=lambda row: int(row["number"]))
                if row["lane_id"] == self.message.lane_id
            ]

        return self.store.read(work)


def _delay(sending: FaultySending) -> Reply:
    seconds = sending.fault.get("seconds")
    detail = f"delayed by {seconds:g} s on purpose (fault {sending.fault.id})"
    return Reply(Meaning.NOT_SENT, detail, retry_after=seconds)


def _duplicate(sending: FaultySending) -> Reply:
    reply = sending.real()
    if reply.meaning is not Meaning.ACCEPTED:
        return reply
    copies = [sending.repeat(number) for number in range(1, sending.fault.get("copies") + 1)]
    return sending.note(reply, f"sent again, answered {_counted(copies)}")


def _answer_lost(sending: FaultySending) -> Reply:
    reply = sending.real(marked=True)
    if reply.meaning is not Meaning.ACCEPTED:
        return reply
    return Reply(Meaning.FAILED, f"{reply.detail}; the answer lost on purpose", unknown=True)


def _gap(_sending: FaultySending) -> Reply:
    return Reply(Meaning.NOT_SENT, "never sent, on purpose")


def _stale(sending: FaultySending) -> Reply:
    reply = sending.real()
    earlier = [
        message
        for message, state in sending.neighbours()
        if message.number < sending.message.number and state is MessageState.DELIVERED
    ]
    if reply.meaning is not Meaning.ACCEPTED or not earlier:
        return reply
    again = sending.repeat(1, earlier[-1])
    return sending.note(reply, f"number {earlier[-1].number} sent again, answered {again.detail}")


def _reorder(sending: FaultySending) -> Reply:
    """Let one overtake the message: the next one, as soon as it is there."""
    return _overtaken(sending, most=1)


def _drop(sending: FaultySending) -> Reply:
    """Let all overtake the message that are there until its time has passed."""
    return _overtaken(sending, most=None)


def _overtaken(sending: FaultySending, most: int | None) -> Reply:
    ends = sending.clock.monotonic() + min(sending.fault.get("seconds"), sending.spare)
    passed: list[int] = []
    while True:
        for later in _waiting_behind(sending):
            if len(passed) != most and later.uuid not in sending.ahead:
                _overtake(sending, later, passed)
        left = ends - sending.clock.monotonic()
        if len(passed) == most or left <= 0:
            break
        threading.Event().wait(min(POLL, left))
    overtaken = ", ".join(map(str, passed)) or "none"
    return sending.note(sending.real(marked=True), f"behind number {overtaken}")


def _overtake(sending: FaultySending, later: Message, passed: list[int]) -> None:
    with on_purpose(sending.fault.plain()):
        reply = sending.transport.send(later, sending.left / 2)
    if reply.meaning is Meaning.ACCEPTED:
        passed.append(later.number)
        sending.ahead[later.uuid] = sending.note(reply, "ahead of its turn")


def _waiting_behind(sending: FaultySending) -> Iterable[Message]:
    """Return the messages behind this one that may leave now."""
    now = sending.clock.now()
    return [
        message
        for message, state in sending.neighbours()
        if message.number > sending.message.number
        and state is MessageState.QUEUED
        and (message.not_before is None or message.not_before <= now)
    ]


def _burst(sending: FaultySending) -> Reply:
    reply = sending.real()
    if reply.meaning is not Meaning.ACCEPTED:
        return reply

    def again(number: int) -> Reply | None:
        return sending.repeat(number) if sending.spare else None

    with ThreadPoolExecutor(BURST_THREADS) as pool:
        replies = pool.map(again, range(1, sending.fault.get("count") + 1))
        sent = [each for each in replies if each is not None]
    return sending.note(reply, f"{len(sent)} repeats, answered {_counted(sent)}")


def _counted(replies: Iterable[Reply]) -> str:
    """Return the answers with their numbers, as in `204 x 7, 429 x 3`."""
    counts: dict[str, int] = {}
    for reply in replies:
        counts[reply.detail] = counts.get(reply.detail, 0) + 1
    return ", ".join(f"{detail} x {count}" for detail, count in counts.items())


# What each kind of fault of delivery does instead of sending the message as it is.
SENDING: Mapping[str, Callable[[FaultySending], Reply]] = {
    "delay": _delay,
    "duplicate": _duplicate,
    "answer-lost": _answer_lost,
    "gap": _gap,
    "stale-sequence": _stale,
    "reorder": _reorder,
    "drop-then-resend": _drop,
    "burst": _burst,
}
