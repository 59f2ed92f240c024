"""When a destination counts as failing: the outcomes of a sliding window, counted by lanes.

Lanes and not calls, because one lane that is tried again and again says nothing about the others.
Pure: no clock and no database; `at` is seconds on the monotonic clock.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from enum import StrEnum

# At most this many lanes are kept; if more are called within the window, the latest ones count.
LANES_KEPT = 10_000
# A warning is given again only after the share fell this far below it.
REARM = 0.1


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When the breaker opens, and how a destination is probed while it is open.

    `window` is in seconds. The breaker opens when the share `open_at` of the lanes in the window
    failed last, after at least `calls` calls and with at least `lanes` failing lanes; or when
    `lanes` different lanes in a row were refused for good. `warn_at` are the shares at which a
    warning is logged. The first probe is sent after `probe_after` seconds; each failed one doubles
    the wait, up to `probe_after_max`. After closing, a backlog is spread over `spread` seconds.
    With `tenants_apart` many refusals for good pause only the tenant they are of, who may be
    testing, and nobody else.
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
        """Return the seconds before the next probe, after `failed` failed ones."""
        return float(min(self.probe_after * 2 ** min(failed, 30), self.probe_after_max))


class CallOutcome(StrEnum):
    """The outcome of a call to a lane, as far as the destination is concerned."""

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
        """The share of failing lanes."""
        return self.failing / self.lanes if self.lanes else 0.0

    def __str__(self) -> str:
        """Return it as text for operators."""
        return f"{self.failing} of {self.lanes} problems failed last"


class CallWindow:
    """The last outcome of each lane that was called within the window. Not safe for threads."""

    def __init__(self, rules: BreakerRules) -> None:
        """Begin with no outcomes."""
        self._rules = rules
        # The lane called longest ago comes first.
        self._lanes: OrderedDict[int, tuple[float, CallOutcome]] = OrderedDict()
        self._counts = dict.fromkeys(CallOutcome, 0)
        # The times of the last calls show whether there were enough within the window.
        self._calls: deque[float] = deque(maxlen=rules.calls)
        self._warned = 0

    def note(self, lane: int, outcome: CallOutcome, at: float) -> None:
        """Add the outcome of a call to `lane`."""
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
        """Return how many lanes were last asked to call later."""
        return self._counts[CallOutcome.PUT_OFF]

    def opens(self) -> bool:
        """Return whether so many lanes fail that the breaker has to open."""
        return self._says_something() and self.rate().share >= self._rules.open_at

    def warning(self) -> float | None:
        """Return the highest share at which a warning is due now; one for each crossing."""
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
        """Return whether there were enough calls, and enough lanes that fail."""
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
