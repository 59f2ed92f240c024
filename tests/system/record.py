"""What happened in a run, noted by all who take part in it, and waited for by some."""

import threading
from collections import Counter
from collections.abc import Callable

from tests.system.gateway import Arrival
from tests.system.promises import Answered

LAST = {"RESOLVED", "CANCELLED"}


class Record:
    """The answers and KCIs of a run, and counts of what went wrong on purpose."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._changed = threading.Condition()
        self.counts: Counter[str] = Counter()
        self.answers: list[Answered] = []
        self.arrivals: list[Arrival] = []
        self._taken: set[str] = set()
        # Problems, by the gateway's ids, of which no further KCI is expected.
        self.over: set[int] = set()
        # Conversations about which a KCI came before the gateway had our answer.
        self.early: set[str] = set()

    def tell(self) -> None:
        """Have all who wait look again."""
        with self._changed:
            self._changed.notify_all()

    def note(self, what: str) -> None:
        """Count something that happened."""
        with self._changed:
            self.counts[what] += 1
            self._changed.notify_all()

    def answered(self, answer: Answered) -> None:
        """Keep a 2xx of the supplier."""
        with self._changed:
            self.answers.append(answer)
            self._changed.notify_all()

    def arrived(self, kci: Arrival) -> None:
        """Keep a KCI with what the gateway answered it."""
        with self._changed:
            self.arrivals.append(kci)
            if kci.taken and kci.id not in self._taken:
                self._taken.add(kci.id)
                if kci.reason in LAST:
                    self.over.add(kci.problem)
            self._changed.notify_all()

    def is_over(self, problem: int) -> None:
        """Note that no further KCI is expected of a problem, by the gateway's id."""
        with self._changed:
            self.over.add(problem)
            self._changed.notify_all()

    def lacks(self, what: str) -> bool:
        """Tell whether that has never happened."""
        return not self.counts[what]

    def came_early(self, conversation: str) -> None:
        """Note that a KCI has overtaken the answer that it follows, as the gateway sees it."""
        with self._changed:
            self.early.add(conversation)
            self._changed.notify_all()

    def has(self, kci_id: str) -> bool:
        """Tell whether the gateway has taken the KCI."""
        with self._changed:
            return kci_id in self._taken

    def came(self, kci_id: str) -> int:
        """Count how often the KCI has come."""
        with self._changed:
            return sum(each.id == kci_id for each in self.arrivals)

    def taken(self) -> int:
        """Count the KCIs that the gateway has taken, each once."""
        with self._changed:
            return len(self._taken)

    def wait_for(self, is_so: Callable[[], bool], patience: float) -> bool:
        """Return as soon as it `is_so`, or after `patience` seconds; return whether it is."""
        with self._changed:
            return self._changed.wait_for(is_so, patience)
