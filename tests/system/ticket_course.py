"""Many problems from raised to completed through a ticket system, while every part is killed.

The gateway raises problems and answers resolutions, and calls again where it got no answer. People
work on the tickets that they see. Neither looks at the supplier's records.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from tests.system.callers import GatewayCaller, problem_on_own_service
from tests.system.gateway import Arrival, Gateway
from tests.system.installation import COMMAND, Installation, free_port, new_session
from tests.waiting import eventually

FETCHER = Path(__file__).with_name("desk_fetcher.py")
TOKEN = "token-of-the-desk-s-webhooks"
# What people do with a ticket of this status.
WORK = {
    "New": {"status": "Working"},
    "Working": {"status": "Done", "cause": "Cable", "note": "A joint was replaced."},
}
LOOK_EVERY = 0.1  # seconds
RESTART_EVERY = 5  # seconds between restarts of the desk's own
REJECTED_EVERY = 3  # the tenant rejects the first resolution of every third problem
Document = dict[str, Any]


class Desk:
    """The sample ticket system as a process, killed and started again."""

    def __init__(self, folder: Path, hook: str | None) -> None:
        """Keep the tickets in `folder`; send webhooks to `hook`, if there is one."""
        self._folder, port = folder, free_port()
        self.url = f"http://127.0.0.1:{port}"
        hooks = ["--hook-url", hook, "--hook-token", TOKEN] if hook else []
        self._words = ["backoffice", "desk", "--port", str(port), *hooks]
        self._words += ["--restart-every", str(RESTART_EVERY)]

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "desk.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, *self._words], cwd=self._folder, stdout=log, stderr=log
            )
        eventually(lambda: self.tickets() is not None, "the desk to answer")

    def kill(self) -> None:
        """Kill it, as by kill -9."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def tickets(self) -> list[Document] | None:
        """Return all tickets; None where it does not answer."""
        try:
            with new_session() as session:
                found: list[Document] = session.get(f"{self.url}/tickets", timeout=5).json()
                return found
        except requests.RequestException:
            return None

    def work(self, ticket: str, fields: Mapping[str, str]) -> None:
        """Change a ticket, as people do; where it is not answered they look again."""
        with suppress(requests.RequestException), new_session() as session:
            session.patch(f"{self.url}/tickets/{ticket}", json=fields, timeout=5)

    def stored(self) -> list[Document]:
        """Return all tickets as they are stored."""
        with closing(sqlite3.connect(self._folder / "desk.db")) as database:
            rows = database.execute("SELECT body FROM ticket ORDER BY id").fetchall()
        return [json.loads(body) for (body,) in rows]

    def webhooks(self) -> Counter[str]:
        """Count the webhooks: sent, lost."""
        with closing(sqlite3.connect(self._folder / "desk.db")) as database:
            rows = database.execute("SELECT state, count(*) FROM webhook GROUP BY state")
            return Counter(dict(rows.fetchall()))


class Fetcher:
    """desk_fetcher.py as a process: it fetches orders from `supplier` and does them at a desk."""

    def __init__(self, folder: Path, supplier: str, desk: str, port: int) -> None:
        """Take the desk's webhooks at `port`."""
        self._folder = folder
        given = {"SUPPLIER": supplier, "DESK": desk, "PORT": str(port)}
        self._environ = {**os.environ, **given, "SECRET": "back-office-secret"}

    def start(self) -> None:
        """Start it, and do not wait."""
        with (self._folder / "fetcher.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, FETCHER], env=self._environ, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """Kill it, as by kill -9; its log shows that nothing else has ended it."""
        assert self._process.poll() is None, (self._folder / "fetcher.log").read_text()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


class Course:
    """The gateway and the people, each in a thread of its own."""

    def __init__(self, installation: Installation, gateway: Gateway, desk: Desk) -> None:
        """Prepare; nothing is called yet."""
        self._installation, self._gateway, self._desk = installation, gateway, desk
        self._caller: GatewayCaller | None = None
        self._ended = threading.Event()
        self._failures: list[BaseException] = []
        self._id_source = random.Random()
        self.raised = 0
        self._answered: set[str] = set()
        self.asked_again = 0

    @contextmanager
    def running(self, problems: int) -> Iterator[None]:
        """Raise so many problems, a few at a time, and work on them while the block runs."""
        works = (lambda: self._act_as_gateway(problems), self._act_as_people)
        threads = [threading.Thread(target=self._repeat, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()
        assert self._failures == []

    def check(self) -> None:
        """Raise what has gone wrong so far."""
        assert self._failures == []

    def completed(self) -> int:
        """Return of how many problems the gateway knows that they are completed."""
        over = [each.problem for each in self._gateway.arrivals() if status_of(each) == "COMPLETED"]
        return len(set(over))

    def _repeat(self, work: Callable[[], None]) -> None:
        try:
            while not self._ended.wait(LOOK_EVERY):
                work()
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits for this one
            self._failures.append(error)

    def _act_as_gateway(self, problems: int) -> None:
        at_a_time = max(6, problems // 8)
        if self.raised < problems and self.raised - self.completed() < at_a_time:
            body = problem_on_own_service(self.raised + 1)
            if self._ask("POST", "/service-problems", body):
                self.raised += 1
        for each in self._gateway.arrivals():
            if each.reason == "RESOLVED":
                resolution = each.document["serviceProblemResolution"]
                self._answer(each.problem, resolution["supplierReference"])

    def _answer(self, problem: int, resolution: str) -> None:
        if resolution in self._answered:
            return
        body = {"status": "ACCEPTED"}
        if is_rejected_once(problem) and resolution == self._first_resolution(problem):
            body = {"status": "REJECTED", "tenantNotes": "It drops again."}
        if self._ask("PATCH", f"/service-problem-resolutions/{resolution}", body):
            self._answered.add(resolution)

    def _first_resolution(self, problem: int) -> str:
        resolved = (each for each in self._gateway.arrivals(problem) if each.reason == "RESOLVED")
        return str(next(resolved).document["serviceProblemResolution"]["supplierReference"])

    def _ask(self, method: str, path: str, body: Document) -> bool:
        """Call the supplier; False where it does not answer, and the call has to come again."""
        try:
            self._caller = self._caller or GatewayCaller(self._installation)
            answer = self._caller.call(method, path, body)
            if answer.status_code == 503:
                raise requests.RequestException("later")
        except requests.RequestException:
            self._caller = None
            self.asked_again += 1
            return False
        assert answer.status_code in (200, 201), answer.text
        return True

    def _act_as_people(self) -> None:
        for ticket in self._desk.tickets() or ():
            fields = WORK.get(ticket["status"])
            if fields and self._id_source.random() < 0.5:
                self._desk.work(ticket["number"], fields)


def status_of(arrival: Arrival) -> str:
    """Return the problem's status as a KCI tells it."""
    return str(arrival.document["serviceProblem"]["status"])


def is_rejected_once(problem: int) -> bool:
    """Return whether the tenant rejects the first resolution of a problem."""
    return problem % REJECTED_EVERY == 0


def broken_promises(arrivals: Sequence[Arrival], problems: int) -> list[str]:
    """Return what is wrong with the KCIs of a course: each once, in order, and to its end."""
    wrong = []
    for problem in range(1, problems + 1):
        came = [each for each in arrivals if each.problem == problem]
        kcis = {(each.number, each.id): each for each in came}
        ordered = [kcis[name] for name in sorted(kcis)]
        reasons = [each.reason for each in ordered]
        if [each.number for each in ordered] != list(range(1, len(ordered) + 1)):
            wrong.append(f"{problem}: the numbers {sorted(kcis)}")
        if reasons.count("RESOLVED") != 1 + is_rejected_once(problem):
            wrong.append(f"{problem}: resolved otherwise, {reasons}")
        if [status_of(each) for each in ordered].count("COMPLETED") != 1:
            wrong.append(f"{problem}: not completed once, {reasons}")
        elif status_of(ordered[-1]) != "COMPLETED":
            wrong.append(f"{problem}: something follows its end, {reasons}")
    return wrong
