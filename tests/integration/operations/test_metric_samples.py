"""Samples of what processes count: stored, merged, removed, and read as a series."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, tables
from supplier_api.operations.metric_samples import (
    EVERY,
    KEPT,
    KEPT_APART,
    MERGED,
    PAUSE,
    AttemptCounts,
    MetricPoint,
    MetricSampleChore,
    MetricSampleRepository,
    series,
)
from supplier_api.operations.metrics import MetricSample

MINUTE = timedelta(minutes=1)
TEN = 10.0  # seconds
NEVER = 10_000  # turns


@pytest.fixture
def chore(store: Store, clock: ManualMachineClock) -> MetricSampleChore:
    return MetricSampleChore(store, clock)


def add(
    store: Store,
    clock: ManualMachineClock,
    counts: dict[str, int],
    process: str = "web/1",
    kind: str = "web",
) -> None:
    """Store what a process counted in the ten seconds that begin now."""
    sample = MetricSample(clock.now(), TEN, counts)
    store.write(lambda uow: MetricSampleRepository(uow).add(process, kind, [sample]))


def rows(store: Store) -> list[dict[str, Any]]:
    query = select(tables.metric_sample).order_by(tables.metric_sample.c.id)
    return store.read(lambda uow: [dict(row) for row in uow.connection.execute(query).mappings()])


def work_off(chore: MetricSampleChore, clock: ManualMachineClock) -> int:
    """Take turns until nothing is due; return how many did something."""
    for number in range(NEVER):
        rest = chore.turn()
        clock.advance(rest)
        if rest == EVERY:
            return number
        assert rest == PAUSE
    raise AssertionError("the chore never comes to rest")


def last_hour(store: Store, clock: ManualMachineClock) -> list[MetricPoint]:
    now = clock.now()
    return store.read(lambda uow: series(uow, now - timedelta(hours=1), now, MINUTE))


def test_a_sample_is_stored_once_however_often_it_is_tried(
    store: Store, clock: ManualMachineClock
) -> None:
    for _ in range(2):
        add(store, clock, {"answer.201": 1})
    add(store, clock, {"answer.201": 1}, "web/2")

    assert [(row["process"], row["kind"], row["seconds"]) for row in rows(store)] == [
        ("web/1", "web", TEN),
        ("web/2", "web", TEN),
    ]
    assert rows(store)[0]["at"] == clock.now()


def test_the_series_of_an_hour(store: Store, clock: ManualMachineClock) -> None:
    add(store, clock, {"answer.201": 8, "answer.422": 1, "ms.10": 5, "ms.20": 4})
    add(store, clock, {"answer.201": 1, "ms.3000": 1, "unread": 2}, "web/2")
    worker = {"gateway.delivered": 3, "gateway.refused": 1, "gateway.expired": 1}
    more = {
        "gateway.later": 2,
        "gateway.held": 1,
        "gateway.withheld": 5,
        "back-office.delivered": 4,
    }
    clock.advance(20)
    add(store, clock, worker | more, "worker/1", "worker")
    clock.advance(60)
    add(store, clock, {"answer.201": 1, "ms.2": 1})
    clock.advance(3600 - 80)

    points = last_hour(store, clock)

    assert len(points) == 60
    assert points[0] == MetricPoint(
        at=clock.now() - timedelta(hours=1),
        requests=10,
        codes={201: 9, 422: 1},
        p50=10.0,
        p99=2900.0,
        unread=2,
        kcis=AttemptCounts(delivered=3, refused=2, retried=3),
        orders=AttemptCounts(delivered=4),
    )
    assert (points[1].requests, points[1].p50) == (1, 1.0)
    silent = MetricPoint(points[2].at, 0, {}, None, None, 0, AttemptCounts(), AttemptCounts())
    assert points[2] == silent


def test_a_series_begins_with_a_whole_step(store: Store, clock: ManualMachineClock) -> None:
    clock.advance(61)
    add(store, clock, {"answer.201": 1})
    clock.advance(30)
    now = clock.now()

    points = store.read(lambda uow: series(uow, now - 2 * MINUTE, now, MINUTE))

    assert [(each.at.minute, each.requests) for each in points] == [(59, 0), (0, 0), (1, 1)]


def test_after_an_hour_five_minutes_are_merged_by_kind(
    store: Store, clock: ManualMachineClock, chore: MetricSampleChore
) -> None:
    began = clock.now()
    for _ in range(60):  # ten minutes
        add(store, clock, {"answer.201": 1, "ms.10": 1})
        add(store, clock, {"answer.422": 1, "ms.20": 1}, "web/2")
        add(store, clock, {"gateway.delivered": 2}, "worker/1", "worker")
        clock.advance(TEN)
    clock.advance((KEPT_APART - MERGED).total_seconds() - 1)
    assert work_off(chore, clock) == 0  # the first five minutes are not an hour ago as a whole
    assert len(rows(store)) == 180
    assert work_off(chore, clock) == 1

    merged = [row for row in rows(store) if row["process"] is None]
    assert len(rows(store)) == 90 + len(merged)
    assert sorted((row["kind"], row["at"], row["seconds"], row["counts"]) for row in merged) == [
        ("web", began, 300, {"answer.201": 30, "ms.10": 30, "answer.422": 30, "ms.20": 30}),
        ("worker", began, 300, {"gateway.delivered": 60}),
    ]
    # The last hour is told by the minute all the same.
    assert [each.requests for each in last_hour(store, clock)[:5]] == [12, 12, 12, 12, 0]
    clock.advance(300)
    assert work_off(chore, clock) == 1
    assert len(rows(store)) == 4


def test_the_series_of_a_day_has_the_same_sums_before_and_after(
    store: Store, clock: ManualMachineClock, chore: MetricSampleChore
) -> None:
    for _ in range(100):
        add(store, clock, {"answer.201": 1, "ms.10": 1})
        clock.advance(60)

    def day() -> list[MetricPoint]:
        now, step = clock.now(), timedelta(minutes=15)
        return store.read(lambda uow: series(uow, now - timedelta(days=1), now, step))

    before = day()
    turns = work_off(chore, clock)

    assert turns == 8  # of the 40 minutes that are an hour ago
    assert [each.requests for each in day()] == [each.requests for each in before]
    assert sum(each.requests for each in before) == 100
    assert len(before) == 97  # the first and the last are parts of a step


def test_what_comes_late_is_merged_too(
    store: Store, clock: ManualMachineClock, chore: MetricSampleChore
) -> None:
    began = clock.now()
    add(store, clock, {"answer.201": 1})
    clock.advance(3600 + 300)
    work_off(chore, clock)
    late = MetricSample(began + timedelta(seconds=20), TEN, {"answer.201": 2})
    store.write(lambda uow: MetricSampleRepository(uow).add("web/2", "web", [late]))
    work_off(chore, clock)

    assert [(row["process"], row["at"]) for row in rows(store)] == [(None, began), (None, began)]
    points = store.read(lambda uow: series(uow, began, began + MERGED, MERGED))
    assert [each.requests for each in points] == [3]


def test_after_25_hours_nothing_is_left(
    store: Store,
    clock: ManualMachineClock,
    chore: MetricSampleChore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("supplier_api.operations.metric_samples.BATCH", 2)
    for _ in range(5):
        add(store, clock, {"answer.201": 1})
        clock.advance(300)
    clock.advance(KEPT.total_seconds() - 6 * 300)
    work_off(chore, clock)
    assert len(rows(store)) == 5
    clock.advance(6 * 300)
    assert work_off(chore, clock) == 3  # two at a time
    assert rows(store) == []


def test_two_workers_at_once_merge_each_sample_once(
    store: Store, upgraded_url: str, clock: ManualMachineClock
) -> None:
    began = clock.now()
    for number in range(120):
        add(store, clock, {"answer.201": 1}, f"web/{number}")
        clock.advance(TEN / 10)
    clock.advance(3600 + 300)
    other = Store(upgraded_url, clock)

    def merge(store: Store) -> None:
        store.write(lambda uow: MetricSampleRepository(uow).merge(began, MERGED))

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(merge, each) for each in (store, other) * 8]:
            done.result()
    other.close()

    assert [row["counts"] for row in rows(store)] == [{"answer.201": 120}]


def test_a_silent_chore_writes_nothing(
    store: Store,
    clock: ManualMachineClock,
    chore: MetricSampleChore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add(store, clock, {"answer.201": 1})
    monkeypatch.setattr(store, "write", None)
    assert chore.turn() == EVERY
    assert chore.turn() == EVERY
