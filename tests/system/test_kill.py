"""Kills the supplier again and again, under load and right after an answer: nothing may be lost."""

import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests

from tests import samples
from tests.system.callers import GatewayCaller, problem_on_own_service
from tests.system.conftest import Install
from tests.system.gateway import Arrival, Gateway
from tests.system.installation import Installation
from tests.system.promises import AMENDED, COURSE, Answered, broken_promises
from tests.system.waiting import PATIENCE

KILLS = 50
CALLERS = 3
BACK_OFFICE_PACE = 0.05  # the course of a problem takes 0.4 s
# A dead worker's lanes are taken over soon; a lease has to outlast an attempt by 5 s.
ATTEMPT, LEASE = 1, 7


class Load:
    """Callers that raise and amend problems, each as fast as it is answered."""

    def __init__(self, installation: Installation, chance: random.Random) -> None:
        """Prepare to call the installation's supplier."""
        self._installation = installation
        self._changed = threading.Condition()
        self._answers: list[Answered] = []
        self._unforeseen: list[str] = []
        self._is_up = threading.Event()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._call, args=(number, random.Random(chance.random())))
            for number in range(CALLERS)
        ]

    @property
    def answers(self) -> list[Answered]:
        """Return what was answered 2xx up to now."""
        with self._changed:
            return list(self._answers)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the callers call while the block runs."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self.go_on()
            for thread in self._threads:
                thread.join()

    def go_on(self) -> None:
        """Call, for the supplier is up."""
        self._is_up.set()

    def wait_for_answers(self, count: int) -> None:
        """Return at the moment at which `count` more 2xx have come in."""
        with self._changed:
            enough = len(self._answers) + count
            assert self._changed.wait_for(
                lambda: self._unforeseen or len(self._answers) >= enough, PATIENCE
            ), "the callers get no answers"
            assert self._unforeseen == []

    def pause(self) -> None:
        """Call no more until `go_on`: the supplier goes down."""
        self._is_up.clear()

    def _call(self, number: int, chance: random.Random) -> None:
        supplier = GatewayCaller(self._installation)
        problem = number + 1
        while not self._stopping.is_set():
            reference = self._raise(supplier, chance, problem)
            if reference and chance.random() < 0.5:
                self._amend(supplier, chance, problem, reference)
            problem += CALLERS

    def _raise(self, supplier: GatewayCaller, chance: random.Random, problem: int) -> str | None:
        request = problem_on_own_service(problem)
        answer = self._insist(chance, lambda: supplier.call("POST", "/service-problems", request))
        if answer is None:
            return None
        if answer.status_code != 201:
            return self._wonder(f"problem {problem}: {answer.status_code} {answer.text}")
        reference = str(answer.json()["supplierReference"])
        self._keep(Answered(201, problem, reference))
        return reference

    def _amend(
        self, supplier: GatewayCaller, chance: random.Random, problem: int, reference: str
    ) -> None:
        request = samples.amendment_request(
            id=problem, serviceProblemId=problem, supplierServiceProblemReference=reference
        )
        path = "/service-problem-amendments"
        answer = self._insist(chance, lambda: supplier.call("POST", path, request))
        if answer is None or answer.status_code == 422:
            return  # 422: it was resolved meanwhile
        if answer.status_code not in {201, 202}:
            return self._wonder(f"amendment {problem}: {answer.status_code} {answer.text}")
        self._keep(
            Answered(answer.status_code, problem, answer.json()["supplierReference"], problem)
        )

    def _insist(
        self, chance: random.Random, call: Callable[[], requests.Response]
    ) -> requests.Response | None:
        """Call until there is an answer; now and then give up where the connection broke."""
        while not self._stopping.is_set():
            self._is_up.wait()
            with suppress(requests.RequestException):
                answer = call()
                if answer.status_code != 503:
                    return answer
                continue
            if chance.random() < 0.3:
                return None
        return None

    def _wonder(self, answer: str) -> None:
        with self._changed:
            self._unforeseen.append(answer)
            self._changed.notify_all()

    def _keep(self, answer: Answered) -> None:
        with self._changed:
            self._answers.append(answer)
            self._changed.notify_all()


@contextmanager
def seeded() -> Iterator[random.Random]:
    """Yield where chance comes from; a failure names the seed with which to try again."""
    seed = os.environ.get("TEST_SEED") or str(random.randrange(10**6))
    try:
        yield random.Random(seed)
    except BaseException as error:
        error.add_note(f"again with TEST_SEED={seed}")
        raise


def test_nothing_is_lost_by_kills_at_any_moment(install: Install, gateway: Gateway) -> None:
    installation = install(
        **gateway.settings,
        BACKOFFICE__PACE=BACK_OFFICE_PACE,
        DELIVERY__LEASE=LEASE,
        DELIVERY__RETRY_WAITS="[0.2]",
        GATEWAY__DEADLINE=ATTEMPT,
    )
    installation.start("serve", "worker")
    with seeded() as chance:
        load = Load(installation, chance)
        with load.running():
            _kill_again_and_again(installation, load, chance)
        stored = {row["gatewayId"]: row["reference"] for row in _listed(installation)}
        _wait_for_the_end(gateway, stored)
        assert broken_promises(load.answers, stored, gateway.arrivals()) == []
        assert {row["status"] for row in _listed(installation)} == {"RESOLVED"}


def _kill_again_and_again(installation: Installation, load: Load, chance: random.Random) -> None:
    """Kill the web server and the worker in turns, each right after an answer.

    The worker comes up beside the web server and does its work; the one is killed while the other
    is still starting.
    """
    for number in range(KILLS):
        name = ("serve", "worker")[number % 2]
        installation.wait_until_ready(name)
        load.go_on()
        load.wait_for_answers(chance.randint(1, 15))
        if name == "serve":
            load.pause()
        installation.kill(name)
        installation.launch(name)
        if name == "serve":
            installation.wait_until_ready(name)
    installation.wait_until_ready("worker")


def _listed(installation: Installation) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(
        installation.told("problem", "list", "--limit", "1000000", "--json")
    )
    return listed


def _wait_for_the_end(gateway: Gateway, stored: dict[int, str]) -> None:
    """Return when the last KCI of each problem has arrived, or must be taken for lost."""

    def all_resolved(arrivals: list[Arrival]) -> bool:
        return len({each.problem for each in arrivals if each.reason == COURSE[-1]}) >= len(stored)

    gateway.wait_for(all_resolved, f"the last KCIs of {len(stored)} problems")
