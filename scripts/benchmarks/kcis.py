"""KCIs: what one costs a worker, beside urllib3 alone, and how soon it arrives after its commit."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.benchmarks.creates import DURABLE
from scripts.benchmarks.figures import Figure, Options, at_least, at_most, ratios, say
from scripts.benchmarks.installation import make_installation
from scripts.benchmarks.kci_receiver import Receiver, receiving
from scripts.benchmarks.outbox import Outbox
from scripts.benchmarks.processes import ROOT, SERVER_CORES, pin, running, spent_by, supplier_api
from scripts.benchmarks.servers import MICROSECONDS, analyze
from supplier_api.settings import load_settings
from tests import postgresql

STORED = (
    "claiming a KCI and recording its attempt cost more than sending it; hand-offs come on top."
)
THREADS = 16
PER_SECOND = 1_000  # KCIs that are queued for each second of a round
PROBLEMS_PER_SECOND = 50
SLOW = 0.243  # seconds that the slow receiver takes
SLOW_LANES, SLOW_EACH = 6 * THREADS, 3


@dataclass
class Deliveries:
    """A worker that runs, or urllib3 in its place, and what its KCIs cost."""

    name: str
    costs: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def keep(self, cost: float, receiver: Receiver) -> None:
        """Keep microseconds of CPU a KCI, and how many a second arrived at the receiver."""
        moments = [moment for _, moment in receiver.arrivals()]
        self.costs.append(cost)
        self.rates.append((len(moments) - 1) / (max(moments) - min(moments)))

    def figure(self, note: str = "") -> Figure:
        """Return what was found."""
        return Figure(f"a KCI, {self.name}", "us", self.costs, note=note, rates=self.rates)


@dataclass
class Worker(Deliveries):
    """A worker process, with the outbox it empties."""

    pid: int = 0
    outbox: Outbox = field(kw_only=True)
    database: int | None = None  # the process of a database server whose CPU is measured beside
    database_cpu: float = 0.0
    database_costs: list[float] = field(default_factory=list)
    hold: float = 0.0  # seconds that a KCI stays behind the answer it follows

    def deliver(self, count: int, each: int = 1) -> float:
        """Let it deliver what is queued on so many lanes, and return its seconds of CPU."""
        with spent_by(self.pid) as spent:
            self.outbox.queue(count, each)
            with spent_by(self.database or self.pid) as beside:
                self.outbox.wait_until_settled()
        self.database_cpu = beside.cpu
        return spent.cpu


def measure(options: Options) -> list[Figure]:
    """Measure urllib3 and a worker on each database in turns, then how soon KCIs arrive."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        receiver = stack.enter_context(receiving())
        server = stack.enter_context(postgresql.server(DURABLE))
        url = stack.enter_context(postgresql.database(server, "kcis"))
        workers = [
            stack.enter_context(_working("SQLite", folder / "sqlite", receiver)),
            stack.enter_context(_working("PostgreSQL", folder / "postgresql", receiver, url)),
        ]
        found = _costs(options, workers, receiver)
        found += _waits(options, workers, receiver)
    return [*found, _slow()]


@contextmanager
def _working(
    name: str, folder: Path, receiver: Receiver, database: str | None = None
) -> Iterator[Worker]:
    """Run a worker that has delivered something."""
    settings = {**receiver.settings(), "DELIVERY__THREADS": str(THREADS)}
    installation = make_installation(folder, database, settings=settings)
    loaded = load_settings(installation.environ)
    hold = loaded.delivery.not_before_ms / 1000
    with (
        closing(Outbox(installation.database)) as outbox,
        running(supplier_api("worker"), installation.environ) as process,
    ):
        worker = Worker(f"worker on {name}", pid=process.pid, outbox=outbox, hold=hold)
        worker.deliver(20 * THREADS)
        worker.database = analyze(database) if database else None
        yield worker


def _costs(options: Options, workers: Sequence[Worker], receiver: Receiver) -> list[Figure]:
    count = int(options.seconds * PER_SECOND) // THREADS * THREADS
    alone = Deliveries("urllib3 alone")
    for number in range(1, options.rounds + 1):
        receiver.arrivals()
        alone.keep(_pushed(receiver, count), receiver)
        for worker in workers:
            worker.keep(worker.deliver(count) / count * MICROSECONDS, receiver)
            worker.database_costs.append(worker.database_cpu / count * MICROSECONDS)
        costs = ", ".join(f"{each.name} {each.costs[-1]:.0f}" for each in (alone, *workers))
        say(f"round {number} of {options.rounds}, us of CPU a KCI: {costs}")
    least = alone.figure(f"{THREADS} threads that POST the same body to the same receiver.")
    figures = [worker.figure() for worker in workers]
    return [
        least,
        *figures,
        Figure("a KCI, the PostgreSQL server", "us", workers[-1].database_costs),
        *(
            ratios(f"{each.what} / urllib3 alone", each, least, at_most(1.7), STORED)
            for each in figures
        ),
    ]


def _pushed(receiver: Receiver, count: int) -> float:
    """Return the microseconds of CPU of a POST by urllib3."""
    words = map(str, (receiver.port, count, THREADS))
    done = subprocess.check_output(
        [sys.executable, "-m", "scripts.benchmarks.pushing", *words],
        cwd=ROOT,
        text=True,
        preexec_fn=pin(SERVER_CORES),
    )
    return float(done)


def _waits(options: Options, workers: Sequence[Worker], receiver: Receiver) -> list[Figure]:
    """Return for each worker the 99th percentile of the milliseconds from commit to arrival."""
    count = int(2 * options.seconds * PROBLEMS_PER_SECOND)
    found: dict[str, list[float]] = {worker.name: [] for worker in workers}
    for number in range(1, options.rounds + 1):
        for worker in workers:
            waits = sorted(_wait(worker, receiver, count))
            found[worker.name].append(waits[int(0.99 * (count - 1))] * 1000)
        shown = ", ".join(f"{name} {values[-1]:.0f}" for name, values in found.items())
        say(f"round {number} of {options.rounds}, p99 of ms from commit to arrival: {shown}")
    return [
        Figure(
            f"from commit to arrival, p99 at {PROBLEMS_PER_SECOND} problems a second, {name}",
            "ms",
            values,
            at_most(300),
            f"{workers[0].hold * 1000:.0f} ms of it the KCI waits behind the answer it follows.",
        )
        for name, values in found.items()
    ]


def _wait(worker: Worker, receiver: Receiver, count: int) -> list[float]:
    """Return the seconds from each commit to the arrival of its KCI."""
    committed = {}
    due = time.monotonic()
    for _ in range(count):
        due += 1 / PROBLEMS_PER_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        name = worker.outbox.raise_problem(worker.hold)
        committed[name] = time.monotonic()
    worker.outbox.wait_until_settled()
    arrived = dict(receiver.arrivals())
    return [arrived[name] - moment for name, moment in committed.items()]


def _slow() -> Figure:
    """Return how much of what its threads can do a worker does when the receiver is slow."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        receiver = stack.enter_context(receiving(SLOW))
        worker = stack.enter_context(_working("SQLite", folder / "slow", receiver))
        receiver.arrivals()
        worker.deliver(SLOW_LANES, SLOW_EACH)
        moments = [moment for _, moment in receiver.arrivals()]
    # The last ones are answered so long after they arrived.
    rate = len(moments) / (max(moments) - min(moments) + SLOW)
    return Figure(
        f"KCIs to a receiver that takes {SLOW * 1000:.0f} ms / what {THREADS} threads can send",
        "",
        [rate / (THREADS / SLOW)],
        at_least(0.9),
        rates=[rate],
    )
