"""POST /service-problems, complete, beside a bare Flask route on the same server."""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import psycopg

from scripts.benchmarks.common import (
    CORES,
    HOST,
    Aim,
    Load,
    Options,
    Section,
    bind,
    free_port,
    load,
    median,
    running,
    spread,
    table,
    wait_for,
)
from scripts.benchmarks.house import BODY, FIRST_ID, SERVICES, House, make_house, post
from tests import postgresql

WARM_UP = 2.0
# As Debian ships it: every commit reaches the disk.
DURABLE = ("fsync=on", "synchronous_commit=on", "max_connections=200")


class Creates:
    """Requests for problems at one house, each with an id of its own."""

    def __init__(self, house: House, first: int = FIRST_ID) -> None:
        """Begin with the id `first`; the house must serve."""
        self._request = house.request()
        self._port = house.port
        self._next = first

    def load(self, seconds: float, rate: float | None = None, **more: frozenset[int]) -> Load:
        """Raise problems, and let no other answer than 201 pass."""
        aim = Aim(self._port, self._request, seconds, self._next, SERVICES, rate=rate)
        result = load(aim, **more).only(201)
        self._next += result.count
        return result


@contextmanager
def bare() -> Iterator[Aim]:
    """Serve the bare route; yield what to put load on."""
    with _serving("bare") as port:
        request = post("/bare", {"id": "@id@", "text": "x" * 1150})
        yield Aim(port, request, WARM_UP, FIRST_ID)


@contextmanager
def floor(house: House) -> Iterator[Aim]:
    """Serve the route that does what the libraries do in a create, on the house's database."""
    with _serving("floor", house.environ) as port:
        yield Aim(port, post("/service-problems", BODY), WARM_UP, FIRST_ID, SERVICES)


@contextmanager
def _serving(name: str, environ: Mapping[str, str] | None = None) -> Iterator[int]:
    port = free_port()
    with running([sys.executable, "-m", f"scripts.benchmarks.{name}", str(port)], environ):
        wait_for(f"http://{HOST}:{port}/ready")
        yield port


def measure(options: Options) -> Section:
    """Measure the bare route, SQLite, and PostgreSQL under two web processes, in turns.

    The two are measured bound to a core each, as the single ones are, and free to wander.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yardstick = stack.enter_context(bare())
        least = stack.enter_context(floor(make_house(folder / "floor")))
        house = make_house(folder / "sqlite")
        stack.enter_context(house.serving())
        creates = Creates(house)
        pair = stack.enter_context(two_on_postgresql(folder))
        load(yardstick)
        load(least)
        creates.load(WARM_UP)
        bares, floors, sqlites, pairs, free, calm = [], [], [], [], [], []
        for _ in range(options.rounds):
            bares.append(load(_for(yardstick, options.seconds)).rate)
            floors.append(load(_for(least, options.seconds)).only(201).rate)
            sqlites.append(creates.load(options.seconds).rate)
            pairs.append(pair.load(options.seconds).rate)
            free.append(pair.load(options.seconds, bound=False).rate)
            calm.append(creates.load(options.seconds, sqlites[-1] / 2).milliseconds)
    ratio, floor_ratio = _ratios(sqlites, bares), _ratios(floors, bares)
    beside, freely = _ratios(pairs, sqlites), _ratios(free, sqlites)
    rows = [
        ["bare Flask route, on the same server", spread(bares, 0), "1"],
        ["the libraries of a create alone, SQLite", spread(floors, 0), floor_ratio],
        ["POST /service-problems, SQLite, one process", spread(sqlites, 0), ratio],
        ["PostgreSQL, two processes, bound", spread(pairs, 0), f"{beside} of SQLite"],
        ["PostgreSQL, two processes, free", spread(free, 0), f"{freely} of SQLite"],
    ]
    half = [f"p{share} {median([each[share] for each in calm]):.1f} ms" for share in calm[0]]
    return Section(
        "Problems raised",
        [
            "Complete: token verified, schema, a book of ten rules, idempotency; problem,",
            "decision and message stored, `synchronous=FULL`. 16 connections, 1.2 KB body. Median",
            f"of {options.rounds} rounds of {options.seconds:.0f} s, everything in turns; least",
            "and most in brackets. A web process is bound to one core unless it is called free;",
            "PostgreSQL and the load of two are on all cores.",
            "",
            *table(["", "requests a second", "ratio"], rows),
            "",
            "The libraries alone are what a create cannot cost less than, whatever lies between:",
            "Flask, JSON, CEL on the ten conditions, the same statements to SQLite with ready",
            "values, commits shared as ours are, a line in the log. No token is looked at, nothing",
            "is checked, decided or traced there (`scripts/benchmarks/floor.py`).",
            "",
            f"At half load (SQLite): {', '.join(half)}, from the moment a request was due.",
        ],
    )


class Pair:
    """Two web processes on one database, under load at the same time."""

    def __init__(self, houses: list[House], pids: list[int]) -> None:
        """Know the two; they must serve, as the processes `pids`."""
        self._sides = [
            Creates(house, FIRST_ID * (number + 1)) for number, house in enumerate(houses)
        ]
        self._pids = pids

    def load(self, seconds: float, *, bound: bool = True) -> Load:
        """Put load on both at once, each bound to a core or not; the result counts both."""
        for pid, core in zip(self._pids, cycle(CORES)):
            bind(pid, frozenset({core} if bound else CORES))
        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(
                lambda side: side.load(seconds, cores=frozenset(CORES)), self._sides
            )
        return Load(one.rate + other.rate, one.count + other.count, one.statuses, one.milliseconds)


@contextmanager
def two_on_postgresql(folder: Path) -> Iterator[Pair]:
    """Serve with two processes on one PostgreSQL, warmed up."""
    with ExitStack() as stack:
        server = stack.enter_context(postgresql.server(DURABLE))
        url = stack.enter_context(postgresql.database(server, "bench"))
        houses = [make_house(folder / f"postgresql-{side}", url) for side in (1, 2)]
        pids = [stack.enter_context(house.serving()).pid for house in houses]
        pair = Pair(houses, pids)
        pair.load(WARM_UP)
        # As autovacuum does within a minute: plans that were made for an empty table end there.
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("ANALYZE")
        yield pair


def _ratios(rates: Sequence[float], others: Sequence[float]) -> str:
    return spread([one / other for one, other in zip(rates, others, strict=True)])


def _for(aim: Aim, seconds: float) -> Aim:
    return replace(aim, seconds=seconds)
