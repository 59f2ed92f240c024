"""Load for a supplier that comes and goes: callers that raise and amend problems."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from tests.samples import amendment_request
from tests.system.callers import Document, GatewayCaller, problem_on_own_service
from tests.system.installation import Installation
from tests.system.promises import Answered
from tests.system.waiting import PATIENCE

CALLERS = 3
AMENDED = 0.5  # the share of problems that are amended right after they were raised
GIVEN_UP = 0.3  # the share of requests that are not repeated where the connection broke


class Load:
    """Callers that each call again as soon as they are answered, while the supplier is up."""

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

    def pause(self) -> None:
        """Call no more until `go_on`: the supplier goes down."""
        self._is_up.clear()

    def wait_for_answers(self, count: int) -> None:
        """Return at the moment at which `count` more 2xx have come in."""
        with self._changed:
            enough = len(self._answers) + count
            assert self._changed.wait_for(
                lambda: self._unforeseen or len(self._answers) >= enough, PATIENCE
            ), "the callers get no answers"
            assert self._unforeseen == []

    def _call(self, number: int, chance: random.Random) -> None:
        caller = GatewayCaller(self._installation)
        problem = number + 1
        while not self._stopping.is_set():
            reference = self._raise(caller, chance, problem)
            if reference and chance.random() < AMENDED:
                self._amend(caller, chance, problem, reference)
            problem += CALLERS

    def _raise(self, caller: GatewayCaller, chance: random.Random, problem: int) -> str | None:
        request = problem_on_own_service(problem)
        answer = self._insist(caller, chance, "/service-problems", request)
        if answer is None:
            return None
        return self._keep(answer, {201}, lambda own: Answered(answer.status_code, problem, own))

    def _amend(
        self, caller: GatewayCaller, chance: random.Random, problem: int, reference: str
    ) -> None:
        request = amendment_request(
            id=problem, serviceProblemId=problem, supplierServiceProblemReference=reference
        )
        answer = self._insist(caller, chance, "/service-problem-amendments", request)
        # 422: the problem was resolved meanwhile.
        if answer is not None and answer.status_code != 422:
            self._keep(
                answer,
                {201, 202},
                lambda own: Answered(answer.status_code, problem, own, amendment=problem),
            )

    def _insist(
        self, caller: GatewayCaller, chance: random.Random, path: str, request: Document
    ) -> requests.Response | None:
        """Send a request until it is answered; now and then give up where the connection broke."""
        while not self._stopping.is_set():
            self._is_up.wait()
            try:
                answer = caller.call("POST", path, request)
            except requests.RequestException:
                if chance.random() < GIVEN_UP:
                    return None
                continue
            if answer.status_code != 503:
                return answer
        return None

    def _keep(
        self,
        answer: requests.Response,
        foreseen: set[int],
        made: Callable[[str], Answered],
    ) -> str | None:
        """Remember an answer; return the supplier's reference, or None if it is none of these."""
        with self._changed:
            self._changed.notify_all()
            if answer.status_code not in foreseen:
                self._unforeseen.append(f"{answer.status_code} {answer.text}")
                return None
            reference = str(answer.json()["supplierReference"])
            self._answers.append(made(reference))
            return reference
