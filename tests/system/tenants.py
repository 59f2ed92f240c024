"""The load of a chaos run: tenants that raise problems at the gateway, amend and cancel them."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.system.balancer import CANCELLATIONS, PROBLEMS, Balancer
from tests.system.callers import Tenant
from tests.system.courses import AMENDED, CANCELLED, kind_of, serial
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
        self._road = road
        self._left: queue.SimpleQueue[str] = queue.SimpleQueue()
        for conversation in conversations:
            self._left.put(conversation)
        self._failures: list[BaseException] = []
        self._stopping = False
        self._allowed = 0
        # The gateway's ids, by conversation.
        self.raised: dict[str, int] = {}
        self._threads = [threading.Thread(target=self._work) for _ in range(THREADS)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Raise problems while the block runs; all of them, unless the block fails."""
        for thread in self._threads:
            thread.start()
        try:
            yield
            self._join()
        finally:
            self._stopping = True
            self._record.tell()
            self._join()
        assert self._failures == []

    def allow(self, problems: int) -> None:
        """Let the number of problems rise to this."""
        self._allowed = problems
        self._record.tell()

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        try:
            tenant = Tenant(self._installation)
            while self._may_go_on():
                self._play(tenant, self._left.get_nowait())
        except queue.Empty:
            return
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits for this one
            self._failures.append(error)

    def _may_go_on(self) -> bool:
        """Wait until another problem may be raised; return False if none will be."""

        def is_decided() -> bool:
            return self._stopping or self._left.empty() or len(self.raised) < self._allowed

        while not self._record.wait_for(is_decided, PATIENCE):
            pass
        return not self._stopping

    def _play(self, tenant: Tenant, conversation: str) -> None:
        self._record.wait_for(lambda: self._under_way() < self._at_a_time, PATIENCE)
        self._record.wait_for(self._balancer.is_up, PATIENCE)
        kind = kind_of(conversation)
        assert kind is not None
        names = {"X_Conversation_ID": conversation}
        problem = tenant.raise_problem(
            10**6 + serial(conversation), X_Scenario=kind.scenario, **names
        )
        self.raised[conversation] = problem
        if kind is AMENDED and self._answer(conversation, PROBLEMS) == 201:
            tenant.amend(problem, **names)
        if kind is CANCELLED:
            if self._answer(conversation, PROBLEMS) == 201 and self._is_held_back(conversation):
                tenant.cancel(problem, **names)
                self._answer(conversation, CANCELLATIONS)
            self._road.let_go(conversation)

    def _under_way(self) -> int:
        return len(self.raised) - self._record.over

    def _answer(self, conversation: str, path: str) -> int | None:
        """Return what the gateway was answered; None if it got no answer."""
        outcomes, about = self._balancer.outcomes, (conversation, path)
        self._record.wait_for(lambda: about in outcomes, PATIENCE)
        return outcomes.get(about)

    def _is_held_back(self, conversation: str) -> bool:
        return self._record.wait_for(lambda: conversation in self._road.held_back, PATIENCE)
