"""The threads of one destination."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from supplier_api.clock import ManualMachineClock
from supplier_api.delivery.thread_pool import ThreadPool

PATIENCE = 45.0


@contextmanager
def crew_of(
    size: int, work: Callable[[str], None], clock: ManualMachineClock | None = None
) -> Iterator[tuple[ThreadPool[str], threading.Semaphore]]:
    """Yield a crew at work, and a semaphore that counts the jobs it reports as done."""
    done = threading.Semaphore(0)
    crew: ThreadPool[str] = ThreadPool(
        "crew", size, work, done.release, clock or ManualMachineClock(), PATIENCE
    )
    yield crew, done
    crew.stop()


def test_it_does_each_job_and_says_so() -> None:
    seen: list[str] = []
    with crew_of(2, seen.append) as (crew, done):
        for job in "abc":
            crew.hand([job])
        assert all(done.acquire(timeout=10) for _ in range(3))
        assert crew.join(10)
    assert sorted(seen) == ["a", "b", "c"]


def test_it_counts_busy_and_promised_threads() -> None:
    started, go_on = threading.Semaphore(0), threading.Event()

    def work(_job: str) -> None:
        started.release()
        assert go_on.wait(10)

    with crew_of(2, work) as (crew, _done):
        crew.hand(["a"])
        assert started.acquire(timeout=10)
        assert crew.free() == 1
        crew.hand(["b"])
        crew.hand(["c"])
        assert crew.free() == 0
        assert sorted(crew.in_hand()) == ["a", "b", "c"]
        go_on.set()
        assert crew.join(10)
        assert crew.free() == 2


def test_a_job_that_raises_costs_no_thread() -> None:
    def work(job: str) -> None:
        if job == "bad":
            raise ValueError

    with crew_of(1, work) as (crew, done):
        crew.hand(["bad"])
        crew.hand(["good"])
        assert done.acquire(timeout=10)
        assert done.acquire(timeout=10)


def test_a_stuck_thread_is_replaced_and_no_longer_counts() -> None:
    clock, started, go_on = ManualMachineClock(), threading.Event(), threading.Event()
    seen: list[str] = []

    def work(job: str) -> None:
        if job == "stuck":
            started.set()
            assert go_on.wait(10)
        seen.append(job)

    with crew_of(1, work, clock) as (crew, done):
        crew.hand(["stuck"])
        assert started.wait(10)
        crew.replace_stuck()
        assert crew.free() == 0
        clock.advance(PATIENCE + 1)
        crew.replace_stuck()
        assert crew.free() == 1
        crew.hand(["next"])
        assert done.acquire(timeout=10)
        assert seen == ["next"]
        go_on.set()


def test_stopped_it_hands_back_what_has_not_begun_and_ends_what_has() -> None:
    started, go_on = threading.Event(), threading.Event()
    seen: list[str] = []

    def work(job: str) -> None:
        started.set()
        assert go_on.wait(10)
        seen.append(job)

    with crew_of(1, work) as (crew, _done):
        crew.hand(["begun"])
        assert started.wait(10)
        crew.hand(["waiting"])
        assert crew.stop() == ["waiting"]
        assert not crew.join(0)
        go_on.set()
        assert crew.join(10)
    assert seen == ["begun"]
