"""Web servers under load: what a request costs in CPU, for several of them in turns."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from scripts.benchmarks.figures import Figure, Options, Target, say
from scripts.benchmarks.load import Aim, load
from scripts.benchmarks.processes import spent_by

MICROSECONDS = 1_000_000
WARM_UP = 2.0  # seconds


@dataclass
class Subject:
    """Something that answers requests, in the process `pid`; `aim` counts on from call to call."""

    name: str
    pid: int
    aim: Aim
    status: int = 201
    costs: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def warm_up(self, seconds: float = WARM_UP) -> None:
        """Put load on it without keeping what is found."""
        self._load(seconds)

    def take_turn(self, seconds: float) -> None:
        """Put load on it, and keep CPU microseconds a request and requests a second."""
        with spent_by(self.pid) as spent:
            count, rate = self._load(seconds)
        self.costs.append(spent.cpu / count * MICROSECONDS)
        self.rates.append(rate)

    def figure(self, what: str, target: Target | None = None, note: str = "") -> Figure:
        """Return what was found."""
        return Figure(what, "us", self.costs, target, note, self.rates)

    def _load(self, seconds: float) -> tuple[int, float]:
        result = load(replace(self.aim, seconds=seconds)).only(self.status)
        self.aim = replace(self.aim, first=self.aim.first + result.count)
        return result.count, result.rate


def take_turns(subjects: Sequence[Subject], options: Options) -> None:
    """Measure all in each round, one after the other."""
    for number in range(1, options.rounds + 1):
        for subject in subjects:
            subject.take_turn(options.seconds)
        say_round(number, options, subjects)


def say_round(number: int, options: Options, subjects: Sequence[Subject]) -> None:
    """Show what the round of this number found."""
    costs = ", ".join(f"{each.name} {each.costs[-1]:.0f}" for each in subjects)
    say(f"round {number} of {options.rounds}, us of CPU a request: {costs}")
