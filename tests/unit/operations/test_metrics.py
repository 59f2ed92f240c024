"""What a process counts in memory, and how it is cut into samples."""

import threading

import pytest

from supplier_api.clock import ManualMachineClock
from supplier_api.operations.metrics import (
    BOUNDS,
    SAMPLE_SECONDS,
    UNSAVED,
    ProcessMetrics,
    percentile,
)


@pytest.fixture
def clock() -> ManualMachineClock:
    return ManualMachineClock()


@pytest.fixture
def metrics(clock: ManualMachineClock) -> ProcessMetrics:
    return ProcessMetrics(clock)


def test_a_sample_has_every_number_by_its_name(
    metrics: ProcessMetrics, clock: ManualMachineClock
) -> None:
    began = clock.now()
    metrics.answered(201, 0.004)
    metrics.answered(201, 0.005)
    metrics.answered(422, 3.001)
    metrics.answered(503, 60)
    metrics.attempted("gateway", "delivered")
    metrics.attempted("back-office", "later")
    metrics.refused_unread()
    clock.advance(12.5)

    [sample] = metrics.unsaved()

    assert (sample.at, sample.seconds) == (began, 12.5)
    assert sample.counts == {
        "answer.201": 2,
        "answer.422": 1,
        "answer.503": 1,
        "ms.5": 2,
        "ms.5000": 1,
        "ms.more": 1,
        "gateway.delivered": 1,
        "back-office.later": 1,
        "unread": 1,
    }


def test_a_sample_is_cut_when_its_time_is_over_or_at_the_end(
    metrics: ProcessMetrics, clock: ManualMachineClock
) -> None:
    metrics.answered(201, 0.1)
    clock.advance(SAMPLE_SECONDS - 0.1)
    assert metrics.unsaved() == []
    assert len(metrics.unsaved(final=True)) == 1


def test_without_anything_counted_there_is_no_sample(
    metrics: ProcessMetrics, clock: ManualMachineClock
) -> None:
    clock.advance(SAMPLE_SECONDS)
    assert metrics.unsaved() == []
    metrics.answered(201, 0.1)
    clock.advance(SAMPLE_SECONDS)
    # It begins where the silent one ended.
    [sample] = metrics.unsaved()
    assert (clock.now() - sample.at).total_seconds() == sample.seconds == SAMPLE_SECONDS


def test_samples_wait_until_they_are_stored_and_the_oldest_go_first(
    metrics: ProcessMetrics, clock: ManualMachineClock
) -> None:
    for _ in range(UNSAVED + 1):
        metrics.answered(503, 0.1)
        clock.advance(SAMPLE_SECONDS)
        samples = metrics.unsaved()
    assert len(samples) == UNSAVED
    assert samples == sorted(samples, key=lambda each: each.at)
    assert samples[-1].at == clock.instant.fromtimestamp(
        clock.now().timestamp() - SAMPLE_SECONDS, clock.instant.tzinfo
    )
    metrics.saved()
    assert metrics.unsaved() == []


def test_threads_lose_no_number(metrics: ProcessMetrics) -> None:
    def work() -> None:
        for _ in range(1000):
            metrics.answered(201, 0.01)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [sample] = metrics.unsaved(final=True)
    assert sample.counts == {"answer.201": 8000, "ms.10": 8000}


def test_a_percentile_lies_within_its_bounds() -> None:
    counts = {"answer.201": 100, "ms.10": 50, "ms.20": 49, "ms.5000": 1}
    assert percentile(counts, 0.5) == 10
    assert percentile(counts, 0.25) == 7.5
    assert percentile(counts, 0.99) == 20
    assert percentile(counts, 0.995) == 4000


def test_of_times_above_the_last_bound_that_is_told() -> None:
    assert percentile({"ms.more": 3}, 0.5) == BOUNDS[-1]


def test_without_answers_there_is_no_percentile() -> None:
    assert percentile({"gateway.delivered": 3}, 0.5) is None


def test_the_default_budget_is_a_bound() -> None:
    # So that what is late is not counted with what is not.
    assert 3000 in BOUNDS
