"""The stored samples of what processes count: added, merged, removed, and read as a series.

A process adds one every ten seconds in which anything happened. After an hour those of all
processes of a kind are merged into one for each five minutes, which goes after 25 hours.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from sqlalchemy import delete, insert, select

from supplier_api.clock import MachineClock
from supplier_api.db import Store, UnitOfWork
from supplier_api.db.tables import metric_sample
from supplier_api.db.upsert import insert_for
from supplier_api.delivery.retry_policy import Ending
from supplier_api.operations.metrics import ANSWER, UNREAD, MetricSample, percentile
from supplier_api.problems.services import BACK_OFFICE, GATEWAY

KEPT_APART = timedelta(hours=1)
MERGED = timedelta(minutes=5)
KEPT = timedelta(hours=25)
BATCH = 500  # rows deleted in one transaction
EVERY = 60.0  # seconds between two looks for something to merge or to remove
PAUSE = 0.2  # seconds between two transactions: others write too
_t = metric_sample.c
# Outcomes as the log of a message names them; all others mean that it is sent again.
_ENDINGS = {ending.value[1] for ending in Ending}
_DELIVERED = Ending.DELIVERED.value[1]
_REFUSED = [each.value[1] for each in (Ending.REFUSED, Ending.EXPIRED, Ending.LEFT_OUT)]


@dataclass(frozen=True, slots=True)
class AttemptCounts:
    """How many attempts to send messages ended in which way.

    `refused` became dead letters, or were left out. `retried` are sent again later.
    """

    delivered: int = 0
    refused: int = 0
    retried: int = 0

    @classmethod
    def of(cls, counts: Mapping[str, int], destination: str) -> Self:
        """Return those of a destination."""
        prefix = f"{destination}."
        theirs = {
            name.removeprefix(prefix): count
            for name, count in counts.items()
            if name.startswith(prefix)
        }
        return cls(
            delivered=theirs.get(_DELIVERED, 0),
            refused=sum(theirs.get(outcome, 0) for outcome in _REFUSED),
            retried=sum(count for name, count in theirs.items() if name not in _ENDINGS),
        )


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """What all processes counted in the step that begins at `at`.

    `requests` are the gateway's, and `codes` how many of them were answered with which status.
    `p50` and `p99` are milliseconds from complete headers to the answer, None without a request.
    `unread` requests, whoever sent them, were refused by the server itself.
    """

    at: datetime
    requests: int
    codes: Mapping[int, int]
    p50: float | None
    p99: float | None
    unread: int
    kcis: AttemptCounts
    orders: AttemptCounts


def series(uow: UnitOfWork, since: datetime, until: datetime, step: timedelta) -> list[MetricPoint]:
    """Return a point for each step from `since`, rounded down to a whole step, until `until`.

    The last step may not be over yet. Steps shorter than five minutes tell nothing new of times
    more than an hour ago.
    """
    first = rounded_down(since, step)
    steps: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for at, counts in MetricSampleRepository(uow).between(first, until):
        steps[(at - first) // step].update(counts)
    return [
        _point(first + number * step, steps[number]) for number in range(-((first - until) // step))
    ]


def _point(at: datetime, counts: Mapping[str, int]) -> MetricPoint:
    codes = {
        int(name.removeprefix(ANSWER)): count
        for name, count in sorted(counts.items())
        if name.startswith(ANSWER)
    }
    return MetricPoint(
        at=at,
        requests=sum(codes.values()),
        codes=codes,
        p50=percentile(counts, 0.5),
        p99=percentile(counts, 0.99),
        unread=counts.get(UNREAD, 0),
        kcis=AttemptCounts.of(counts, GATEWAY),
        orders=AttemptCounts.of(counts, BACK_OFFICE),
    )


class MetricSampleRepository:
    """The samples within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def add(self, process: str, kind: str, samples: Sequence[MetricSample]) -> None:
        """Store samples of a process; those that are stored already have no effect."""
        if not samples:
            return
        rows = [
            {"process": process, "kind": kind, "at": s.at, "seconds": s.seconds, "counts": s.counts}
            for s in samples
        ]
        query = insert_for(self._connection.dialect.name, metric_sample)
        self._connection.execute(
            query.on_conflict_do_nothing(index_elements=[_t.process, _t.at]), rows
        )

    def between(self, since: datetime, until: datetime) -> list[tuple[datetime, dict[str, int]]]:
        """Return when the samples of a time began, and their numbers."""
        query = select(_t.at, _t.counts).where(_t.at >= since, _t.at < until)
        return [(at, counts) for at, counts in self._connection.execute(query)]

    def oldest_apart(self, before: datetime) -> datetime | None:
        """Return when the oldest sample before an instant began that is not merged yet."""
        of_process = _t.process.is_not(None) & (_t.at < before)
        query = select(_t.at).where(of_process).order_by(_t.at).limit(1)
        return self._connection.execute(query).scalar()

    def merge(self, start: datetime, length: timedelta) -> None:
        """Replace the samples of a time by one for each kind of process.

        Of two workers that do so at once, one finds nothing left.
        """
        theirs = delete(metric_sample).where(
            _t.process.is_not(None), _t.at >= start, _t.at < start + length
        )
        merged: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for kind, counts in self._connection.execute(theirs.returning(_t.kind, _t.counts)):
            merged[kind].update(counts)
        rows = [
            {"kind": kind, "at": start, "seconds": length.total_seconds(), "counts": dict(counts)}
            for kind, counts in merged.items()
        ]
        if rows:
            self._connection.execute(insert(metric_sample), rows)

    def any_before(self, before: datetime) -> bool:
        """Return whether a sample began before an instant."""
        return (
            self._connection.execute(select(_t.id).where(_t.at < before).limit(1)).first()
            is not None
        )

    def remove(self, before: datetime, limit: int) -> None:
        """Delete up to `limit` samples that began before an instant, the oldest first."""
        old = select(_t.id).where(_t.at < before).order_by(_t.at).limit(limit)
        self._connection.execute(delete(metric_sample).where(_t.id.in_(old)))


class MetricSampleChore:
    """Merges and removes samples, a little at each turn; several workers may do so at once."""

    def __init__(self, store: Store, clock: MachineClock) -> None:
        """Work on `store`, from now on."""
        self._store = store
        self._clock = clock
        self._next = clock.monotonic()

    def turn(self) -> float:
        """Do a piece of work if one is due; return how many seconds later the next one is."""
        now = self._clock.monotonic()
        if now < self._next:
            return self._next - now
        rest = PAUSE if self._work() else EVERY
        self._next = now + rest
        return rest

    def _work(self) -> bool:
        """Merge the samples of five minutes, or remove some; return False if nothing was due."""
        now = self._clock.now()
        # Only times that are over as a whole, so that nothing is added to them any more.
        old, over = now - KEPT, rounded_down(now - KEPT_APART, MERGED)

        def due(uow: UnitOfWork) -> tuple[bool, datetime | None]:
            samples = MetricSampleRepository(uow)
            return samples.any_before(old), samples.oldest_apart(over)

        outdated, apart = self._store.read(due)
        if outdated:
            self._store.write(lambda uow: MetricSampleRepository(uow).remove(old, BATCH))
        elif apart:
            start = rounded_down(apart, MERGED)
            self._store.write(lambda uow: MetricSampleRepository(uow).merge(start, MERGED))
        return outdated or apart is not None


def rounded_down(at: datetime, step: timedelta) -> datetime:
    """Return the beginning of the step that an instant is in."""
    epoch = datetime.fromtimestamp(0, UTC)
    return at - (at - epoch) % step
