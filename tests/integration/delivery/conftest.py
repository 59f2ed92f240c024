"""What the tests of delivery share: a store, an outbox, and a fake transport."""

import re
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from supplier_api.clock import ManualMachineClock, SystemMachineClock
from supplier_api.db import Store
from supplier_api.db.notify import WakeEvent
from supplier_api.delivery.dispatcher import Dispatcher
from supplier_api.delivery.model import Destination, Meaning, Reply, RetryPolicy
from supplier_api.ids import SeededIdSource
from supplier_api.outbox.model import Message
from tests.outbox import DESTINATION

# Waits without jitter, so that a manual clock can be put exactly to them.
POLICY = RetryPolicy(
    waits=tuple(timedelta(seconds=wait) for wait in (5, 30, 120, 600, 1800, 3600, 7200)),
    jitter=0.0,
    retry_after_max=timedelta(hours=1),
    max_age=timedelta(hours=72),
)
ALREADY = re.compile("(?i)already received")
PATIENCE = 20.0  # seconds of real time, for what happens at once unless something is wrong

TAKEN = Reply(Meaning.ACCEPTED, "204", 204)
REFUSED = Reply(Meaning.REFUSED, "422 INVALID_REQUEST", 422)
BUSY = Reply(Meaning.FAILED, "503", 503, unknown=True)
LOST = Reply(Meaning.FAILED, "connection closed without an answer", unknown=True)
CONFLICT = Reply(Meaning.FAILED, "409", 409, repeat=True)
NOT_FOUND = Reply(Meaning.NOT_FOUND, "404 NOT_FOUND", 404)


@dataclass
class FakeTransport:
    """Accepts every message unless given another reply; can be made to block one."""

    replies: dict[int, deque[Reply]] = field(default_factory=lambda: defaultdict(deque))
    sent: list[tuple[int, int]] = field(default_factory=list)
    held: set[int] = field(default_factory=set)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    let_go: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reply_with(self, problem_id: int, *replies: Reply) -> None:
        """Have the next attempts for a problem end like this."""
        self.replies[problem_id].extend(replies)

    def hold_up(self, problem_id: int) -> None:
        """Let an attempt for a problem hang until `let_go` is set."""
        self.held.add(problem_id)

    def send(self, message: Message, seconds: float) -> Reply:  # noqa: ARG002 - the port's
        with self.lock:
            self.sent.append((message.problem_id, message.number))
            replies = self.replies[message.problem_id]
            reply = replies.popleft() if replies else TAKEN
        self.entered.release()
        if message.problem_id in self.held:
            assert self.let_go.wait(PATIENCE)
        return reply

    def numbers(self, problem_id: int) -> list[int]:
        """Return the numbers sent for a problem, in order."""
        return [number for problem, number in self.sent if problem == problem_id]


class NoTimers:
    """Nothing is ever due."""

    def run_due(self, limit: int, go_on: Callable[[], bool]) -> int:  # noqa: ARG002 - the port's
        return 0

    def next_due(self) -> datetime | None:
        return None


class Clock(SystemMachineClock):
    """A clock that the test can advance."""

    passed = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.passed


@pytest.fixture
def transport() -> Iterator[FakeTransport]:
    transport = FakeTransport()
    yield transport
    transport.let_go.set()


class Round:
    """A dispatcher whose turns the test takes, and whose threads are real."""

    def __init__(self, store: Store, clock: ManualMachineClock, to: Destination) -> None:
        self.wake_event = WakeEvent()
        self.dispatcher = Dispatcher(
            to, store, clock, SeededIdSource(1), self.wake_event, owner="worker", lease=45
        )

    def turn(self) -> float:
        """Take a turn and wait until everything that it claimed is completed."""
        seconds = self.dispatcher.turn()
        assert self.dispatcher.finish(PATIENCE)
        return seconds


RoundMaker = Callable[..., Round]


@pytest.fixture
def make_round(
    store: Store, clock: ManualMachineClock, transport: FakeTransport
) -> Iterator[RoundMaker]:
    """Return a maker of rounds to the fake transport; the destination's options may be given."""
    made: list[Round] = []

    def make(**options: object) -> Round:
        given = {"transport": transport, "policy": POLICY, "threads": 4, **options}
        made.append(Round(store, clock, Destination(DESTINATION, **given)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    transport.let_go.set()
    for each in made:
        each.dispatcher.give_back(PATIENCE)
        each.dispatcher.finish(PATIENCE)


@pytest.fixture
def round_(make_round: RoundMaker) -> Round:
    return make_round()
