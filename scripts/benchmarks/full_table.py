"""Whether a create and a claim cost more when many problems are stored; only when asked for."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path

from scripts.benchmarks.creates import creating
from scripts.benchmarks.figures import Figure, Options, at_least, ratios, say
from scripts.benchmarks.fill import fill
from scripts.benchmarks.installation import make_installation
from scripts.benchmarks.servers import MICROSECONDS, Subject, say_round
from supplier_api.clock import SystemMachineClock
from supplier_api.db import Store
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.services import BACK_OFFICE

AT_ONCE = 16  # lanes in one claim, as a worker of 16 threads takes them
LEASE = timedelta(seconds=45)


class Side:
    """Creates on one database, and claims of the work orders that they make."""

    def __init__(self, creates: Subject, store: Store) -> None:
        """Begin with a database in which no work order is due but those of `creates`."""
        self.creates = creates
        self.claims: list[float] = []
        self._store = store
        self._clock = SystemMachineClock()
        self._claim_all()

    def take_turn(self, seconds: float) -> None:
        """Raise problems for so long, then claim their work orders."""
        self.creates.take_turn(seconds)
        self.claims.append(self._claim_all())

    def _claim_all(self) -> float:
        """Claim all lanes that are due; return CPU microseconds for each."""
        lanes, began = 0, time.process_time()
        while claimed := self._claim():
            lanes += claimed
        return (time.process_time() - began) / lanes * MICROSECONDS

    def _claim(self) -> int:
        now = self._clock.now()
        return self._store.write(
            lambda uow: len(
                LaneRepository(uow).claim(
                    BACK_OFFICE, "bench", now, now + LEASE, limit=AT_ONCE, failed=0
                )
            )
        )


def measure(options: Options) -> list[Figure]:
    """Measure an empty and a full SQLite database in turns; nothing unless rows are asked for."""
    if not options.rows:
        say("left out: it takes ROWS=1000000")
        return []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        empty = stack.enter_context(_side(folder, "empty", 0))
        full = stack.enter_context(_side(folder, "full", options.rows))
        for number in range(1, options.rounds + 1):
            for side in (empty, full):
                side.take_turn(options.seconds)
            say_round(number, options, [empty.creates, full.creates])
    stored = f"{options.rows:,} problems stored"
    new = empty.creates.figure("create, nothing stored")
    late = full.creates.figure(f"create, {stored}")
    first = Figure("claim of a lane, nothing stored", "us", empty.claims)
    last = Figure(f"claim of a lane, {stored}", "us", full.claims)
    return [
        new,
        late,
        ratios(f"create, nothing stored / {stored}", new, late, at_least(0.9)),
        first,
        last,
        ratios(f"claim, nothing stored / {stored}", first, last, at_least(0.9)),
    ]


@contextmanager
def _side(folder: Path, name: str, rows: int) -> Iterator[Side]:
    installation = make_installation(folder / name)
    url = installation.database
    if rows:
        say(f"storing {rows:,} problems")
        fill(url, rows)
    with (
        creating(name, installation) as creates,
        closing(Store(url, SystemMachineClock())) as store,
    ):
        yield Side(creates, store)
