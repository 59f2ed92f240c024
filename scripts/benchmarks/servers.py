"""Web servers under load: what a request costs in CPU, for several of them in turns."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from scripts.benchmarks.figures import Figure, Options, Target, say
from scripts.benchmarks.load import Aim, load
from scripts.benchmarks.processes import spent_by

MICROSECONDS = 1_000_000
WARM_UP = 2.0  # seconds


@dataclass
class Subject:
    """Something that answers requests, in the process `pid`; `aim` counts on from call to call.

    `database` is the process of a database server whose CPU is measured beside.
    """

    name: str
    pid: int
    aim: Aim
    status: int = 201
    database: int | None = None
    costs: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    database_costs: list[float] = field(default_factory=list)

    def warm_up(self, seconds: float = WARM_UP) -> None:
        """Put load on it without keeping what is found."""
        self._load(seconds)

    def take_turn(self, seconds: float) -> None:
        """Put load on it, and keep CPU microseconds a request and requests a second."""
        with spent_by(self.pid) as spent, spent_by(self.database or self.pid) as beside:
            count, rate = self._load(seconds)
        self.costs.append(spent.cpu / count * MICROSECONDS)
        self.database_costs.append(beside.cpu / count * MICROSECONDS)
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


def analyze(url: str) -> int:
    """Have PostgreSQL look at its tables, as it does within a minute; return its server's process.

    Plans that were made for empty tables end there.
    """
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("ANALYZE")
        status = Path(f"/proc/{connection.info.backend_pid}/status").read_text(encoding="ascii")
    return int(status.partition("PPid:")[2].split()[0])
