"""POST /service-problems, complete, beside a bare Flask route on the same server."""

import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from scripts.benchmarks.common import (
    CORES,
    HOST,
    Aim,
    Load,
    Options,
    Section,
    free_port,
    load,
    median,
    running,
    spread,
    table,
    wait_for,
)
from scripts.benchmarks.house import FIRST_ID, SERVICES, House, make_house, post
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
    port = free_port()
    with running([sys.executable, "-m", "scripts.benchmarks.bare", str(port)]):
        wait_for(f"http://{HOST}:{port}/ready")
        request = post("/bare", {"id": "@id@", "text": "x" * 1150})
        yield Aim(port, request, WARM_UP, FIRST_ID)


def measure(options: Options) -> Section:
    """Measure the bare route, SQLite, and PostgreSQL under two web processes, in turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yardstick = stack.enter_context(bare())
        house = make_house(folder / "sqlite")
        stack.enter_context(house.serving())
        creates = Creates(house)
        pair = stack.enter_context(two_on_postgresql(folder))
        load(yardstick)
        creates.load(WARM_UP)
        bares, sqlites, pairs, calm = [], [], [], []
        for _ in range(options.rounds):
            bares.append(load(_for(yardstick, options.seconds)).rate)
            sqlites.append(creates.load(options.seconds).rate)
            pairs.append(pair.load(options.seconds).rate)
            calm.append(creates.load(options.seconds, sqlites[-1] / 2).milliseconds)
    ratios = [one / other for one, other in zip(sqlites, bares, strict=True)]
    beside = [one / other for one, other in zip(pairs, sqlites, strict=True)]
    rows = [
        ["bare Flask route, granian", spread(bares, 0), "1"],
        ["POST /service-problems, SQLite, one process", spread(sqlites, 0), spread(ratios)],
        ["the same, PostgreSQL, two processes", spread(pairs, 0), f"{spread(beside)} of SQLite"],
    ]
    half = [f"p{share} {median([each[share] for each in calm]):.1f} ms" for share in calm[0]]
    return Section(
        "Problems raised",
        [
            "Complete: token verified, schema, a book of ten rules, idempotency; problem,",
            "decision and message stored, `synchronous=FULL`. 16 connections, 1.2 KB body. Median",
            f"of {options.rounds} rounds of {options.seconds:.0f} s, everything in turns; least",
            "and most in brackets.",
            "",
            *table(["", "requests a second", "ratio"], rows),
            "",
            f"At half load (SQLite): {', '.join(half)}, from the moment a request was due.",
        ],
    )


class Pair:
    """Two web processes on one database, under load at the same time."""

    def __init__(self, houses: list[House]) -> None:
        """Know the two; they must serve."""
        self._sides = [
            Creates(house, FIRST_ID * (number + 1)) for number, house in enumerate(houses)
        ]

    def load(self, seconds: float) -> Load:
        """Put load on both at once; the result counts both."""
        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(
                lambda side: side.load(seconds, cores=frozenset(CORES)), self._sides
            )
        return Load(one.rate + other.rate, one.count + other.count, one.statuses, one.milliseconds)


@contextmanager
def two_on_postgresql(folder: Path) -> Iterator[Pair]:
    """Serve with two processes on one PostgreSQL, warmed up; all of it on all cores."""
    everywhere = frozenset(CORES)
    with ExitStack() as stack:
        server = stack.enter_context(postgresql.server(DURABLE))
        url = stack.enter_context(postgresql.database(server, "bench"))
        houses = [make_house(folder / f"postgresql-{side}", url) for side in (1, 2)]
        for house in houses:
            stack.enter_context(house.serving(everywhere))
        pair = Pair(houses)
        pair.load(WARM_UP)
        # As autovacuum does within a minute: plans that were made for an empty table end there.
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("ANALYZE")
        yield pair


def _for(aim: Aim, seconds: float) -> Aim:
    return Aim(aim.port, aim.request, seconds, aim.first)
