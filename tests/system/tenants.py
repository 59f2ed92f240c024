"""The load of a chaos run: tenants that raise problems at the gateway, amend and cancel them."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.system.balancer import CANCELLATIONS, PROBLEMS, Balancer
from tests.system.callers import Tenant
from tests.system.courses import AMENDED, CANCELLED, Kind, conversation, kind_of, serial
from tests.system.hostile_road import HostileRoad
from tests.system.installation import Installation
from tests.system.record import Record

THREADS = 6
PATIENCE = 15.0  # seconds to wait for what may never come


class Tenants:
    """Raise the problems of a plan, each as soon as one of those before it is over."""

    def __init__(
        self,
        installation: Installation,
        conversations: Sequence[str],
        at_a_time: int,
        record: Record,
        balancer: Balancer,
        road: HostileRoad,
    ) -> None:
        """Prepare to raise a problem in each of the conversations, so many at a time."""
        self._at_a_time = at_a_time
        self._installation = installation
        self._record = record
        self._balancer = balancer
        self._connectivity = road
        self._lock = threading.Lock()
        self._left = deque(conversations)
        self._last = len(conversations)
        # How many problems may be begun, and how many are.
        self._allowed = self._begun = 0
        self._ended = False
        self._failures: list[BaseException] = []
        # The gateway's ids, by conversation.
        self.raised: dict[str, int] = {}
        # Conversations of which nothing more is to be asked.
        self.played: set[str] = set()
        self._threads = [threading.Thread(target=self._work) for _ in range(THREADS)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Raise the problems that are allowed while the block runs."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._ended = True
            self._record.tell()
            for thread in self._threads:
                thread.join()
        assert self._failures == []

    def allow(self, problems: int) -> None:
        """Let so many problems more be raised."""
        with self._lock:
            self._allowed += problems
        self._record.tell()

    def raise_another(self, kind: Kind) -> str:
        """Have a problem raised beyond the plan, before all others; return its conversation."""
        with self._lock:
            self._last += 1
            added = conversation(kind, self._last)
            self._left.appendleft(added)
        self.allow(1)
        return added

    def wait_for_all(self) -> None:
        """Return when all problems of the plan have been raised."""
        while self._left or len(self.played) < self._begun:
            assert self._failures == []
            self._record.wait_for(lambda: not self._left and len(self.played) == self._begun, 1.0)

    def _work(self) -> None:
        try:
            tenant = Tenant(self._installation)
            while (name := self._next()) is not None:
                self._play(tenant, name)
                self.played.add(name)
                self._record.tell()
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits for this one
            self._failures.append(error)

    def _next(self) -> str | None:
        """Wait for the next problem that may be raised; return None if none is to be any more."""
        while not self._ended:
            self._record.wait_for(lambda: self._ended or self._may_begin(), PATIENCE)
            with self._lock:
                if self._may_begin():
                    self._begun += 1
                    return self._left.popleft()
        return None

    def _may_begin(self) -> bool:
        return bool(self._left) and self._begun < self._allowed and not self._ended

    def _play(self, tenant: Tenant, name: str) -> None:
        self._record.wait_for(lambda: self._under_way() < self._at_a_time, PATIENCE)
        self._record.wait_for(self._balancer.is_up, PATIENCE)
        kind = kind_of(name)
        assert kind is not None
        names = {"X_Conversation_ID": name}
        problem = tenant.raise_problem(10**6 + serial(name), X_Scenario=kind.scenario, **names)
        self.raised[name] = problem
        if kind is AMENDED and self._answer(name, PROBLEMS) == 201:
            tenant.amend(problem, **names)
        if kind is CANCELLED:
            if self._answer(name, PROBLEMS) == 201 and self._is_held_back(name):
                tenant.cancel(problem, **names)
                self._answer(name, CANCELLATIONS)
            self._connectivity.let_go(name)

    def _under_way(self) -> int:
        return len(self.raised) - len(self._record.over)

    def _answer(self, name: str, path: str) -> int | None:
        """Return what the gateway was answered; None if it got no answer."""
        outcomes, about = self._balancer.outcomes, (name, path)
        self._record.wait_for(lambda: about in outcomes, PATIENCE)
        return outcomes.get(about)

    def _is_held_back(self, name: str) -> bool:
        return self._record.wait_for(lambda: name in self._connectivity.held_back, PATIENCE)
