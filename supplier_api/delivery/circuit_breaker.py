"""When a destination counts as failing: the outcomes of a sliding window, counted by lanes.

Lanes and not calls, because one lane that is tried again and again says nothing about the others.
No clock and no database are in here: `at` is seconds on the monotonic scale.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from enum import Enum

# So many lanes are kept at most; where more are called within the window, the latest count.
LANES_KEPT = 10_000
# A warning is given again only after the rate was so far below it.
REARM = 0.1


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When the breaker opens, and how a destination is tried while it is open.

    `window` is in seconds. It opens when `open_at` of the lanes in it failed last, after at least
    `calls` calls and with at least `lanes` failing lanes; or when so many different lanes in a row
    were refused for good. `warn_at` are the rates of which a warning is given. The first try is
    after `probe_after` seconds; each that fails doubles the wait, up to `probe_after_max`. `spread`
    is over how many seconds a backlog leaves afterwards. With `tenants_apart` many refusals for
    good hold up only the tenant that they are of, whose tests they may be, and nobody else.
    """

    window: float = 120.0
    calls: int = 20
    lanes: int = 5
    open_at: float = 0.9
    warn_at: tuple[float, ...] = (0.5, 0.7)
    probe_after: float = 30.0
    probe_after_max: float = 600.0
    spread: float = 60.0
    tenants_apart: bool = False

    def probe_wait(self, failed: int) -> float:
        """Return the seconds before the next try, after so many that failed."""
        return float(min(self.probe_after * 2 ** min(failed, 30), self.probe_after_max))


class CallOutcome(Enum):
    """What a call to a lane came to, as far as the destination is concerned."""

    ANSWERED = "answered"
    FAILED = "failed"
    # It failed with the request to call later.
    PUT_OFF = "put off"


@dataclass(frozen=True, slots=True)
class FailureRate:
    """How many lanes of a window failed last."""

    failing: int
    lanes: int

    @property
    def share(self) -> float:
        """The failing ones' share."""
        return self.failing / self.lanes if self.lanes else 0.0

    def __str__(self) -> str:
        """Tell it in words."""
        return f"{self.failing} of {self.lanes} problems failed last"


class CallWindow:
    """The last outcome of each lane that was called within the window. Not safe for threads."""

    def __init__(self, rules: BreakerRules) -> None:
        """Begin with nothing known."""
        self._rules = rules
        # The lane called longest ago comes first.
        self._lanes: OrderedDict[int, tuple[float, CallOutcome]] = OrderedDict()
        self._counts = dict.fromkeys(CallOutcome, 0)
        # Whether there were enough calls is known from the times of the last ones.
        self._calls: deque[float] = deque(maxlen=rules.calls)
        self._warned = 0

    def note(self, lane: int, outcome: CallOutcome, at: float) -> None:
        """Note what came of a call to `lane`."""
        self._forget(lane)
        self._lanes[lane] = at, outcome
        self._counts[outcome] += 1
        self._calls.append(at)
        self._expire(at)

    def clear(self) -> None:
        """Forget everything."""
        self._lanes.clear()
        self._calls.clear()
        self._counts = dict.fromkeys(CallOutcome, 0)
        self._warned = 0

    def rate(self) -> FailureRate:
        """Return how many lanes failed last, as of the last call."""
        failing = self._counts[CallOutcome.FAILED] + self._counts[CallOutcome.PUT_OFF]
        return FailureRate(failing, len(self._lanes))

    def put_off(self) -> int:
        """Return how many lanes were put off last."""
        return self._counts[CallOutcome.PUT_OFF]

    def opens(self) -> bool:
        """Tell whether so much fails that the breaker has to open."""
        return self._says_something() and self.rate().share >= self._rules.open_at

    def warning(self) -> float | None:
        """Return the highest rate of which a warning is due now; each is given once a crossing."""
        share = self.rate().share
        warn_at = sorted(self._rules.warn_at)
        while self._warned and share < warn_at[self._warned - 1] - REARM:
            self._warned -= 1
        crossed = sum(share >= threshold for threshold in warn_at)
        if crossed <= self._warned or not self._says_something():
            return None
        self._warned = crossed
        return warn_at[crossed - 1]

    def _says_something(self) -> bool:
        """Tell whether there were enough calls, and enough lanes that fail."""
        return len(self._calls) == self._rules.calls and self.rate().failing >= self._rules.lanes

    def _expire(self, now: float) -> None:
        oldest = now - self._rules.window
        while self._calls and self._calls[0] < oldest:
            self._calls.popleft()
        while self._lanes:
            lane, (at, _) = next(iter(self._lanes.items()))
            if at >= oldest and len(self._lanes) <= LANES_KEPT:
                return
            self._forget(lane)

    def _forget(self, lane: int) -> None:
        _, outcome = self._lanes.pop(lane, (0.0, None))
        if outcome is not None:
            self._counts[outcome] -= 1
