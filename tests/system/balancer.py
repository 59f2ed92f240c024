"""What stands before the web processes: it takes turns, repeats what broke, and kills."""

import threading
import time
from itertools import count, cycle

import orjson

from tests.system.courses import INSTANT, UNKNOWN, kind_of
from tests.system.installation import Installation
from tests.system.promises import AMENDED, CANCELLED, Answered
from tests.system.proxying import NO_ANSWER, Broken, Call, Proxy, Reply, pass_on
from tests.system.record import Record
from tests.system.traps import Traps, lot
from tests.waiting import PATIENCE

PROBLEMS = "/service-problems"
AMENDMENTS = "/service-problem-amendments"
CANCELLATIONS = "/service-problem-cancellations"
CHANGES = {AMENDMENTS: AMENDED, CANCELLATIONS: CANCELLED}
# Seconds; a call is repeated even when the gateway waits no longer, as it does for ten.
ONE_ANSWER, ALL_ANSWERS = 6.0, 60.0
STRUCK_ANSWER = 2 * PATIENCE  # after a kill, however long it takes to put another in its place
AGAIN_AFTER = 0.1  # seconds
INSISTED = 0.8  # the share of calls that are repeated; of the others the gateway gets no answer
SLOW = 9.0  # seconds by which the gateway may learn late of an answer; it waits for ten
KILL = "killed between commit and answer"
GIVEN_UP = "a call of the gateway that got no answer"
REPEATED = "a call of the gateway that was repeated"
BUSY = "a call that was answered 503"


class Balancer:
    """Passes the gateway's calls on to the web processes, and keeps every 2xx that they give."""

    def __init__(self, record: Record, seed: str) -> None:
        """Write down what was answered."""
        self._record = record
        self._seed = seed
        self._lock = threading.Lock()
        # By conversation and path: the status that the gateway got, None for no answer.
        self.outcomes: dict[tuple[str, str], int | None] = {}
        # The problems whose web process was killed.
        self.struck: list[int] = []
        self._struck: set[str] = set()
        self.traps = Traps()
        # The web processes that are being replaced.
        self.down: set[str] = set()
        self.proxy = Proxy(self._handle)

    def open(self, installation: Installation, webs: list[str]) -> None:
        """Begin to pass on to these web processes."""
        self._installation = installation
        self._webs = set(webs)
        self._turns = cycle(webs)
        self.proxy.start()

    def is_answered(self, conversation: str) -> bool:
        """Tell whether the gateway has had the answer to the creation, or will have none."""
        return (conversation, PROBLEMS) in self.outcomes

    def is_up(self) -> bool:
        """Tell whether there is a web process to call."""
        return self.down < self._webs

    def _handle(self, call: Call) -> Reply | Broken:
        reply = self._insist(call)
        kind = kind_of(call.conversation)
        if kind is None:
            return reply or Broken.RESET
        if kind in {INSTANT, UNKNOWN} and call.path == PROBLEMS and reply:
            self._record.wait_for(lambda: call.conversation in self._record.early, SLOW)
        self.outcomes[call.conversation, call.path] = reply.status if reply else None
        if reply is None and call.path == PROBLEMS:
            self._record.is_over(orjson.loads(call.body)["id"])  # unless it was stored
        self._record.note(f"{call.path} {reply.status}" if reply else GIVEN_UP)
        return reply or Broken.RESET

    def _insist(self, call: Call) -> Reply | None:
        """Return the answer to the call; None if there is none, and the call is given up."""
        insists = lot(self._seed, call.conversation, call.path).random() < INSISTED
        began = time.monotonic()
        for tries in count(1):
            with self._lock:
                web = next(self._turns)
            reply = self._ask(call, web)
            if reply:
                if tries > 1:
                    self._record.note(REPEATED)
                return reply
            struck = call.conversation in self._struck
            patience = STRUCK_ANSWER if struck else ALL_ANSWERS
            if not (insists or struck) or time.monotonic() > began + patience:
                return None
            threading.Event().wait(AGAIN_AFTER)
        raise AssertionError("unreachable")

    def _ask(self, call: Call, web: str) -> Reply | None:
        try:
            reply = pass_on(call, self._installation.url(web), ONE_ANSWER)
        except NO_ANSWER:
            return None
        if reply.status == 503:
            self._record.note(BUSY)
            return None
        if call.path not in {PROBLEMS, *CHANGES} or reply.status >= 300:
            return reply
        document = orjson.loads(call.body)
        problem = document["id" if call.path == PROBLEMS else "serviceProblemId"]
        self._record.answered(_answered(call.path, problem, reply))
        if self.traps.sprung(web):
            self.down.add(web)
            self._installation.strike(web)
            self.struck.append(problem)
            self._struck.add(call.conversation)
            self._record.note(KILL)
            return None
        return reply


def _answered(path: str, problem: int, reply: Reply) -> Answered:
    reference = orjson.loads(reply.body)["supplierReference"]
    return Answered(reply.status, problem, reference, CHANGES.get(path))
