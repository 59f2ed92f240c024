"""KCIs: what one worker process delivers, beside a bare loop that pushes to the same receiver."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from scripts.benchmarks.common import (
    HOST,
    LOAD_CORES,
    Options,
    Section,
    free_port,
    median,
    running,
    spread,
    supplier_api,
    table,
    wait_for,
)
from scripts.benchmarks.creates import DURABLE
from scripts.benchmarks.house import House, make_house
from scripts.benchmarks.outbox import Outbox
from tests import postgresql

THREADS = 16
PER_SECOND = 700  # lanes that are filled for each second of a round
PATIENCE = 120.0
RATIO = 0.8  # of the bare loop, that one worker is to deliver
SLOW_RATIO = 0.9  # of what the threads can do at most, with a slow receiver
SLOW = 0.243  # seconds that a slow receiver takes
SLOW_LANES = 200
HELD = 0.25  # seconds that a KCI stays behind the answer it follows
RAISED_PER_SECOND = 50


@dataclass(frozen=True, slots=True)
class Sink:
    """The receiver."""

    port: int

    @property
    def url(self) -> str:
        """Where KCIs go."""
        return f"http://{HOST}:{self.port}/kcis"

    def arrivals(self) -> list[tuple[str, float]]:
        """Return conversation and moment of what has arrived since the last question."""
        with urlopen(f"http://{HOST}:{self.port}/arrivals", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return [(name, float(moment)) for name, moment in (line.rsplit(" ", 1) for line in lines)]


@dataclass(frozen=True, slots=True)
class Post:
    """A house whose worker is to be measured."""

    name: str
    house: House
    outbox: Outbox

    @contextmanager
    def working(self) -> Iterator[None]:
        """Run its worker while the block runs."""
        with running(supplier_api("worker"), self.house.environ):
            yield


def measure(options: Options) -> Section:
    """Measure the bare loop and the worker on both engines in turns, then the slow receiver."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        fast, slow = (stack.enter_context(_receiving(delay)) for delay in (0.0, SLOW))
        server = stack.enter_context(postgresql.server(DURABLE))
        urls = {
            "SQLite": f"sqlite:///{folder}/supplier.db",
            "PostgreSQL": stack.enter_context(postgresql.database(server, "bench")),
        }
        posts = [_post(folder, name, url, fast) for name, url in urls.items()]
        lines = _rates(options, posts, fast)
        lines += _latencies(options, posts, fast)
        posts = [_post(folder, f"{each.name} slow", urls[each.name], slow) for each in posts]
        lines += _slow(posts, slow)
    return Section("KCIs", lines)


def _rates(options: Options, posts: list[Post], sink: Sink) -> list[str]:
    count = int(options.seconds * PER_SECOND) // THREADS * THREADS
    bare: list[float] = []
    rates: dict[str, list[float]] = {post.name: [] for post in posts}
    for _ in range(options.rounds):
        bare.append(_pushed(sink, count))
        for post in posts:
            rates[post.name].append(_delivered(post, sink, count))
    head = [
        f"to a receiver that answers at once, {THREADS} threads",
        "a second",
        "of the bare loop",
    ]
    rows = [["bare loop of requests.Session", spread(bare, 0), ""]]
    for name, found in rates.items():
        ratios = [rate / best for rate, best in zip(found, bare, strict=True)]
        ratio = f"{spread(ratios)}: {_judged(median(ratios), RATIO)}"
        rows.append([f"one worker, {name}, a lane for each KCI", spread(found, 0), ratio])
    return [*table(head, rows), ""]


def _latencies(options: Options, posts: list[Post], sink: Sink) -> list[str]:
    head = [
        f"at {RAISED_PER_SECOND} problems a second, ms (median, 99 %)",
        "from commit to arrival",
        "from when it may leave",
    ]
    rows = []
    for post in posts:
        waits = _latency(post, sink, int(2 * options.seconds * RAISED_PER_SECOND))
        held = [wait - HELD for wait in waits]
        rows.append([f"one worker, {post.name}", _percent(waits), _percent(held)])
    return [*table(head, rows), ""]


def _slow(posts: list[Post], sink: Sink) -> list[str]:
    best = THREADS / SLOW
    rows = []
    for post in posts:
        rate = _delivered(post, sink, SLOW_LANES, each=3)
        share = f"{rate / best:.2f}: {_judged(rate / best, SLOW_RATIO)}"
        rows.append([f"one worker, {post.name}", f"{rate:.1f}", share])
    head = [
        f"receiver that takes {SLOW * 1000:.0f} ms, {SLOW_LANES} lanes",
        "a second",
        f"of {THREADS} / {SLOW} s = {best:.1f}",
    ]
    return table(head, rows)


@contextmanager
def _receiving(delay: float) -> Iterator[Sink]:
    port = free_port()
    words = [sys.executable, "-m", "scripts.benchmarks.sink", str(port), str(delay)]
    with running(words, cores=LOAD_CORES):
        wait_for(f"http://{HOST}:{port}/arrivals")
        yield Sink(port)


def _post(folder: Path, name: str, url: str, sink: Sink) -> Post:
    house = make_house(folder / name.replace(" ", "-"), url)
    prefix = "SUPPLIER_API__"
    house.environ[f"{prefix}GATEWAY__KCI_URL"] = sink.url
    house.environ[f"{prefix}GATEWAY__TOKEN_URL"] = f"http://{HOST}:{sink.port}/token"
    house.environ[f"{prefix}DELIVERY__THREADS"] = str(THREADS)
    return Post(name, house, Outbox(url))


def _pushed(sink: Sink, count: int) -> float:
    """Return how many POSTs of the bare loop arrive in a second."""
    sink.arrivals()
    words = [sys.executable, "-m", "scripts.benchmarks.pushing", sink.url, str(count), str(THREADS)]
    with running(words) as process:
        if process.wait(PATIENCE):
            raise RuntimeError("the bare loop failed")
    return _rate(sink.arrivals())


def _delivered(post: Post, sink: Sink, count: int, each: int = 1) -> float:
    """Return how many KCIs of a worker arrive in a second; all of them must be settled."""
    post.outbox.fill(count, each)
    sink.arrivals()
    with post.working():
        _wait_until_settled(post)
    return _rate(sink.arrivals())


def _latency(post: Post, sink: Sink, count: int) -> list[float]:
    """Return the seconds from each commit to the arrival of its KCI."""
    sink.arrivals()
    committed = {}
    with post.working():
        post.outbox.raise_problem(0.0)
        _wait_until_settled(post)
        due = time.monotonic()
        for _ in range(count):
            due += 1 / RAISED_PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
            name = post.outbox.raise_problem(HELD)
            committed[name] = time.monotonic()
        _wait_until_settled(post)
    arrived = dict(sink.arrivals())
    return [arrived[name] - moment for name, moment in committed.items()]


def _wait_until_settled(post: Post) -> None:
    began = time.monotonic()
    while post.outbox.undelivered():
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError(f"{post.outbox.undelivered()} KCIs were not delivered")
        time.sleep(0.2)


def _judged(ratio: float, aim: float) -> str:
    return f"the {aim:.1f} that is asked for is {'held' if ratio >= aim else 'MISSED'}"


def _rate(arrivals: list[tuple[str, float]]) -> float:
    moments = [moment for _, moment in arrivals]
    return (len(moments) - 1) / (max(moments) - min(moments))


def _percent(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    middle, late = ordered[len(ordered) // 2], ordered[int(0.99 * (len(ordered) - 1))]
    return f"{middle * 1000:.0f}, {late * 1000:.0f}"
