"""A run in which everything goes wrong: processes are killed, the database restarts, and more."""

import os
import queue
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from supplier_api.db import StoreUnavailable
from tests.postgresql import Server
from tests.system import balancer, hostile_road
from tests.system.balancer import Balancer
from tests.system.courses import CANCELLED, FORGOTTEN, INSTANT, PLAIN, UNKNOWN, kind_of, plan
from tests.system.hostile_road import HostileRoad
from tests.system.installation import Installation, is_ready
from tests.system.promises import Answered, Stored
from tests.system.record import Record
from tests.system.records import StoredProblem, forget_lane, stored_problems
from tests.system.tenants import Tenants
from tests.system.traps import Traps
from tests.waiting import PATIENCE, eventually

DEADLINE, LEASE = 2, 8  # a lease has to outlast an attempt by 5 s
# The settings of a run, beside those that name who talks to whom.
SETTINGS: dict[str, object] = {
    "BACKOFFICE__PACE": 0.05,
    # The breaker opens when it would in operation, and it may: where the token endpoint refuses a
    # worker that has sent little else, all that it knows of has failed. What was held up by that,
    # or because the gateway asked for time, is to be tried, and to leave, within seconds.
    "DELIVERY__BREAKER__PROBE_AFTER": 0.5,
    "DELIVERY__BREAKER__PROBE_AFTER_MAX": 2,
    "DELIVERY__SPREAD": 1,
    "DELIVERY__LEASE": LEASE,
    "DELIVERY__RETRY_WAITS": "[0.3]",
    "DELIVERY__SWEEP": 2,
    "DELIVERY__THREADS": 8,
    "GATEWAY__DEADLINE": DEADLINE,
    "SERVER__ANSWER_BUDGET": 3,
}
DATABASE = "chaos"  # where it is a server's
RESTARTED = "database restarted"
FROZEN = "database frozen"
READ_ONLY = "database read-only"
SWEPT = "forgotten lane found"
FENCED = "late settle of a stopped worker fenced"
ANYTIME = "killed at random"
CANCELLED_LATE = f"{balancer.CANCELLATIONS} 202"
# What is planted on the way, by those who pass calls on; the rest is done to the parts.
ON_THE_WAY = {
    *hostile_road.FAULTS,
    hostile_road.NO_TOKEN,
    hostile_road.ALREADY,
    hostile_road.EARLY,
    hostile_road.HELD_BACK,
    hostile_road.NOT_FOUND,
    CANCELLED_LATE,
    SWEPT,
}
# The kind of problem that it takes; all others meet the rest.
TAKES = {
    hostile_road.EARLY: INSTANT,
    hostile_road.HELD_BACK: CANCELLED,
    hostile_road.NOT_FOUND: UNKNOWN,
    CANCELLED_LATE: CANCELLED,
    SWEPT: FORGOTTEN,
}
FURTHER = 30  # problems that may be raised beyond the plan, for what has not happened in it
ONE_MORE = 15.0  # seconds of waiting for a moment to strike, before a problem is raised for it
PASSES = 4  # calls at most that a part is let do before it is struck


@dataclass(frozen=True)
class Size:
    """How much is done; kills come in rounds of four."""

    problems: int
    rounds: int
    webs: int
    workers: int

    @property
    def at_a_time(self) -> int:
        """Return how many problems may be under way."""
        return min(100, self.problems // 5)


class Chaos:
    """One run over one installation."""

    def __init__(self, size: Size, seed: str) -> None:
        """Prepare the roads between the parts."""
        self.size = size
        self.record = Record()
        self.balancer = Balancer(self.record, seed)
        self.road = HostileRoad(self.record, seed, self.balancer.is_answered)
        self._id_source = random.Random(seed)
        self.webs = ["serve", *(f"serve-{n}" for n in range(2, size.webs + 1))]
        self.workers = [f"worker-{n}" for n in range(1, size.workers + 1)]
        # Conversations whose lane is to be forgotten; None ends it.
        self._to_forget: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        # How many seconds after the database all was well again, by what it had.
        self.healed: dict[str, float] = {}
        # What became of forgotten lanes, by the thread that forgets them.
        self._failures: list[BaseException] = []

    @property
    def settings(self) -> dict[str, object]:
        """Return the settings of the installation."""
        return {**SETTINGS, "SANDBOX__SUPPLIER_URL": self.balancer.proxy.url}

    def close(self) -> None:
        """Serve no more."""
        self.balancer.proxy.close()
        self.road.close()

    def run(self, installation: Installation, server: Server | None) -> None:
        """Do all of it; returns when the last KCI is delivered, or must be taken for lost.

        Without a `server` there is one worker, and nobody who could take its lanes over.
        """
        self._installation = installation
        self.began = time.monotonic()
        conversations = plan(self.size.problems, self._id_source)
        self.tenants = Tenants(
            installation, conversations, self.size.at_a_time, self.record, self.balancer, self.road
        )
        for worker in self.workers:
            installation.give(worker, **self.road.settings(worker))
        self.road.open(installation)
        self.balancer.open(installation, self.webs)
        installation.start(*self.webs, *self.workers, "sandbox")
        for conversation in conversations:
            self._let_forget(conversation)
        forgetting = threading.Thread(target=self._forget, daemon=True)
        forgetting.start()
        with self.tenants.running():
            self._break_things(server)
            self.tenants.wait_for_all()
            self._plant_the_rest()
        self._to_forget.put(None)
        forgetting.join()
        assert self._failures == []
        self._wait_for_the_end()

    # -- what is broken, one thing after the other

    def _break_things(self, server: Server | None) -> None:
        things: list[Callable[[], None]] = [
            self._kill_web_at_answer,
            self._kill_worker_at_answer,
            self._kill_any,
            self._kill_any,
        ] * self.size.rounds
        self._id_source.shuffle(things)
        if server:
            things.insert(len(things) // 3, self._stop_worker)
            things.insert(len(things) // 2, lambda: self._heals(FROZEN, server.frozen()))
            things.insert(2 * len(things) // 3, lambda: self._restart(server))
            things.append(lambda: self._heals(READ_ONLY, server.read_only(DATABASE)))
        # Each has fresh problems to break, and the last are raised when nothing breaks any more.
        self._fresh = self.size.problems // (len(things) + 1)
        for thing in things:
            thing()
        self.tenants.allow(self.size.problems - self._fresh * len(things))

    def _kill_web_at_answer(self) -> None:
        self._replace(self._caught(self.balancer.traps, balancer.KILL))

    def _kill_worker_at_answer(self) -> None:
        self._replace(self._caught(self.road.traps, hostile_road.KILL))

    def _kill_any(self) -> None:
        self._wait_for_some()
        self._replace(self._id_source.choice([*self.webs, *self.workers]))
        self.record.note(ANYTIME)

    def _stop_worker(self) -> None:
        """Stop a worker until another has taken over what it was sending, then let it go on."""
        worker = self._caught(self.road.traps, hostile_road.STOP)
        before = self._unsettled(worker)
        assert self.record.wait_for(self._is_taken_over, PATIENCE), "no takeover"
        os.kill(self._installation.part(worker).process.pid, signal.SIGCONT)
        eventually(
            lambda: self._unsettled(worker) > before, "the stopped worker to find its claims lost"
        )
        self.record.note(FENCED)

    def _is_taken_over(self) -> bool:
        kci = self.road.stopped_at
        return kci in self.road.struck and self.record.came(kci) > self.road.struck[kci]

    def _unsettled(self, worker: str) -> int:
        """Count what the worker sent and could not settle, since it was too late for that."""
        log = self._installation.logs(worker)
        return log.count("claim.lost") + log.count("message.not-settled")

    def _restart(self, server: Server) -> None:
        self._wait_for_some()
        server.restart()
        self._assert_well_again(RESTARTED)
        self.record.note(RESTARTED)

    def _heals(self, what: str, broken: AbstractContextManager[None]) -> None:
        """Break the database until every web server says so; all must be well soon afterwards."""
        self._wait_for_some()
        processes = self._processes()
        with broken:
            eventually(lambda: not any(map(self._is_ready, self.webs)), f"{what} to be noticed")
        self._assert_well_again(what)
        assert self._processes() == processes, "nothing had to be started again"
        self.record.note(what)

    def _assert_well_again(self, what: str) -> None:
        """Find every web server ready, and the workers at work, and note how long that took."""
        back, came = time.monotonic(), len(self.record.arrivals)
        self.tenants.raise_another(PLAIN)
        eventually(lambda: all(map(self._is_ready, self.webs)), f"all to be ready after: {what}")
        eventually(lambda: len(self.record.arrivals) > came, f"KCIs after: {what}")
        self.healed[what] = time.monotonic() - back

    def _is_ready(self, web: str) -> bool:
        return is_ready(self._installation.url(web))

    def _processes(self) -> list[int]:
        """Return what runs now; fails if something has ended."""
        parts = [self._installation.part(name) for name in (*self.webs, *self.workers)]
        assert [part.process.poll() for part in parts] == [None] * len(parts)
        return [part.process.pid for part in parts]

    def _replace(self, name: str) -> None:
        """Kill the part, if it is not dead yet, and wait until another is in its place."""
        if name in self.webs:
            self.balancer.down.add(name)
        self._installation.kill(name)
        self._installation.start(name)
        self.balancer.down.discard(name)
        self.record.note(f"{name.partition('-')[0]} replaced")

    def _caught(self, traps: Traps, trap: str) -> str:
        """Set the trap, raise fresh problems, and return the part that is caught by one of them.

        If for a while none is, on a slow machine, more are raised.
        """
        sprung = self.record.counts[trap]
        traps.arm(trap, passes=self._id_source.randrange(min(PASSES, self._fresh)))
        self.tenants.allow(self._fresh)
        for _ in range(FURTHER):
            if self.record.wait_for(lambda: self.record.counts[trap] > sprung, ONE_MORE):
                return traps.caught
            self.tenants.raise_another(PLAIN)
        raise AssertionError(f"nothing could be {trap}")

    def _wait_for_some(self) -> None:
        """Raise fresh problems and wait for some KCIs; fail when none arrive any more."""
        self.tenants.allow(self._fresh)
        count = self.record.taken() + self._id_source.randint(1, min(10, self._fresh))
        while (taken := self.record.taken()) < count:
            assert self.record.wait_for(
                lambda taken=taken: self.record.taken() > taken,  # type: ignore[misc]
                PATIENCE,
            ), f"no KCI arrives any more; {taken} have"

    def _plant_the_rest(self) -> None:
        """Raise further problems, one after the other, until nothing has still to happen."""
        for _ in range(FURTHER):
            missing = sorted(filter(self.record.lacks, ON_THE_WAY))
            if not missing:
                return
            conversation = self.tenants.raise_another(TAKES.get(missing[0], PLAIN))
            self._let_forget(conversation)
            self.record.wait_for(lambda: not self.record.lacks(missing[0]), ONE_MORE)  # noqa: B023
        raise AssertionError(f"could not be planted: {missing}")

    # -- lanes that are forgotten

    def _let_forget(self, conversation: str) -> None:
        if kind_of(conversation) is FORGOTTEN:
            self._to_forget.put(conversation)

    def _forget(self) -> None:
        try:
            while (conversation := self._to_forget.get()) is not None:
                self._forget_one(conversation)
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits for this one
            self._failures.append(error)

    def _forget_one(self, conversation: str) -> None:
        outcomes, held_back = self.balancer.outcomes, self.road.held_back
        creation = (conversation, "/service-problems")
        self.record.wait_for(
            lambda: conversation in held_back or outcomes.get(creation, 0) is None, 10 * PATIENCE
        )
        if conversation in held_back:
            found: list[int] = []

            def is_forgotten() -> bool:
                try:
                    lane = forget_lane(self._installation, self.tenants.raised[conversation])
                except StoreUnavailable:
                    return False
                found.extend([] if lane is None else [lane])
                return bool(found)

            eventually(is_forgotten, f"the lane of {conversation} to be in back-off")
        self.road.let_go(conversation)
        if conversation in held_back:
            eventually(lambda: self._is_reported(found[0]), "the forgotten lane to be found")
            self.record.note(SWEPT)

    def _is_reported(self, lane: int) -> bool:
        logs = "".join(self._installation.logs(worker) for worker in self.workers)
        return any(
            "lane.forgotten" in line and f'"lane":{lane}' in line.replace(" ", "")
            for line in logs.splitlines()
        )

    # -- the end

    def _wait_for_the_end(self) -> None:
        """Return when no problem is under way any more; fail when nothing happens any more."""
        while open_problems := [each for each in self.stored() if not _is_over(each)]:
            seen = len(self.record.arrivals)
            moved = self.record.wait_for(
                lambda seen=seen: len(self.record.arrivals) > seen,  # type: ignore[misc]
                PATIENCE,
            )
            left = [(each.conversation, each.base, each.states) for each in open_problems[:5]]
            assert moved or all(map(_is_over, self.stored())), f"nothing happens any more: {left}"
            threading.Event().wait(0.5)

    def stored(self) -> list[StoredProblem]:
        """Return what is stored."""
        return stored_problems(self._installation)

    def promised(self) -> tuple[list[Answered], dict[int, Stored]]:
        """Return what was answered, and what is stored, for the checker."""
        stored = {}
        for each in self.stored():
            kind = kind_of(each.conversation)
            assert kind is not None
            stored[each.gateway_id] = Stored(each.reference, each.kcis, kind.course)
        return self.record.answers, stored


def _is_over(problem: StoredProblem) -> bool:
    kind = kind_of(problem.conversation)
    assert kind is not None
    ended = problem.base in {"RESOLVED", "CANCELLED"} or len(problem.kcis) == len(kind.course)
    return ended and "queued" not in problem.states
