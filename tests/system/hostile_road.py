"""The workers' way to the gateway, with all kinds of trouble on it.

What has not happened yet in a run happens as soon as it can, and from then on by chance.
"""

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle

import orjson

from tests.system.courses import CANCELLED, FORGOTTEN, INSTANT, UNKNOWN, kind_of
from tests.system.gateway import Arrival, arrival
from tests.system.installation import Installation
from tests.system.proxying import NO_ANSWER, Broken, Call, Proxy, Reply, Road
from tests.system.record import Record
from tests.system.traps import Traps, lot

KCIS, TOKEN, ELSEWHERE = "/kcis", "/auth/supplier/access-token", "/elsewhere"
PATIENCE = 30.0  # seconds for the gateway behind
TROUBLED = 0.15  # the share of attempts that go wrong
ATTEMPTS = 3  # so many of a KCI may; the next one is let through
NONE = 0  # in place of a status: no answer at all
# What the gateway never had.
BEFORE: dict[str, Reply | Broken] = {
    "503": Reply(503),
    "503 with Retry-After": Reply(503, {"Retry-After": "1"}),
    "302": Reply(302, {"Location": ELSEWHERE}),
    "401": Reply(401),
    "reset": Broken.RESET,
    "hung": Broken.HUNG,
}
# What it took, and the worker is not told.
AFTER: dict[str, Reply | Broken] = {
    "taken, then 503": Reply(503),
    "taken, then reset": Broken.RESET,
    "taken, then hung": Broken.HUNG,
}
FAULTS = (*BEFORE, *AFTER)
NO_TOKEN = "no token"
HELD_BACK = "held back"
ALREADY = "already received"
NOT_FOUND = "not found yet"
EARLY = "came before our answer"
KILL, STOP = "killed between answer and commit", "stopped between answer and commit"
FOLLOWED = "redirect followed"


class HostileRoad:
    """Passes KCIs on to the sandbox gateway, or does not; each worker has a path of its own."""

    def __init__(self, record: Record, seed: str, is_answered: Callable[[str], bool]) -> None:
        """Write down what comes; `is_answered` tells whether the gateway has had our answer."""
        self._record = record
        self._seed = seed
        self._is_answered = is_answered
        self._lock = threading.Lock()
        self._faults = cycle(FAULTS)
        self._attempts: Counter[str] = Counter()
        self._let_go: set[str] = set()
        self.held_back: set[str] = set()
        # The KCIs at which workers were killed or stopped, and how often each had come by then.
        self.struck: dict[str, int] = {}
        self.traps = Traps()
        # The KCI at which a worker was stopped last.
        self.stopped_at = ""
        self._gateway: Road | None = None
        self.proxy = Proxy(self._handle, hang=5.0)

    def settings(self, worker: str) -> dict[str, object]:
        """Return what a worker has to know to go this way."""
        url = f"{self.proxy.url}/{worker}"
        return {"GATEWAY__KCI_URL": url + KCIS, "GATEWAY__TOKEN_URL": url + TOKEN}

    def open(self, installation: Installation) -> None:
        """Begin to pass on to the installation's gateway, and to strike its workers."""
        self._installation = installation
        self._gateway = Road(installation.sandbox, PATIENCE)
        self.proxy.start()

    def let_go(self, conversation: str) -> None:
        """Hold a problem's KCIs back no longer."""
        with self._lock:
            self._let_go.add(conversation)

    def close(self) -> None:
        """Serve no more."""
        self.proxy.close()
        if self._gateway:
            self._gateway.close()

    def _handle(self, call: Call) -> Reply | Broken:
        _, worker, path = call.path.split("/", 2)
        call = replace(call, path=f"/{path}")
        if call.path == KCIS and call.method == "POST":
            return self._kci(worker, call)
        if call.path != TOKEN:
            self._record.note(FOLLOWED)
            return Reply(200)
        with self._lock:
            self._attempts[worker] += 1
            number = self._attempts[worker]
        troubled = lot(self._seed, worker, number).random() < TROUBLED
        if troubled or self._record.lacks(NO_TOKEN):
            self._record.note(NO_TOKEN)
            return Reply(503)
        return self._passed_on(call)

    def _kci(self, worker: str, call: Call) -> Reply | Broken:
        kci = arrival(call.body)
        with self._lock:
            self._attempts[kci.id] += 1
            attempt = self._attempts[kci.id]
        id_source = lot(self._seed, call.conversation, kci.number, attempt)
        planted = self._planted(call.conversation, kci, id_source)
        if planted:
            return planted
        troubled = id_source.random() < TROUBLED or any(map(self._record.lacks, FAULTS))
        fault = self._next_fault() if troubled and attempt <= ATTEMPTS else None
        if fault in BEFORE:
            return self._answer(fault, kci, BEFORE[fault])
        reply = self._passed_on(call)
        if isinstance(reply, Broken):
            return reply
        self._record.arrived(replace(kci, status=reply.status))
        if reply.status != 204:
            return reply
        if kind_of(call.conversation) is CANCELLED and kci.number == len(CANCELLED.course):
            self._record.is_over(kci.problem)  # its cancellation came too late
        return self._after(worker, kci, fault) or reply

    def _next_fault(self) -> str:
        """Return the next kind of trouble: they take turns, after those that never happened."""
        with self._lock:
            return next(filter(self._record.lacks, FAULTS), None) or next(self._faults)

    def _planted(
        self, conversation: str, kci: Arrival, id_source: random.Random
    ) -> Reply | Broken | None:
        """Return what the gateway would answer at such a moment; None if it would take the KCI."""
        if self._record.has(kci.id):
            known = id_source.choice((Reply(409), _already_received(), None))
            if self._record.lacks(ALREADY):
                known = known or Reply(409)
            return self._answer(ALREADY, kci, known, 409) if known else None
        if self._is_held_back(conversation, kci):
            return self._answer(HELD_BACK, kci, Reply(503))
        kind = kind_of(conversation)
        if kind not in {INSTANT, UNKNOWN} or self._is_answered(conversation):
            return None
        self._record.came_early(conversation)
        if kind is UNKNOWN:
            return self._answer(NOT_FOUND, kci, _not_found())
        self._record.note(EARLY)
        return None

    def _after(self, worker: str, kci: Arrival, fault: str | None) -> Reply | Broken | None:
        """Strike between the gateway's answer and the worker's commit, or lose the answer."""
        trap = self.traps.sprung(worker)
        if trap == KILL:
            self._installation.strike(worker)
        elif trap == STOP:
            os.kill(self._installation.part(worker).process.pid, signal.SIGSTOP)
            self.stopped_at = kci.id
        if trap:
            self.struck[kci.id] = self._record.came(kci.id)
            self._record.note(trap)
            return Broken.RESET if trap == KILL else None
        if fault:
            self._record.note(fault)
            return AFTER[fault]
        return None

    def _is_held_back(self, conversation: str, kci: Arrival) -> bool:
        kind = kind_of(conversation)
        held = kind is CANCELLED or (kind is FORGOTTEN and kci.reason == FORGOTTEN.course[-1])
        with self._lock:
            if not held or conversation in self._let_go:
                return False
            self.held_back.add(conversation)
            return True

    def _answer(
        self, what: str, kci: Arrival, answer: Reply | Broken, status: int | None = None
    ) -> Reply | Broken:
        """Write the answer down, as if it were `status` where that says more, and return it."""
        self._record.note(what)
        given = answer.status if isinstance(answer, Reply) else NONE
        self._record.arrived(replace(kci, status=status or given))
        return answer

    def _passed_on(self, call: Call) -> Reply | Broken:
        try:
            assert self._gateway
            return self._gateway.pass_on(call)
        except NO_ANSWER:
            self._record.note("the gateway itself gave no answer")
            return Broken.RESET


def _already_received() -> Reply:
    return _envelope("INVALID_REQUEST", "id: this KCI was already received")


def _not_found() -> Reply:
    return _envelope("NOT_FOUND", "serviceProblem.id: there is no service problem of that id")


def _envelope(code: str, message: str) -> Reply:
    uuid = "3456cf7d-4471-42e4-a5be-c24ed58a7aa6"
    body = orjson.dumps({"uuid": uuid, "code": code, "messages": [message]})
    return Reply(422, {"Content-Type": "application/json"}, body)
